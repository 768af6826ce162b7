//! Reading the files that kustomize builds from.

use std::collections::{BTreeMap, BTreeSet};

use super::{GeneratedManifests, Method};
use crate::{
    backend::{ContentId, Error as BackendError, Tree},
    kustomize::Build,
    manifest,
    parse_cache::CachedParser,
    repo_path::RepoPath,
};

/// Reads what kustomize builds from: the builds by the paths under which they are known, and the
/// addresses of their files.
pub(crate) async fn builds(
    parser: CachedParser<'_>,
    tree: &Tree,
    generated: &BTreeMap<RepoPath, GeneratedManifests>,
) -> Result<(BTreeMap<RepoPath, Build>, BTreeMap<RepoPath, ContentId>), BackendError> {
    let built: Vec<(&RepoPath, &RepoPath)> = generated
        .iter()
        .filter(|(_, of)| of.source.method == Method::Kustomize)
        .map(|(path, of)| (path, &of.source.by))
        .collect();
    if built.is_empty() {
        return Ok(Default::default());
    }
    let is_kustomization = |(path, _): &(&RepoPath, _)| manifest::is_kustomization_file(path);
    let kustomizations: BTreeMap<RepoPath, ContentId> =
        tree.files().filter(is_kustomization).map(|(path, id)| (path.clone(), id.clone())).collect();
    let all = parser.parse_paths(&kustomizations).await?;
    let wanted: Vec<(&RepoPath, &RepoPath, BTreeSet<String>)> =
        built.into_iter().map(|(path, root)| (path, root, Build::wants(root, &all))).collect();
    // A path that is none is that of no file.
    let address = |path: &str| Some((path.parse().ok()?, tree.file(path)?.clone()));
    let mut from = kustomizations;
    from.extend(wanted.iter().flat_map(|(_, _, wanted)| wanted).filter_map(|path| address(path)));
    let files = parser.parse_paths(&from).await?;
    let build = |(path, root, wanted): (&RepoPath, &RepoPath, BTreeSet<String>)| {
        let counts = |path: &str| wanted.contains(path) || all.contains_key(path);
        let files =
            files.iter().filter(|(path, _)| counts(path)).map(|(path, file)| (path.clone(), file.clone()));
        (path.clone(), Build { root: root.clone(), files: files.collect() })
    };
    Ok((wanted.into_iter().map(build).collect(), from))
}
