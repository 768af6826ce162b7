//! Places that several built objects share, inside of the builds and elsewhere in the repository.
//!
//! Such a place is written for all of them together, or not at all.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{chain::Chains, origins::Origins};
use crate::{
    manifest::{Container, DocumentId, SharedScalar, Site, kustomization::is_file},
    repo_path::{RepoPath, folder},
};

/// Marks the documents that describe several objects.
pub(crate) fn share(origins: &mut Origins, others: &mut Others<'_>) {
    let mut users: BTreeMap<DocumentId, u32> = BTreeMap::new();
    for described in origins.values().flatten() {
        *users.entry(described.document.clone()).or_default() += 1;
    }
    for described in origins.values_mut().flatten() {
        let several = users.get(&described.document).is_some_and(|&users| users > 1);
        let path = &described.document.path;
        described.refused = match others.building(path) {
            Some(other) => Some(format!("{path} is also what {other} is built from")),
            None if several => Some(format!("several workloads are built from {path}")),
            None => None,
        };
    }
}

/// A place that containers take their image from.
pub(crate) type User = (RepoPath, usize, Option<String>);

/// The number of containers that take their image from a place.
pub(crate) type Users = BTreeMap<User, u32>;

/// The number of these containers that pass a kustomization of a build behind the place.
pub(crate) type Passing = HashMap<(User, RepoPath, usize), u32>;

/// Returns a place by its file and first byte.
///
/// Keys that are inserted at the same byte are distinguished by their pointers.
pub(crate) fn user_of(path: &RepoPath, site: &Site) -> User {
    (path.clone(), site.start, site.adds.as_ref().map(|_| site.pointer.clone()))
}

/// Returns `true` if a place can be written, be it together with others.
pub(crate) fn can_be_written(site: &Site) -> bool {
    site.refused.is_none() || site.shared.is_some()
}

/// The kustomizations of the repository that are not built here.
pub(crate) struct Others<'a> {
    chains: Chains,
    roots: BTreeSet<&'a RepoPath>,
    /// The results of earlier queries.
    known: HashMap<RepoPath, Option<RepoPath>>,
}

impl<'a> Others<'a> {
    pub(crate) fn of(chains: Chains, roots: BTreeSet<&'a RepoPath>) -> Self {
        Self { chains, roots, known: HashMap::new() }
    }

    /// Returns one of these kustomizations that a file is built into.
    fn building(&mut self, path: &RepoPath) -> Option<RepoPath> {
        if self.roots.contains(path) {
            return None;
        }
        if let Some(known) = self.known.get(path) {
            return known.clone();
        }
        let listed = if is_file(path) { folder(path) } else { path };
        let found = self.chains.outermost(listed, &self.roots).into_iter().next().cloned();
        self.known.insert(path.clone(), found.clone());
        found
    }

    /// Lets shared places be written for all of their users, or not at all.
    ///
    /// `alone` is a kustomization that only one of the users of a place passes.
    pub(crate) fn guard(
        &mut self,
        container: &mut Container,
        root: &str,
        users: &Users,
        alone: &dyn Fn(&User) -> Option<RepoPath>,
    ) {
        let Some(path) = container.origin.as_ref().map(|origin| origin.document.path.clone()) else { return };
        let other = self.building(&path);
        for site in container.sites.iter_mut().filter(|site| can_be_written(site)) {
            let user = user_of(&path, site);
            let uses = users.get(&user).copied().unwrap_or(1);
            if let Some(other) = &other {
                site.shared = None;
                site.refused = Some(format!(
                    "it stands in {path}, which {other} is built from, too: set it in the `images` of {root}"
                ));
            } else if uses > 1 {
                let written =
                    SharedScalar { start: site.start, end: site.end, source: site.source.clone(), uses };
                // The users that share the value by an anchor as well are not known here.
                site.shared = site.refused.is_none().then_some(Box::new(written));
                let or =
                    alone(&user).map(|alone| format!(", or set it for this one in the `images` of {alone}"));
                let or = or.unwrap_or_default();
                site.refused.get_or_insert_with(|| {
                    format!(
                        "it stands in {path}, which several workloads are built from: release them together{or}"
                    )
                });
            }
        }
    }
}
