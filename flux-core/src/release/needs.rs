//! Needs: what must still be asked before a plan can be made.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    backend::Revision,
    image::{CanonicalName, ImageName, Tag},
    repo_path::RepoPath,
};

/// The facts that must be asked for before a plan can be made.
///
/// Empty when everything is known.
///
/// Needs come in rounds, as the answer to one question raises the next: the tags of a repository
/// tell which images must be inspected, and these which files would be edited. So
/// [`needs`](super::needs) is called again after each round of answers, until it is empty.
///
/// Where it stays non-empty although every answer was added to the [`Snapshot`](super::Snapshot),
/// look at what it names:
///
/// | field | is answered by |
/// |---|---|
/// | `tags`, `details` | an entry of `Snapshot::images`; where the registry fails, by its error |
/// | `sources` | `Snapshot::sources`, or `Snapshot::unreadable` where a text cannot be had |
/// | `past` | `Snapshot::past`; `None` there says that no history can be asked |
/// | `revisions` | `Snapshot::revisions`, with `None` for a revision that is not there |
///
/// `sources` asks for two kinds of texts: those of the files that the plan would edit, as each edit
/// is verified on the bytes it changes, and those of files with a `FluxPolicy`, as their findings
/// name lines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Needs {
    /// Repositories whose tags are needed.
    pub tags: BTreeMap<CanonicalName, ImageName>,
    /// Tags of which details are needed.
    pub details: BTreeMap<CanonicalName, (ImageName, BTreeSet<Tag>)>,
    /// Files whose text is needed.
    pub sources: BTreeSet<RepoPath>,
    /// Files whose past is needed: the commits that changed them.
    pub past: BTreeSet<RepoPath>,
    /// Revisions whose manifests are needed.
    pub revisions: BTreeSet<Revision>,
}

impl Needs {
    /// Reports that nothing needs to be asked.
    pub fn is_empty(&self) -> bool {
        self == &Self::default()
    }

    /// Adds a repository whose tags are needed.
    pub(crate) fn tags_of(&mut self, name: &ImageName) {
        self.tags.entry(name.canonical()).or_insert_with(|| name.clone());
    }

    /// Adds tags of which details are needed.
    ///
    /// Workloads of one repository mostly ask for the same ones: given in ascending order, those
    /// are only compared.
    pub(crate) fn details_of(&mut self, name: &ImageName, tags: &[Tag]) {
        if tags.is_empty() {
            return;
        }
        let (_, there) =
            self.details.entry(name.canonical()).or_insert_with(|| (name.clone(), BTreeSet::new()));
        let mut known = there.iter();
        if !tags.iter().all(|tag| known.any(|other| other == tag)) {
            there.extend(tags.iter().cloned());
        }
    }
}
