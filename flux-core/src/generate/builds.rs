//! Reading the files that kustomize builds from.

use std::collections::{BTreeMap, BTreeSet};

use super::{GeneratedManifests, Method};
use crate::{
    backend::{ContentId, Error as BackendError, Tree},
    kustomize::Build,
    manifest,
    parse_cache::CachedParser,
};

/// Reads what kustomize builds from: the builds by the paths under which they are known, and the
/// addresses of their files.
pub(crate) async fn builds(
    parser: CachedParser<'_>,
    tree: &Tree,
    generated: &BTreeMap<String, GeneratedManifests>,
) -> Result<(BTreeMap<String, Build>, BTreeMap<String, ContentId>), BackendError> {
    let built: Vec<(&String, &str)> = generated
        .iter()
        .filter(|(_, of)| of.source.method == Method::Kustomize)
        .map(|(path, of)| (path, of.source.by.as_str()))
        .collect();
    if built.is_empty() {
        return Ok(Default::default());
    }
    let address = |path: &str| Some((path.to_owned(), tree.file(path)?.clone()));
    let kustomizations: BTreeMap<String, ContentId> =
        tree.file_paths().filter(|path| manifest::is_kustomization_file(path)).filter_map(address).collect();
    let all = parser.parse_paths(&kustomizations).await?;
    let wanted: Vec<(&String, &str, BTreeSet<String>)> =
        built.into_iter().map(|(path, root)| (path, root, Build::wants(root, &all))).collect();
    let mut from = kustomizations;
    from.extend(wanted.iter().flat_map(|(_, _, wanted)| wanted).filter_map(|path| address(path)));
    let files = parser.parse_paths(&from).await?;
    let build = |(path, root, wanted): (&String, &str, BTreeSet<String>)| {
        let counts = |path: &str| wanted.contains(path) || all.contains_key(path);
        let files =
            files.iter().filter(|(path, _)| counts(path)).map(|(path, file)| (path.clone(), file.clone()));
        (path.clone(), Build { root: root.to_owned(), files: files.collect() })
    };
    Ok((wanted.into_iter().map(build).collect(), from))
}
