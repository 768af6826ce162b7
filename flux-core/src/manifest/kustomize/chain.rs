//! Which kustomizations govern a file, the innermost first.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use serde_json::Value;

use super::{is_file, is_kustomization};
use crate::manifest::{Elsewhere, ParsedFile, Resource};

/// The lists of a kustomization that name files and folders.
const LISTS: [&str; 3] = ["resources", "bases", "components"];

/// The kustomizations of a repository and what they list.
#[derive(Debug, Default)]
pub(super) struct Chains {
    /// By path and the index of the document in its file.
    all: Vec<(String, usize)>,
    /// Which kustomizations list a file or a folder.
    listed: HashMap<String, Vec<usize>>,
}

impl Chains {
    pub(super) fn of(files: &BTreeMap<String, Arc<ParsedFile>>) -> Self {
        let mut chains = Self::default();
        for (path, file) in files.iter().filter(|(path, _)| is_file(path)) {
            let Some(index) = file.resources.iter().position(is_kustomization) else { continue };
            let at = chains.all.len();
            chains.all.push((path.clone(), index));
            let lists = LISTS.iter().filter_map(|list| file.resources[index].object.get(list)?.as_array());
            for listed in lists.flatten().filter_map(Value::as_str) {
                if let Some(listed) = join(folder(path), listed) {
                    let by = chains.listed.entry(listed).or_default();
                    if !by.contains(&at) {
                        by.push(at);
                    }
                }
            }
        }
        chains
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The kustomizations themselves.
    pub(super) fn documents<'a>(
        &self,
        files: &'a BTreeMap<String, Arc<ParsedFile>>,
    ) -> impl Iterator<Item = &'a Resource> {
        self.all.iter().map(|(path, index)| &files[path].resources[*index])
    }

    /// The path of a kustomization.
    pub(super) fn path(&self, at: usize) -> &str {
        &self.all[at].0
    }

    /// A kustomization as the place where an image is set.
    pub(super) fn elsewhere(&self, at: usize) -> Elsewhere {
        let (path, resource) = self.all[at].clone();
        Elsewhere { path, resource, pointer: String::new() }
    }

    /// The kustomizations that govern a file, the innermost first, up to where several list the same; and these. None if there are none.
    pub(super) fn chain(&self, file: &str) -> Option<(Vec<usize>, Vec<usize>)> {
        let mut by = self.listed.get(file)?;
        let mut chain = Vec::new();
        loop {
            match by.as_slice() {
                [one] if chain.contains(one) => return Some((chain, Vec::new())),
                [one] => chain.push(*one),
                several => return Some((chain, several.to_vec())),
            }
            let outer = chain.last().and_then(|&at| self.listed.get(folder(self.path(at))));
            match outer {
                Some(outer) => by = outer,
                None => return Some((chain, Vec::new())),
            }
        }
    }
}

/// The folder of a path.
pub(crate) fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// A path that a kustomization in `folder` lists, from the root of the repository; none if it leads out of it.
pub(crate) fn join(folder: &str, listed: &str) -> Option<String> {
    if listed.contains("://") || listed.starts_with('/') {
        return None;
    }
    let mut steps: Vec<&str> = folder.split('/').filter(|step| !step.is_empty()).collect();
    for step in listed.split('/') {
        match step {
            "" | "." => {}
            ".." => drop(steps.pop()?),
            step => steps.push(step),
        }
    }
    Some(steps.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_listed_is_found_from_the_root() {
        let table = [
            ("", "web.yaml", Some("web.yaml")),
            ("a/b", "./web.yaml", Some("a/b/web.yaml")),
            ("a/b", "../base/", Some("a/base")),
            ("a", "..", Some("")),
            ("a", "../..", None),
            ("a", "https://example.com/x", None),
            ("a", "/etc", None),
        ];
        for (folder, listed, path) in table {
            assert_eq!(join(folder, listed).as_deref(), path, "{folder} {listed}");
        }
    }
}
