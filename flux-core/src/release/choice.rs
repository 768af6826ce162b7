//! What one container should run: the facts of the registry put to [`policy::choose`], and its answer put into verdicts.

use jiff::Timestamp;

use super::{ImageFacts, Needs, Reason, RepositoryFacts};
use crate::{
    backend::RegistryError,
    image::{ImageInfo, ImageRef, Tag},
    policy::{self, Choice, Missing, Policies, Question, Rule, Seen, TagPattern, Tagged},
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
    fn left(reason: Reason, message: impl Into<String>) -> Self {
        Self::Left { reason, message: message.into() }
    }

    fn up_to_date(current: &ImageRef) -> Self {
        Self::left(Reason::UpToDate, format!("{current} is what should run"))
    }
}

/// Decides about one container.
#[derive(Debug)]
pub(super) struct Chooser<'a> {
    pub(super) images: &'a ImageFacts,
    pub(super) now: Timestamp,
    pub(super) automatic: bool,
    pub(super) current: &'a ImageRef,
    pub(super) container: &'a str,
    pub(super) policies: &'a Policies,
}

impl Chooser<'_> {
    /// The newest image that policy allows.
    pub(super) fn newest(&self, needs: &mut Needs) -> Chosen {
        let pattern = match self.pattern() {
            Ok(pattern) => pattern,
            Err(left) => return left,
        };
        let facts = match self.facts(needs) {
            Ok(facts) => facts,
            Err(left) => return left,
        };
        let tags = tagged(facts);
        let choice = policy::choose(&Question {
            pattern: &pattern,
            current: self.current,
            tags: &tags,
            complete: facts.completeness.is_complete(),
            guards: &self.policies.guards,
            newer_than: None,
            now: self.now,
            automatic: self.automatic,
        });
        match choice {
            Choice::Update { tag, image } => {
                let message = format!("{tag} is the newest that {pattern} takes");
                Chosen::Update { target: image, reason: Reason::NewerImage, message }
            }
            Choice::Keep { held: Some((tag, rejection)), .. } => {
                let reason = match rejection.rule {
                    Rule::Downgrade => Reason::Downgrade,
                    Rule::MinAge => Reason::TooYoung,
                    Rule::Platforms => Reason::PlatformMissing,
                    Rule::NoDate => Reason::NoTimestamp,
                    Rule::NoDigest => Reason::Pinned,
                    _ => Reason::UpToDate,
                };
                Chosen::left(reason, format!("{tag}: {rejection}"))
            }
            Choice::Keep { .. } => Chosen::up_to_date(self.current),
            Choice::NoCandidate => {
                let message =
                    format!("{pattern} takes none of the {} tags of {}", tags.len(), self.current.name);
                Chosen::left(Reason::NoMatchingTag, message)
            }
            Choice::Undecided(missing) => {
                let reason = match &missing {
                    Missing::Tags | Missing::RunningTag(_) => Reason::Incomplete,
                    Missing::Dates | Missing::RunningDate(_) => Reason::NoTimestamp,
                    Missing::Images { ask, .. } => {
                        ask.iter().for_each(|tag| needs.details_of(&self.current.name, tag));
                        Reason::Incomplete
                    }
                };
                Chosen::left(reason, missing.to_string())
            }
        }
    }

    /// The image that was asked for, if it is of this container's name, in its registry, and (unless forced) taken by the pattern.
    pub(super) fn requested(&self, image: &ImageRef, forced: bool, needs: &mut Needs) -> Chosen {
        if image.name.canonical() != self.current.name.canonical() {
            return Chosen::left(Reason::OtherImage, format!("its image is not of {}", image.name));
        }
        let Some(tag) = &image.tag else {
            // A digest names its image for good: there is no tag to look up and none for a pattern to take.
            let target = ImageRef { name: self.current.name.clone(), ..image.clone() };
            return self.set(target);
        };
        let facts = match self.facts(needs) {
            Ok(facts) => facts,
            Err(left) => return left,
        };
        if !facts.tags.contains(tag) {
            return self.absent(facts, tag);
        }
        if !forced {
            match self.pattern() {
                Ok(pattern) if !pattern.matches(tag.as_str()) => {
                    let message = format!("{tag} is not taken by {pattern}; --force disregards patterns");
                    return Chosen::left(Reason::TagNotMatching, message);
                }
                Ok(_) => {}
                Err(left) => return left,
            }
        }
        let pinned = self.current.digest.is_some() || self.policies.guards.pin_digest;
        let digest = match (&image.digest, facts.images.get(tag)) {
            (Some(digest), _) => Some(digest.clone()),
            (None, _) if !pinned => None,
            (None, Some(info)) => info.as_ref().ok().and_then(|info: &ImageInfo| info.digest.clone()),
            (None, None) => {
                needs.details_of(&self.current.name, tag);
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

    fn pattern(&self) -> Result<TagPattern, Chosen> {
        self.policies
            .pattern(self.container)
            .map_err(|invalid| Chosen::left(Reason::InvalidPattern, invalid.to_string()))
    }

    /// What is known of the container's repository.
    fn facts(&self, needs: &mut Needs) -> Result<&RepositoryFacts, Chosen> {
        match self.images.get(&self.current.name) {
            Some(Ok(facts)) => Ok(facts),
            Some(Err(error)) => {
                let reason = match error {
                    RegistryError::NotFound(_) => Reason::RepositoryNotFound,
                    RegistryError::Unauthorized(_) | RegistryError::Forbidden(_) => {
                        Reason::RegistryUnauthorized
                    }
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

/// The tags of a repository with what is known of each.
fn tagged(facts: &RepositoryFacts) -> Vec<Tagged<'_>> {
    facts
        .tags
        .iter()
        .map(|tag| Tagged { tag, seen: facts.images.get(tag).map_or(Seen::NotAsked, Seen::from) })
        .collect()
}
