//! A kustomization of the tree, and the files that may hold one.

use serde_json::Value;

use crate::{
    backend::Tree,
    manifest::kustomization::FILES,
    repo_path::{RepoPath, join},
};

/// The most values that a kustomization may have to be checked.
///
/// Usual ones have some hundreds.
pub(super) const MAX_VALUES: usize = 50_000;

/// A kustomization of the tree.
#[derive(Debug)]
pub(super) struct Kustomization {
    pub(super) path: RepoPath,
    pub(super) object: Value,
    /// The line at which it starts in its file.
    pub(super) line: u32,
}

impl Kustomization {
    /// Returns `true` if the kustomization is too large to be checked.
    ///
    /// Checking it would take more than reading it did.
    pub(super) fn is_huge(&self) -> bool {
        let (mut left, mut values) = (MAX_VALUES, vec![&self.object]);
        while let Some(value) = values.pop() {
            let within = match value {
                Value::Array(items) => items.len(),
                Value::Object(map) => map.len(),
                _ => 0,
            };
            let Some(rest) = left.checked_sub(within) else { return true };
            left = rest;
            match value {
                Value::Array(items) => values.extend(items),
                Value::Object(map) => values.extend(map.values()),
                _ => {}
            }
        }
        false
    }

    pub(super) fn is_component(&self) -> bool {
        self.object.get("kind").is_some_and(|kind| kind == "Component")
    }
}

/// Returns the files of kustomize's names that a folder has.
pub(super) fn files_in(tree: &Tree, folder: &str) -> impl Iterator<Item = RepoPath> {
    let path = move |name| join(folder, name).parse().ok();
    FILES.into_iter().filter_map(path).filter(|path: &RepoPath| tree.file(path).is_some())
}
