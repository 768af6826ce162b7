//! The kustomizations that govern a file, the innermost first.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use serde_json::Value;

use crate::{
    manifest::{
        DocumentId, ImageOrigin, ParsedFile, Resource,
        kustomization::{is_file, is_kustomization},
        kustomization_keys::{Names, lists},
    },
    position::Position,
    repo_path::{RepoPath, folder, resolve},
};

/// The lists that a kustomization is built from, in the order in which kustomize reads them.
///
/// Components change all that the kustomization has by then.
const BUILT: [Names; 2] = [Names::Objects, Names::Components];

/// The depth to which components are followed into components, and the number of kustomizations and
/// components that a way out may have.
///
/// kustomize applies a component as often as it is reached, and a few lines can make that more
/// often than any machine can do.
const DEPTH: usize = 64;
const LONGEST: usize = 1_000;

/// The number of ways out of a file that are followed.
const MOST_WAYS: usize = 100;

/// The kustomizations of a repository and what they list.
#[derive(Debug, Default)]
pub(crate) struct Chains {
    /// The kustomizations.
    all: Vec<DocumentId>,
    /// The kustomizations that list a file or a folder.
    listed: HashMap<String, Vec<Listing>>,
    /// The kustomizations by their folders.
    by_folder: HashMap<String, usize>,
    /// The folders of the components that each kustomization lists, in their order.
    components: Vec<Vec<String>>,
    /// The files that each kustomization names as patches.
    patches: Vec<Vec<String>>,
    /// The kustomizations that name a file as a patch.
    patched: HashMap<String, Vec<usize>>,
}

/// The kustomizations that govern a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Chain {
    /// The kustomizations in the order in which they apply.
    ///
    /// The innermost is the first. Each comes after the components that it lists, which are
    /// repeated as often as they are reached.
    pub(crate) through: Vec<usize>,
    /// The kustomizations that list the outermost of these, if there are several.
    pub(crate) fork: Vec<usize>,
    /// `true` if there are more kustomizations than are followed.
    pub(crate) cut: bool,
}

/// An entry of a kustomization that lists a file or a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Listing {
    by: usize,
    /// The number of the component, if the entry is one of `components`.
    component: Option<usize>,
}

impl Chain {
    fn add(&mut self, at: usize) {
        if self.through.len() < LONGEST {
            self.through.push(at);
        } else {
            self.cut = true;
        }
    }
}

impl Chains {
    pub(crate) fn of(files: &BTreeMap<RepoPath, Arc<ParsedFile>>) -> Self {
        Self::among(files, |_| true)
    }

    /// Returns the chains of the kustomizations with these paths only.
    pub(crate) fn among(files: &BTreeMap<RepoPath, Arc<ParsedFile>>, counts: impl Fn(&str) -> bool) -> Self {
        let mut chains = Self::default();
        for (path, file) in files.iter().filter(|(path, _)| is_file(path) && counts(path)) {
            let Some(index) = file.resources.iter().position(is_kustomization) else { continue };
            let by = chains.all.len();
            chains.all.push(DocumentId::new(path.clone(), index));
            chains.by_folder.entry(folder(path).to_owned()).or_insert(by);
            let mut components = Vec::new();
            for (names, listed) in listed(path, &file.resources[index]) {
                let component = (names == Names::Components).then_some(components.len());
                if component.is_some() {
                    components.push(listed.clone());
                }
                let listings = chains.listed.entry(listed).or_default();
                // The listings by one kustomization stand together.
                if listings.last().is_none_or(|listing| listing.by != by) {
                    listings.push(Listing { by, component });
                }
            }
            chains.components.push(components);
            let patches: Vec<String> = patches(path, &file.resources[index]);
            for patch in &patches {
                chains.patched.entry(patch.clone()).or_default().push(by);
            }
            chains.patches.push(patches);
        }
        chains
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Returns the kustomizations themselves.
    pub(crate) fn documents<'a>(
        &self,
        files: &'a BTreeMap<RepoPath, Arc<ParsedFile>>,
    ) -> impl Iterator<Item = &'a Resource> {
        self.all.iter().filter_map(|document| document.find(files))
    }

    /// Returns the numbers of the kustomizations for which something holds.
    #[cfg(feature = "deployer")]
    pub(crate) fn those(
        &self,
        files: &BTreeMap<RepoPath, Arc<ParsedFile>>,
        holds: impl Fn(&Resource) -> bool,
    ) -> BTreeSet<usize> {
        let found =
            self.all.iter().enumerate().filter(|(_, document)| document.find(files).is_some_and(&holds));
        found.map(|(at, _)| at).collect()
    }

    /// Returns the path of a kustomization.
    pub(crate) fn path(&self, at: usize) -> &RepoPath {
        &self.all[at].path
    }

    /// Returns the files that a kustomization names as patches.
    pub(crate) fn patches(&self, at: usize) -> &[String] {
        &self.patches[at]
    }

    /// Returns a kustomization as the place where an image is set.
    pub(crate) fn origin(&self, at: usize) -> ImageOrigin {
        let (document, position) = (self.all[at].clone(), Position::START);
        ImageOrigin { document, pointer: String::new(), position, name: String::new() }
    }

    /// Returns all kustomizations that list a file, or a folder that it is built from.
    #[cfg(feature = "deployer")]
    pub(crate) fn all_around(&self, file: &str) -> BTreeSet<usize> {
        let (mut around, mut next) = (BTreeSet::new(), vec![file]);
        while let Some(path) = next.pop() {
            for listing in self.listed.get(path).into_iter().flatten() {
                if around.insert(listing.by) {
                    next.push(folder(self.path(listing.by)));
                }
            }
        }
        around
    }

    /// Returns the kustomizations that govern a file; `None` if there are none.
    ///
    /// They end where several kustomizations list the same.
    pub(crate) fn chain(&self, file: &str) -> Option<Chain> {
        let mut outer = self.listed.get(file)?;
        let (mut chain, mut seen) = (Chain::default(), BTreeSet::new());
        loop {
            match outer.as_slice() {
                [one] if !seen.insert(one.by) => return Some(chain),
                [one] => {
                    self.pass(*one, &mut chain);
                    match self.listed.get(folder(self.path(one.by))) {
                        Some(next) => outer = next,
                        None => return Some(chain),
                    }
                }
                several => {
                    chain.fork = several.iter().map(|listing| listing.by).collect();
                    return Some(chain);
                }
            }
        }
    }

    /// Returns all ways out from a file, for a file that is built several times.
    ///
    /// The result is `None` if there are none, or more than are followed.
    pub(crate) fn ways(&self, file: &str) -> Option<Vec<Chain>> {
        let start = self.listed.get(file)?;
        let mut next: Vec<(Listing, Chain, Vec<usize>)> =
            start.iter().map(|one| (*one, Chain::default(), Vec::new())).collect();
        let mut ways = Vec::new();
        while let Some((listing, mut chain, mut seen)) = next.pop() {
            if seen.contains(&listing.by) {
                continue;
            }
            seen.push(listing.by);
            self.pass(listing, &mut chain);
            if ways.len() + next.len() >= MOST_WAYS || seen.len() >= LONGEST {
                return None;
            }
            match self.listed.get(folder(self.path(listing.by))) {
                Some(outer) => next.extend(outer.iter().map(|one| (*one, chain.clone(), seen.clone()))),
                None => ways.push(chain),
            }
        }
        Some(ways)
    }

    /// Adds a kustomization to the chain and goes on outwards.
    ///
    /// The objects that a component adds are changed by itself and by the components behind it.
    fn pass(&self, Listing { by, component }: Listing, chain: &mut Chain) {
        self.components_of(&mut vec![by], component.map_or(0, |at| at + 1), chain);
        chain.add(by);
    }

    /// Adds the components of the last kustomization on a way, from one on, each after its own
    /// components.
    fn components_of(&self, way: &mut Vec<usize>, first: usize, chain: &mut Chain) {
        let Some(components) = way.last().map(|&of| &self.components[of]) else { return };
        for component in components.iter().skip(first).filter_map(|folder| self.by_folder.get(folder)) {
            // kustomize refuses to build a cycle.
            if chain.cut || way.contains(component) {
                continue;
            }
            if way.len() >= DEPTH {
                chain.cut = true;
                return;
            }
            way.push(*component);
            self.components_of(way, 0, chain);
            way.pop();
            chain.add(*component);
        }
    }

    /// Returns the outermost kustomizations that a file or folder is built into, as a resource or
    /// as a patch.
    ///
    /// The search stops at the kustomizations in `stops`, which do not count.
    pub(crate) fn outermost(&self, path: &str, stops: &BTreeSet<&RepoPath>) -> BTreeSet<&RepoPath> {
        let by = |path: &str| self.listed.get(path).into_iter().flatten().map(|listing| listing.by);
        let as_patch = self.patched.get(path).into_iter().flatten().copied();
        let mut next: Vec<usize> = by(path).chain(as_patch).collect();
        let (mut found, mut seen) = (BTreeSet::new(), BTreeSet::new());
        while let Some(at) = next.pop() {
            let path = self.path(at);
            if !seen.insert(at) || stops.contains(path) {
                continue;
            }
            match self.listed.get(folder(path)) {
                Some(outer) => next.extend(outer.iter().map(|listing| listing.by)),
                None => drop(found.insert(path)),
            }
        }
        found
    }

    /// Returns the kustomizations that one is built from, itself among them.
    ///
    /// The second set has these with the files and folders that they list, and their patches.
    pub(crate) fn reach(&self, root: &str) -> (BTreeSet<RepoPath>, BTreeSet<String>) {
        let mut lists: Vec<Vec<&String>> = vec![Vec::new(); self.all.len()];
        for (path, listings) in &self.listed {
            listings.iter().for_each(|listing| lists[listing.by].push(path));
        }
        let (mut through, mut wanted) = (BTreeSet::new(), BTreeSet::new());
        let mut next: Vec<usize> =
            self.all.iter().position(|document| document.path == root).into_iter().collect();
        while let Some(at) = next.pop() {
            if through.insert(self.path(at).clone()) {
                next.extend(lists[at].iter().filter_map(|listed| self.by_folder.get(*listed)));
                wanted.extend(lists[at].iter().copied().chain(&self.patches[at]).cloned());
            }
        }
        wanted.extend(through.iter().map(String::from));
        (through, wanted)
    }
}

/// Returns the files and folders of the repository that a kustomization lists, in their order.
///
/// Each comes with what its list names.
fn listed<'a>(path: &'a str, kustomization: &'a Resource) -> impl Iterator<Item = (Names, String)> + 'a {
    let folder = folder(path);
    let object = kustomization.object.value();
    let built = BUILT.into_iter().flat_map(|names| lists(names).map(move |list| (names, list)));
    built.flat_map(move |(names, list)| {
        let entries = object.get(list).and_then(Value::as_array).into_iter().flatten();
        let entries: Vec<_> = entries.filter_map(Value::as_str).map(str::to_owned).collect();
        entries.into_iter().filter_map(move |listed| Some((names, join(folder, &listed)?)))
    })
}

/// Returns the files that a kustomization names as patches.
fn patches(path: &str, kustomization: &Resource) -> Vec<String> {
    let object = kustomization.object.value();
    let list = |key: &str| object.get(key).and_then(Value::as_array).into_iter().flatten();
    let named = list("patches").filter_map(|patch| patch.get("path")).chain(list("patchesStrategicMerge"));
    named.filter_map(Value::as_str).filter_map(|patch| join(folder(path), patch)).collect()
}

/// Returns the path from the root of the repository of an entry of a kustomization in `folder`.
///
/// It is `None` if the entry leads out of the repository.
pub(crate) fn join(folder: &str, listed: &str) -> Option<String> {
    if listed.contains("://") { None } else { resolve(folder, listed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_elsewhere_is_no_path() {
        for (listed, path) in
            [("../base", Some("base")), ("https://example.com/x", None), ("ssh://x/y", None)]
        {
            assert_eq!(join("a", listed).as_deref(), path, "{listed}");
        }
    }
}
