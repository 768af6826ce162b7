//! Reading kustomizations: the requested ones, and all that they list.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use super::{
    entries::listed_folders,
    kustomization::{Kustomization, MAX_VALUES, files_in},
    mistakes::finding,
    shape::Mistake,
};
use crate::{
    backend::{ContentId, Error as BackendError, Tree},
    finding::{Code, Finding, Place, Problem},
    manifest::{ParsedFile, is_kustomization},
    parse_cache::{CachedParser, read_texts},
    position::Position,
    repo_path::RepoPath,
    yaml,
};

/// The kustomizations that count.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// The kustomizations by their paths.
    pub(super) all: BTreeMap<RepoPath, Kustomization>,
    /// The folders that they list.
    pub(super) listed: BTreeSet<String>,
    /// The findings about files of kustomize's names that hold no kustomization.
    pub(super) broken: Vec<Finding>,
    /// The findings about kustomizations that are too large to be checked.
    pub(super) huge: Vec<Finding>,
}

/// Reads these kustomizations and all that they list.
pub(super) async fn gather(
    parser: CachedParser<'_>,
    tree: &Tree,
    mut next: BTreeSet<RepoPath>,
    known: &HashMap<ContentId, Arc<ParsedFile>>,
) -> Result<Gathered, BackendError> {
    let (mut gathered, mut seen) = (Gathered::default(), BTreeSet::new());
    while !next.is_empty() {
        let (found, broken) = read(parser, tree, &next, known).await?;
        gathered.broken.extend(broken);
        seen.append(&mut next);
        for kustomization in found {
            if kustomization.is_huge() {
                gathered.huge.push(too_large(kustomization));
                continue;
            }
            for folder in listed_folders(&kustomization) {
                next.extend(files_in(tree, &folder).filter(|path| !seen.contains(path)));
                gathered.listed.insert(folder);
            }
            gathered.all.insert(kustomization.path.clone(), kustomization);
        }
    }
    Ok(gathered)
}

/// Reads the kustomizations of these files.
///
/// The findings are about files that hold none.
async fn read(
    parser: CachedParser<'_>,
    tree: &Tree,
    paths: &BTreeSet<RepoPath>,
    known: &HashMap<ContentId, Arc<ParsedFile>>,
) -> Result<(Vec<Kustomization>, Vec<Finding>), BackendError> {
    let ids = paths.iter().filter_map(|path| tree.file(path));
    let parsed = parser.parse(ids.filter(|id| !known.contains_key(*id))).await?.files;
    let file = |path: &RepoPath| {
        let id = tree.file(path)?;
        known.get(id).or_else(|| parsed.get(id))
    };
    let (mut found, mut broken, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
    for (path, file) in paths.iter().filter_map(|path| Some((path, file(path)?))) {
        match file.resources.iter().find(|resource| is_kustomization(resource)) {
            Some(resource) => found.push(Kustomization {
                path: path.clone(),
                object: resource.object.value(),
                line: resource.position.line,
            }),
            None if unreadable(file).next().is_some() => broken.extend(
                unreadable(file)
                    .map(|problem| Finding { code: Code::InvalidKustomization, ..problem.at(path) }),
            ),
            None => unknown.push(path),
        }
    }
    for (path, text) in read_texts(parser.repo, |path| tree.file(path).cloned(), unknown).await? {
        let document = match yaml::first_document(text.as_bytes()) {
            Ok(document) => document,
            Err(problem) => {
                broken.push(Finding { code: Code::InvalidKustomization, ..problem.at(&path) });
                continue;
            }
        };
        let line = document.places.first_line().unwrap_or(1);
        found.push(Kustomization { path, object: document.value, line });
    }
    Ok((found, broken))
}

/// Returns the problems that keep a file from being read at all.
fn unreadable(file: &ParsedFile) -> impl Iterator<Item = &Problem> {
    let codes = [Code::InvalidYaml, Code::TooLarge, Code::Template, Code::Encrypted];
    file.problems.iter().filter(move |problem| codes.contains(&problem.code))
}

fn too_large(kustomization: Kustomization) -> Finding {
    let Kustomization { path, line, .. } = kustomization;
    let evidence = format!("it has more than {MAX_VALUES} values, and is not checked");
    let mistake = Mistake::warning("", evidence, "divide it into kustomizations of several folders");
    finding(mistake, Place::in_file(path, Position { line, column: 1 }))
}
