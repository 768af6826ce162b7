//! Detecting where the manifests of every git path come from.

use std::collections::BTreeSet;

use super::{
    Config, Detected, Generation, InvalidConfig, Source,
    config::invalid,
    files::RevisionFiles,
    find,
    findings::{missing_path, unused},
    owner,
    source::{folder, is_config},
};
use crate::{
    backend::Error as BackendError,
    finding::{Finding, Place},
    manifest,
    repo_path::{RepoPath, is_under},
};

/// The git paths of a revision, by where their manifests come from.
#[derive(Debug, Default)]
pub(crate) struct PathSources {
    paths: Vec<String>,
    /// For each path: set if its files are read as they stand.
    raw: Vec<bool>,
    /// The paths that are generated.
    pub(crate) generated: Vec<Source>,
    /// The findings about the files that decide it.
    pub(crate) findings: Vec<Finding>,
}

impl PathSources {
    /// Reads every `.flux.yaml` that counts.
    pub(super) async fn detect(
        generation: &Generation,
        revision: RevisionFiles<'_>,
    ) -> Result<Self, BackendError> {
        // That a `.flux.yaml` is a link makes it none that can be read, and no path without one.
        let configs = revision.tree.links().filter(|path| is_config(path));
        let files: BTreeSet<RepoPath> = revision.paths().chain(configs).cloned().collect();
        let (mut sources, mut used) = (Self::default(), BTreeSet::new());
        for (path, detected) in find(&generation.paths, &files) {
            if let Detected::FluxYaml(by) = &detected {
                used.insert(by.clone());
            }
            let exists = path.is_empty() || files.iter().any(|file| is_under(file, path));
            let source = match detected {
                _ if !exists => {
                    sources.findings.push(missing_path(path));
                    Ok(None)
                }
                // Without commands, its files are read as they stand.
                Detected::Kustomization(_) if generation.generator.is_none() => Ok(None),
                Detected::Kustomization(by) => Ok(Some(Source::of_kustomization(path, &by))),
                Detected::FluxYaml(by) => source_of(revision, path, &by).await?,
                Detected::Nothing => Ok(None),
            };
            sources.paths.push(folder(path).to_owned());
            sources.raw.push(matches!(source, Ok(None)));
            match source {
                Ok(source) => sources.generated.extend(source),
                Err(InvalidConfig(findings)) => sources.findings.extend(findings),
            }
        }
        let paths: Vec<&str> = sources.paths.iter().map(String::as_str).collect();
        let others = files.iter().filter(|file| is_config(file) && !used.contains(*file));
        let unused = others.filter_map(|file| Some(unused(file, paths[owner(file, &paths)?])));
        sources.findings.extend(unused);
        Ok(sources)
    }

    /// Returns the manifests that are read as they stand, out of all files of a tree, sorted.
    pub(crate) fn raw_manifests<'a>(
        &self,
        files: impl Iterator<Item = &'a RepoPath>,
    ) -> BTreeSet<&'a RepoPath> {
        let is_raw = self.are_raw();
        manifest::manifest_paths(files).into_iter().filter(|path| is_raw(path)).collect()
    }

    /// Returns the first of the git paths that other sources generate in another way, or read
    /// otherwise.
    pub(super) fn differs(&self, other: &Self) -> Option<&str> {
        let of = |sources: &Self, path: &str| {
            let at = sources.paths.iter().position(|p| p == path)?;
            let generated = sources.generated.iter().filter(|source| source.folder() == path).cloned();
            Some((sources.raw[at], generated.collect::<Vec<_>>()))
        };
        self.paths.iter().map(String::as_str).find(|path| of(self, path) != of(other, path))
    }

    /// Returns `true` if a file or folder under this path could hold manifests that are read as
    /// they stand.
    pub(crate) fn may_hold_manifests(&self, path: &str) -> bool {
        let manifest = [".yaml", ".yml", ".json", "/"].iter().any(|end| path.ends_with(end));
        manifest && self.are_raw()(path)
    }

    /// Returns `true` if a file or folder counts, as one that could hold manifests or as one that
    /// commands may read.
    pub(crate) fn counts(&self, path: &str) -> bool {
        let paths: Vec<&str> = self.paths.iter().map(String::as_str).collect();
        let is_generated = owner(path, &paths).is_some_and(|at| !self.raw[at]);
        is_generated
            || self.may_hold_manifests(path)
            || manifest::is_kustomization_file(path) && self.are_raw()(path)
    }

    /// Returns the test for files that are read as they stand.
    pub(crate) fn are_raw(&self) -> impl Fn(&str) -> bool {
        let paths: Vec<&str> = self.paths.iter().map(String::as_str).collect();
        move |file| owner(file, &paths).is_some_and(|at| self.raw[at])
    }
}

/// Reads the source of a git path from its `.flux.yaml`; `None` if its files are read as they
/// stand.
async fn source_of(
    revision: RevisionFiles<'_>,
    path: &str,
    by: &RepoPath,
) -> Result<Result<Option<Source>, InvalidConfig>, BackendError> {
    if !revision.over.contains_key(by) && revision.tree.is_link(by) {
        let evidence = "it is a symbolic link or a submodule, which is not followed".to_owned();
        let finding = invalid(Place::start_of(by), evidence, "put the file itself there");
        return Ok(Err(InvalidConfig(vec![finding])));
    }
    let bytes = revision.read(by).await?.unwrap_or_default();
    Ok(Config::parse(by, &bytes).and_then(|config| Source::of_config(path, by, config)))
}
