//! The paths that are manifests by their names.

use std::collections::BTreeSet;

use super::kustomization;
use crate::repo_path::{ancestors, split};

/// The names of folders whose files are never manifests.
const NEVER_FOLDERS: [&str; 6] = [".git", ".github", ".gitlab", ".gitea", ".forgejo", ".circleci"];
/// The names of files that configure tools and are no manifests.
const NEVER_FILES: [&str; 2] = [".flux.yaml", ".sops.yaml"];

/// Returns the paths that are manifests by their names, in the order given, out of all paths of a
/// tree.
///
/// These are `.yaml`, `.yml` and `.json` files outside of chart folders (those that hold both
/// `Chart.yaml` and `values.yaml`, with all that is below), and kustomizations by their names,
/// whose `images:` count. `.flux.yaml`, `.sops.yaml` and the files that a forge or CI service keeps
/// in its own folder describe no objects and are left out as well.
pub fn manifest_paths<'a, P: AsRef<str> + ?Sized>(all: impl Iterator<Item = &'a P>) -> Vec<&'a P> {
    let all: Vec<&'a P> = all.collect();
    let folders_with = |file: &str| -> BTreeSet<&'a str> {
        all.iter()
            .map(|&path| split(path.as_ref()))
            .filter(|(_, name)| *name == file)
            .map(|(folder, _)| folder)
            .collect()
    };
    let (with_chart, with_values) = (folders_with("Chart.yaml"), folders_with("values.yaml"));
    let charts: BTreeSet<&str> = with_chart.intersection(&with_values).copied().collect();
    all.into_iter().filter(|path| is_manifest(path.as_ref(), &charts)).collect()
}

fn is_manifest(path: &str, charts: &BTreeSet<&str>) -> bool {
    let (folder, name) = split(path);
    let named = name
        .rsplit_once('.')
        .is_some_and(|(stem, extension)| !stem.is_empty() && matches!(extension, "yaml" | "yml" | "json"));
    (named || kustomization::is_file(path))
        && !NEVER_FILES.contains(&name)
        && !folder.split('/').any(|part| NEVER_FOLDERS.contains(&part))
        && !ancestors(folder).any(|folder| charts.contains(folder))
}
