//! Candidates: the tags of each repository as patterns order them, worked out once a plan, however
//! many workloads ask.

use std::{collections::BTreeMap, sync::Arc};

use super::snapshot::{ImageFacts, RepositoryFacts};
use crate::{
    backend::Error as BackendError,
    image::{CanonicalName, ImageName, Tag},
    policy::{CandidateSet, Listing, Patterns, Seen, TagPattern, Tagged},
};

/// The patterns and the sets of candidates that one plan has needed so far.
#[derive(Debug)]
pub(super) struct Candidates<'a> {
    images: &'a ImageFacts,
    pub(super) patterns: Patterns,
    repositories: BTreeMap<&'a CanonicalName, Repository<'a>>,
}

#[derive(Debug)]
struct Repository<'a> {
    listing: Arc<Listing<'a>>,
    /// By the texts of patterns.
    sets: BTreeMap<String, CandidateSet<'a>>,
}

/// A repository whose tags are known.
#[derive(Clone, Copy, Debug)]
pub(super) struct KnownRepository<'a> {
    name: &'a CanonicalName,
    pub(super) facts: &'a RepositoryFacts,
}

impl<'a> Candidates<'a> {
    pub(super) fn of(images: &'a ImageFacts) -> Self {
        Self { images, patterns: Patterns::default(), repositories: BTreeMap::new() }
    }

    /// Returns a repository; `None` if it was not asked.
    pub(super) fn known(&self, name: &ImageName) -> Option<Result<KnownRepository<'a>, &'a BackendError>> {
        let (name, known) = self.images.repositories.get_key_value(&name.canonical())?;
        Some(known.as_ref().map(|facts| KnownRepository { name, facts }))
    }

    /// Returns the tags of a repository.
    pub(super) fn listing(&mut self, known: KnownRepository<'a>) -> &Listing<'a> {
        &self.repository(known).listing
    }

    /// Returns the candidates among them, in the order of a pattern.
    pub(super) fn set(&mut self, known: KnownRepository<'a>, pattern: &Arc<TagPattern>) -> &CandidateSet<'a> {
        let Repository { listing, sets } = self.repository(known);
        sets.entry(pattern.as_str().to_owned())
            .or_insert_with(|| CandidateSet::new(Arc::clone(pattern), Arc::clone(listing)))
    }

    fn repository(&mut self, known: KnownRepository<'a>) -> &mut Repository<'a> {
        self.repositories
            .entry(known.name)
            .or_insert_with(|| Repository { listing: Arc::new(listing(known.facts)), sets: BTreeMap::new() })
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
