//! Candidates: the tags of each repository as patterns order them, worked out once a plan, however
//! many workloads ask.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use jiff::Timestamp;

use super::{
    registry_findings::equal_dates,
    snapshot::{ImageFacts, RepositoryFacts},
};
use crate::{
    backend::Error as BackendError,
    finding::Finding,
    image::{CanonicalName, DatePreference, Dates, ImageName, Tag},
    policy::{CandidateSet, Listing, Patterns, Seen, TagPattern, Tagged},
};

/// The patterns and the sets of candidates that one plan has needed so far.
#[derive(Debug)]
pub(super) struct Candidates<'a> {
    images: &'a ImageFacts,
    now: Timestamp,
    pub(super) patterns: Patterns,
    /// The repositories that were asked for, by their names as written.
    names: HashMap<ImageName, Option<Result<KnownRepository<'a>, &'a BackendError>>>,
    /// Those whose tags are known, by their canonical names, as indexes into `repositories`.
    canonical: HashMap<&'a CanonicalName, usize>,
    repositories: Vec<Repository<'a>>,
}

#[derive(Debug)]
struct Repository<'a> {
    name: &'a CanonicalName,
    facts: &'a RepositoryFacts,
    listing: Option<Arc<Listing<'a>>>,
    /// By the texts of patterns, and by which dates count first.
    sets: BTreeMap<(String, DatePreference), CandidateSet<'a>>,
}

/// A repository whose tags are known.
#[derive(Clone, Copy, Debug)]
pub(super) struct KnownRepository<'a> {
    index: usize,
    pub(super) facts: &'a RepositoryFacts,
}

impl<'a> Candidates<'a> {
    pub(super) fn of(images: &'a ImageFacts, now: Timestamp) -> Self {
        Self {
            images,
            now,
            patterns: Patterns::default(),
            names: HashMap::new(),
            canonical: HashMap::new(),
            repositories: Vec::new(),
        }
    }

    /// Returns a repository; `None` if it was not asked.
    pub(super) fn known(
        &mut self,
        name: &ImageName,
    ) -> Option<Result<KnownRepository<'a>, &'a BackendError>> {
        if let Some(known) = self.names.get(name) {
            return *known;
        }
        let known = self.images.repositories.get_key_value(&name.canonical());
        let known = known.map(|(name, known)| known.as_ref().map(|facts| self.repository(name, facts)));
        self.names.insert(name.clone(), known);
        known
    }

    fn repository(&mut self, name: &'a CanonicalName, facts: &'a RepositoryFacts) -> KnownRepository<'a> {
        let index = *self.canonical.entry(name).or_insert_with(|| {
            self.repositories.push(Repository { name, facts, listing: None, sets: BTreeMap::new() });
            self.repositories.len() - 1
        });
        KnownRepository { index, facts }
    }

    /// Returns the tags of a repository.
    pub(super) fn listing(&mut self, known: KnownRepository<'a>) -> &Listing<'a> {
        self.repositories[known.index].listing()
    }

    /// Returns the candidates among them, in the order of a pattern; `label_dates` says that the
    /// dates of labels count first, as they do for whole repositories too.
    pub(super) fn set(
        &mut self,
        known: KnownRepository<'a>,
        pattern: &Arc<TagPattern>,
        label_dates: bool,
    ) -> &CandidateSet<'a> {
        let prefer = if label_dates { DatePreference::Labels } else { known.facts.dates };
        let dates = Dates { prefer, now: self.now };
        let repository = &mut self.repositories[known.index];
        let listing = Arc::clone(repository.listing());
        let new = || CandidateSet::new(Arc::clone(pattern), listing, dates);
        repository.sets.entry((pattern.as_str().to_owned(), prefer)).or_insert_with(new)
    }

    /// Returns the findings about the sets that were made: newest candidates that dates do not tell
    /// apart.
    pub(super) fn findings(&self) -> impl Iterator<Item = Finding> {
        let sets = self
            .repositories
            .iter()
            .flat_map(|repository| repository.sets.values().map(|set| (repository.name, set)));
        sets.filter_map(|(name, set)| {
            let (built, tags) = set.undistinguished()?;
            Some(equal_dates(name, set.pattern(), built, &tags))
        })
    }
}

impl<'a> Repository<'a> {
    fn listing(&mut self) -> &Arc<Listing<'a>> {
        self.listing.get_or_insert_with(|| Arc::new(listing(self.facts)))
    }
}

/// Returns the tags of a repository with the known facts about each.
fn listing(facts: &RepositoryFacts) -> Listing<'_> {
    // Both in ascending order, so that one pass finds the facts of all tags.
    let mut tags: Vec<&Tag> = facts.tags.iter().collect();
    tags.sort_unstable();
    let mut images = facts.images.iter().peekable();
    let tagged = tags.into_iter().map(|tag| {
        while images.next_if(|(other, _)| *other < tag).is_some() {}
        let seen = images.peek().filter(|(other, _)| *other == tag);
        Tagged { tag, seen: seen.map_or(Seen::NotAsked, |(_, image)| Seen::from(*image)) }
    });
    Listing::new(tagged, facts.completeness.is_complete())
}
