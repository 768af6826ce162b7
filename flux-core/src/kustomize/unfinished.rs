//! Files whose objects are not what kustomize would make of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::chain::Chains;
use crate::{manifest::ParsedFile, repo_path::RepoPath};

/// The fields of a kustomization that leave what it lists as it stands, but for its images, which
/// are set without a run of kustomize as well.
const KEEPS: [&str; 11] = [
    "apiVersion",
    "bases",
    "buildMetadata",
    "configurations",
    "crds",
    "images",
    "kind",
    "metadata",
    "openapi",
    "resources",
    "sortOptions",
];

/// Returns the files that kustomizations list, at any depth, which change more of them than images.
pub(crate) fn unfinished(files: &BTreeMap<RepoPath, Arc<ParsedFile>>) -> BTreeSet<&RepoPath> {
    let chains = Chains::of(files);
    if chains.is_empty() {
        return BTreeSet::new();
    }
    let changes = chains.those(files, |kustomization| {
        let object = kustomization.object.value();
        object.as_object().is_some_and(|fields| fields.keys().any(|key| !KEEPS.contains(&key.as_str())))
    });
    let is_changed = |path: &&RepoPath| !chains.all_around(path).is_disjoint(&changes);
    files.keys().filter(is_changed).collect()
}
