//! What is known of repositories, as patterns order it: worked out once in the making of a plan, however many workloads ask.

use std::{collections::BTreeMap, sync::Arc};

use super::{ImageFacts, RepositoryFacts};
use crate::{
    backend::Error,
    image::{CanonicalName, ImageName},
    policy::{Field, Listing, Patterns, Seen, TagPattern, Tagged},
};

/// The patterns and fields that one plan has needed so far.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    images: &'a ImageFacts,
    pub(super) patterns: Patterns,
    repositories: BTreeMap<&'a CanonicalName, Repository<'a>>,
}

#[derive(Debug)]
struct Repository<'a> {
    listing: Arc<Listing<'a>>,
    /// By the texts of patterns.
    fields: BTreeMap<String, Field<'a>>,
}

/// A repository whose tags are known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known<'a> {
    name: &'a CanonicalName,
    pub(super) facts: &'a RepositoryFacts,
}

impl<'a> Fields<'a> {
    pub(super) fn of(images: &'a ImageFacts) -> Self {
        Self { images, patterns: Patterns::default(), repositories: BTreeMap::new() }
    }

    /// What is known of a repository; none if it was not asked.
    pub(super) fn known(&self, name: &ImageName) -> Option<Result<Known<'a>, &'a Error>> {
        let (name, known) = self.images.repositories.get_key_value(&name.canonical())?;
        Some(known.as_ref().map(|facts| Known { name, facts }))
    }

    /// The tags of a repository.
    pub(super) fn listing(&mut self, known: Known<'a>) -> &Listing<'a> {
        &self.repository(known).listing
    }

    /// What a pattern makes of them.
    pub(super) fn field(&mut self, known: Known<'a>, pattern: &Arc<TagPattern>) -> &Field<'a> {
        let Repository { listing, fields } = self.repository(known);
        fields
            .entry(pattern.as_str().to_owned())
            .or_insert_with(|| Field::new(Arc::clone(pattern), Arc::clone(listing)))
    }

    fn repository(&mut self, known: Known<'a>) -> &mut Repository<'a> {
        self.repositories.entry(known.name).or_insert_with(|| Repository {
            listing: Arc::new(listing(known.facts)),
            fields: BTreeMap::new(),
        })
    }
}

/// The tags of a repository with what is known of each.
fn listing(facts: &RepositoryFacts) -> Listing<'_> {
    let seen = |tag| facts.images.get(tag).map_or(Seen::NotAsked, Seen::from);
    let tags = facts.tags.iter().map(|tag| Tagged { tag, seen: seen(tag) });
    Listing::new(tags, facts.completeness.is_complete())
}
