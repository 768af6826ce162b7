//! The image that one container should run: the facts of the registry are put to
//! [`policy::choose`], and its answer becomes a decision.

use std::sync::Arc;

use super::{
    candidates::{Candidates, KnownRepository},
    decision::ContainerDecision,
    needs::Needs,
    reverted::{self, TakenBack},
    snapshot::{RepositoryFacts, Snapshot},
};
use crate::{
    backend::ErrorKind,
    image::{ImageInfo, ImageRef, Tag},
    manifest::Container,
    manifest_set::Located,
    plan::Reason,
    policy::{self, CandidateSet, Choice, Missing, Policies, Rule, SelectionInput, TagPattern},
    repo_path::RepoPath,
};

/// Decides about one container.
#[derive(Debug)]
pub(super) struct Chooser<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) automatic: bool,
    pub(super) current: &'a ImageRef,
    pub(super) container: &'a Container,
    pub(super) located: &'a Located<'a>,
    pub(super) policies: &'a Policies,
}

impl Chooser<'_> {
    /// Decides on the newest image that policy allows.
    pub(super) fn newest(&self, needs: &mut Needs, candidates: &mut Candidates<'_>) -> ContainerDecision {
        let pattern = match self.pattern(candidates) {
            Ok(pattern) => pattern,
            Err(kept) => return kept,
        };
        let known = match self.known(needs, candidates) {
            Ok(known) => known,
            Err(kept) => return kept,
        };
        if known.facts.tags.is_empty() && known.facts.completeness.is_complete() {
            let message = format!("the registry lists no tags of {}", self.current.name);
            return ContainerDecision::keep(Reason::RepositoryEmpty, message);
        }
        let mut input = self.input(candidates.set(known, &pattern, self.policies.label_dates));
        let mut choice = policy::choose(&input);
        let taken_back = match choice {
            Choice::Update { .. } if self.automatic && !self.hold_is_lifted() => match self.taken_back() {
                Some(taken_back) => taken_back,
                None => {
                    needs.past.insert(self.place().clone());
                    return ContainerDecision::keep(
                        Reason::Incomplete,
                        "what commits did to the file is not known",
                    );
                }
            },
            _ => None,
        };
        if let Some(taken_back) = &taken_back {
            input.newer_than = Some(&taken_back.tag);
            choice = policy::choose(&input);
        }
        match choice {
            Choice::Keep { held: Some((tag, rejection)), .. } if rejection.rule == Rule::TakenBack => {
                let by = taken_back.map(|t| {
                    format!("; {} took it back in {}", t.commit.author.name, t.commit.revision.short())
                });
                ContainerDecision::keep(
                    Reason::TakenBack,
                    format!("{tag}: {rejection}{}", by.unwrap_or_default()),
                )
            }
            Choice::Update { tag, image } => {
                let message = format!("{tag} is the newest that {pattern} takes");
                ContainerDecision::Update { target: image, reason: Reason::NewerImage, message }
            }
            Choice::Keep { held: Some((tag, rejection)), .. } => {
                ContainerDecision::keep(held_by(rejection.rule), format!("{tag}: {rejection}"))
            }
            Choice::Keep { tag: Some(tag), .. } if candidates.listing(known).get(tag.as_str()).is_none() => {
                // A list that is not whole decides only on tags that it has.
                let message = format!(
                    "the registry does not list the running tag {tag} of {}, and none that is newer: push it \
                     again, or release one that is there",
                    self.current.name
                );
                ContainerDecision::keep(Reason::RunningTagMissing, message)
            }
            Choice::Keep { .. } => ContainerDecision::up_to_date(self.current),
            Choice::NoCandidate => {
                let tags = candidates.listing(known).tags();
                let artifacts = tags.iter().filter(|tagged| tagged.artifact().is_some()).count();
                let (images, name) = (tags.len() - artifacts, &self.current.name);
                let mut message = format!("{pattern} takes none of the {images} tags of {name}");
                if artifacts > 0 {
                    message.push_str(&format!("; {artifacts} more are no container images"));
                }
                ContainerDecision::keep(Reason::NoMatchingTag, message)
            }
            Choice::Undecided(missing) => {
                let reason = match &missing {
                    Missing::Tags | Missing::RunningTag(_) => Reason::Incomplete,
                    Missing::RunningNotListed(_) => Reason::RunningTagMissing,
                    Missing::Dates | Missing::RunningDate { .. } => Reason::NoTimestamp,
                    Missing::Images { ask, .. } => {
                        needs.details_of(&self.current.name, ask);
                        Reason::Incomplete
                    }
                };
                ContainerDecision::keep(reason, missing.to_string())
            }
        }
    }

    /// Returns the input of a selection among candidates.
    pub(super) fn input<'q>(&'q self, candidates: &'q CandidateSet<'q>) -> SelectionInput<'q> {
        SelectionInput {
            candidates,
            current: self.current,
            guards: &self.policies.guards,
            newer_than: None,
            automatic: self.automatic,
        }
    }

    /// Returns what a person took back; the outer `None` says that the file's past is not known.
    pub(super) fn taken_back(&self) -> Option<Option<TakenBack>> {
        let Some(known) = &self.snapshot.past else { return Some(None) };
        let past = known.get(self.place())?;
        let of = reverted::Subject {
            workload: &self.located.workload_id(),
            container: self.container,
            default_namespace: self.snapshot.manifests.default_namespace(),
        };
        Some(reverted::taken_back(past, &of, self.current))
    }

    /// Returns the file that the image is written in.
    fn place(&self) -> &RepoPath {
        self.container.origin.as_ref().map_or(self.located.path, |elsewhere| &elsewhere.document.path)
    }

    /// Reports that somebody wrote down that there is no hold.
    pub(super) fn hold_is_lifted(&self) -> bool {
        self.policies.all.get("hold").is_some_and(|text| text.value == "false")
    }

    /// Decides on the image that was asked for: it must be of this container's name, be in its
    /// registry, and (unless forced) be taken by the pattern.
    pub(super) fn requested(
        &self,
        image: &ImageRef,
        forced: bool,
        needs: &mut Needs,
        candidates: &mut Candidates<'_>,
    ) -> ContainerDecision {
        if image.name.canonical() != self.current.name.canonical() {
            return ContainerDecision::keep(
                Reason::OtherImage,
                format!("its image is not of {}", image.name),
            );
        }
        let Some(tag) = &image.tag else {
            // A digest names its image for good: there is no tag to look up and none for a pattern
            // to take.
            let target = ImageRef { name: self.current.name.clone(), ..image.clone() };
            return self.set(target);
        };
        let known = match self.known(needs, candidates) {
            Ok(known) => known,
            Err(kept) => return kept,
        };
        let facts = known.facts;
        if candidates.listing(known).get(tag.as_str()).is_none() {
            return self.absent(facts, tag);
        }
        if !forced {
            match self.pattern(candidates) {
                Ok(pattern) if !pattern.matches(tag.as_str()) => {
                    let message =
                        format!("{tag} is not taken by {pattern}; a forced release disregards patterns");
                    return ContainerDecision::keep(Reason::TagNotMatching, message);
                }
                Ok(_) => {}
                Err(kept) => return kept,
            }
        }
        let pinned = self.current.digest.is_some() || self.policies.guards.pin_digest;
        if !pinned && image.digest.is_none() && self.current.tag.as_ref() == Some(tag) {
            return ContainerDecision::up_to_date(self.current);
        }
        // A person names the image: patterns and ranks aside, guards have their say. By force it
        // passes that nothing can be learnt of the image, and not that there is none.
        let any = Arc::new(TagPattern::any());
        let input = self.input(candidates.set(known, &any, self.policies.label_dates));
        let unrunnable = policy::unrunnable(&input, tag);
        let rejection = match unrunnable {
            Ok(None) if !forced => policy::guarded(&input, tag),
            Err(Missing::Images { ask, .. }) if forced && ask.is_empty() => Ok(None),
            looked => looked,
        };
        match rejection {
            Ok(None) => {}
            Ok(Some(rejection)) => {
                return ContainerDecision::keep(held_by(rejection.rule), format!("{tag}: {rejection}"));
            }
            Err(missing) => {
                if let Missing::Images { ask, .. } = &missing {
                    needs.details_of(&self.current.name, ask);
                }
                return ContainerDecision::keep(Reason::Incomplete, missing.to_string());
            }
        }
        let info = facts.images.get(tag).and_then(|info| info.as_ref().ok());
        let digest = match &image.digest {
            Some(digest) => Some(digest.clone()),
            None if !pinned => None,
            None => info.and_then(|info: &ImageInfo| info.digest.clone()),
        };
        match self.current.with_tag(tag.clone(), digest) {
            Ok(target) => self.set(target),
            Err(pinned) => ContainerDecision::keep(Reason::Pinned, pinned.to_string()),
        }
    }

    fn set(&self, target: ImageRef) -> ContainerDecision {
        if target == *self.current {
            return ContainerDecision::up_to_date(self.current);
        }
        let message = format!("{target} was asked for");
        ContainerDecision::Update { target, reason: Reason::RequestedImage, message }
    }

    fn absent(&self, facts: &RepositoryFacts, tag: &Tag) -> ContainerDecision {
        let name = &self.current.name;
        if facts.completeness.is_complete() {
            ContainerDecision::keep(Reason::ImageNotFound, format!("image \"{name}:{tag}\" does not exist"))
        } else {
            let message = format!("{name}:{tag} is not among the tags that could be listed");
            ContainerDecision::keep(Reason::Incomplete, message)
        }
    }

    fn pattern(&self, candidates: &mut Candidates<'_>) -> Result<Arc<TagPattern>, ContainerDecision> {
        let text = self.policies.pattern_text(&self.container.name);
        candidates
            .patterns
            .read(text.map_or(TagPattern::ANY, |text| &text.value))
            .map_err(|invalid| ContainerDecision::keep(Reason::InvalidPattern, invalid.to_string()))
    }

    /// Returns the container's repository; an error is the decision if it is not known.
    fn known<'f>(
        &self,
        needs: &mut Needs,
        candidates: &mut Candidates<'f>,
    ) -> Result<KnownRepository<'f>, ContainerDecision> {
        match candidates.known(&self.current.name) {
            Some(Ok(known)) => Ok(known),
            Some(Err(error)) => {
                let reason = match error.kind() {
                    ErrorKind::NotFound => Reason::RepositoryNotFound,
                    ErrorKind::Unauthorized => Reason::RegistryUnauthorized,
                    ErrorKind::Forbidden => Reason::RegistryForbidden,
                    _ => Reason::RegistryUnavailable,
                };
                Err(ContainerDecision::keep(reason, error.to_string()))
            }
            None => {
                needs.tags_of(&self.current.name);
                Err(ContainerDecision::keep(
                    Reason::Incomplete,
                    format!("the tags of {} are not known", self.current.name),
                ))
            }
        }
    }
}

/// Returns the reason of a container that a rule holds back.
fn held_by(rule: Rule) -> Reason {
    match rule {
        Rule::Downgrade => Reason::Downgrade,
        Rule::TakenBack => Reason::TakenBack,
        Rule::MinAge => Reason::TooYoung,
        Rule::Platforms => Reason::PlatformMissing,
        Rule::NoDate => Reason::NoTimestamp,
        Rule::NoDigest => Reason::Pinned,
        Rule::NotAnImage => Reason::NotAnImage,
        Rule::Gone => Reason::ImageNotFound,
        _ => Reason::UpToDate,
    }
}
