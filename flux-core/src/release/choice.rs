//! What one container should run: the facts of the registry put to [`policy::choose`], and its answer put into verdicts.

use std::sync::Arc;

use jiff::Timestamp;

use super::{
    Needs, Reason, RepositoryFacts, Snapshot,
    fields::{Fields, Known},
    past::{self, TakenBack},
};
use crate::{
    backend::ErrorKind,
    image::{ImageInfo, ImageRef, Tag},
    manifest::Container,
    manifest::Located,
    policy::{self, Choice, Field, Missing, Policies, Question, Rule, TagPattern},
};

/// What is decided about a container.
#[derive(Debug)]
pub(super) enum Chosen {
    /// It is left as it is.
    Left { reason: Reason, message: String },
    /// It is to run another image.
    Update { target: ImageRef, reason: Reason, message: String },
}

impl Chosen {
    pub(super) fn left(reason: Reason, message: impl Into<String>) -> Self {
        Self::Left { reason, message: message.into() }
    }

    pub(super) fn up_to_date(current: &ImageRef) -> Self {
        Self::left(Reason::UpToDate, format!("{current} is what should run"))
    }
}

/// Decides about one container.
#[derive(Debug)]
pub(super) struct Chooser<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) now: Timestamp,
    pub(super) automatic: bool,
    pub(super) current: &'a ImageRef,
    pub(super) container: &'a Container,
    pub(super) located: &'a Located<'a>,
    pub(super) policies: &'a Policies,
}

impl Chooser<'_> {
    /// The newest image that policy allows.
    pub(super) fn newest(&self, needs: &mut Needs, fields: &mut Fields<'_>) -> Chosen {
        let pattern = match self.pattern(fields) {
            Ok(pattern) => pattern,
            Err(left) => return left,
        };
        let known = match self.known(needs, fields) {
            Ok(known) => known,
            Err(left) => return left,
        };
        let mut question = self.question(fields.field(known, &pattern));
        let mut choice = policy::choose(&question);
        let taken_back = match choice {
            Choice::Update { .. } if self.automatic && !self.hold_is_lifted() => match self.taken_back() {
                Some(taken_back) => taken_back,
                None => {
                    needs.past.insert(self.place().to_owned());
                    return Chosen::left(Reason::Incomplete, "what commits did to the file is not known");
                }
            },
            _ => None,
        };
        if let Some(taken_back) = &taken_back {
            question.newer_than = Some(&taken_back.tag);
            choice = policy::choose(&question);
        }
        match choice {
            Choice::Keep { held: Some((tag, rejection)), .. } if rejection.rule == Rule::TakenBack => {
                let by = taken_back.map(|t| {
                    format!("; {} took it back in {}", t.commit.author.name, t.commit.revision.short())
                });
                Chosen::left(Reason::TakenBack, format!("{tag}: {rejection}{}", by.unwrap_or_default()))
            }
            Choice::Update { tag, image } => {
                let message = format!("{tag} is the newest that {pattern} takes");
                Chosen::Update { target: image, reason: Reason::NewerImage, message }
            }
            Choice::Keep { held: Some((tag, rejection)), .. } => {
                Chosen::left(held_by(rejection.rule), format!("{tag}: {rejection}"))
            }
            Choice::Keep { .. } => Chosen::up_to_date(self.current),
            Choice::NoCandidate => {
                let tags = known.facts.tags.len();
                let message = format!("{pattern} takes none of the {tags} tags of {}", self.current.name);
                Chosen::left(Reason::NoMatchingTag, message)
            }
            Choice::Undecided(missing) => {
                let reason = match &missing {
                    Missing::Tags | Missing::RunningTag(_) => Reason::Incomplete,
                    Missing::Dates | Missing::RunningDate(_) => Reason::NoTimestamp,
                    Missing::Images { ask, .. } => {
                        needs.details_of(&self.current.name, ask);
                        Reason::Incomplete
                    }
                };
                Chosen::left(reason, missing.to_string())
            }
        }
    }

    pub(super) fn question<'q>(&'q self, field: &'q Field<'q>) -> Question<'q> {
        Question {
            field,
            current: self.current,
            guards: &self.policies.guards,
            newer_than: None,
            now: self.now,
            automatic: self.automatic,
        }
    }

    /// What a person took back; outer none if the file's past is not known.
    pub(super) fn taken_back(&self) -> Option<Option<TakenBack>> {
        let Some(known) = &self.snapshot.past else { return Some(None) };
        let past = known.get(self.place())?;
        Some(past::taken_back(past, &self.located.workload_id(), self.container, self.current))
    }

    /// The file that the image is written in.
    fn place(&self) -> &str {
        self.container.elsewhere.as_ref().map_or(self.located.path, |elsewhere| &elsewhere.path)
    }

    /// Whether somebody wrote down that there is no hold.
    pub(super) fn hold_is_lifted(&self) -> bool {
        self.policies.all.get("hold").is_some_and(|text| text.value == "false")
    }

    /// The image that was asked for, if it is of this container's name, in its registry, and (unless forced) taken by the pattern.
    pub(super) fn requested(
        &self,
        image: &ImageRef,
        forced: bool,
        needs: &mut Needs,
        fields: &mut Fields<'_>,
    ) -> Chosen {
        if image.name.canonical() != self.current.name.canonical() {
            return Chosen::left(Reason::OtherImage, format!("its image is not of {}", image.name));
        }
        let Some(tag) = &image.tag else {
            // A digest names its image for good: there is no tag to look up and none for a pattern to take.
            let target = ImageRef { name: self.current.name.clone(), ..image.clone() };
            return self.set(target);
        };
        let known = match self.known(needs, fields) {
            Ok(known) => known,
            Err(left) => return left,
        };
        let facts = known.facts;
        if fields.listing(known).get(tag.as_str()).is_none() {
            return self.absent(facts, tag);
        }
        if !forced {
            match self.pattern(fields) {
                Ok(pattern) if !pattern.matches(tag.as_str()) => {
                    let message = format!("{tag} is not taken by {pattern}; --force disregards patterns");
                    return Chosen::left(Reason::TagNotMatching, message);
                }
                Ok(_) => {}
                Err(left) => return left,
            }
        }
        if !forced {
            // A person names the image: patterns and ranks aside, guards have their say.
            let field = fields.field(known, &Arc::new(TagPattern::any()));
            match policy::guarded(&self.question(field), tag) {
                Ok(None) => {}
                Ok(Some(rejection)) => {
                    return Chosen::left(held_by(rejection.rule), format!("{tag}: {rejection}"));
                }
                Err(missing) => {
                    needs.details_of(&self.current.name, std::slice::from_ref(tag));
                    return Chosen::left(Reason::Incomplete, missing.to_string());
                }
            }
        }
        let pinned = self.current.digest.is_some() || self.policies.guards.pin_digest;
        let digest = match (&image.digest, facts.images.get(tag)) {
            (Some(digest), _) => Some(digest.clone()),
            (None, _) if !pinned => None,
            (None, Some(info)) => info.as_ref().ok().and_then(|info: &ImageInfo| info.digest.clone()),
            (None, None) => {
                needs.details_of(&self.current.name, std::slice::from_ref(tag));
                None
            }
        };
        match self.current.with_tag(tag.clone(), digest) {
            Ok(target) => self.set(target),
            Err(pinned) => Chosen::left(Reason::Pinned, pinned.to_string()),
        }
    }

    fn set(&self, target: ImageRef) -> Chosen {
        if target == *self.current {
            return Chosen::up_to_date(self.current);
        }
        let message = format!("{target} was asked for");
        Chosen::Update { target, reason: Reason::RequestedImage, message }
    }

    fn absent(&self, facts: &RepositoryFacts, tag: &Tag) -> Chosen {
        let name = &self.current.name;
        if facts.completeness.is_complete() {
            Chosen::left(Reason::ImageNotFound, format!("image \"{name}:{tag}\" does not exist"))
        } else {
            let message = format!("{name}:{tag} is not among the tags that could be listed");
            Chosen::left(Reason::Incomplete, message)
        }
    }

    fn pattern(&self, fields: &mut Fields<'_>) -> Result<Arc<TagPattern>, Chosen> {
        let text = self.policies.pattern_text(&self.container.name);
        fields
            .patterns
            .read(text.map_or(TagPattern::ANY, |text| &text.value))
            .map_err(|invalid| Chosen::left(Reason::InvalidPattern, invalid.to_string()))
    }

    /// What is known of the container's repository.
    fn known<'f>(&self, needs: &mut Needs, fields: &Fields<'f>) -> Result<Known<'f>, Chosen> {
        match fields.known(&self.current.name) {
            Some(Ok(known)) => Ok(known),
            Some(Err(error)) => {
                let reason = match error.kind() {
                    ErrorKind::NotFound => Reason::RepositoryNotFound,
                    ErrorKind::Unauthorized | ErrorKind::Forbidden => Reason::RegistryUnauthorized,
                    _ => Reason::RegistryUnavailable,
                };
                Err(Chosen::left(reason, error.to_string()))
            }
            None => {
                needs.tags_of(&self.current.name);
                Err(Chosen::left(
                    Reason::Incomplete,
                    format!("the tags of {} are not known", self.current.name),
                ))
            }
        }
    }
}

/// The reason of a container that a rule holds back.
fn held_by(rule: Rule) -> Reason {
    match rule {
        Rule::Downgrade => Reason::Downgrade,
        Rule::TakenBack => Reason::TakenBack,
        Rule::MinAge => Reason::TooYoung,
        Rule::Platforms => Reason::PlatformMissing,
        Rule::NoDate => Reason::NoTimestamp,
        Rule::NoDigest => Reason::Pinned,
        _ => Reason::UpToDate,
    }
}
