//! Cycles of kustomizations that list each other.

use std::collections::BTreeMap;

use super::{entries::entries, kustomization::Kustomization, mistakes::Mistakes, shape::Mistake};
use crate::{
    kustomize::join,
    repo_path::{RepoPath, folder, is_under},
};

/// Returns the mistakes of the entries that close a cycle of several kustomizations, by the paths
/// of these.
pub(super) fn cycles(all: &BTreeMap<RepoPath, Kustomization>) -> BTreeMap<&RepoPath, Mistakes> {
    let by_folder: BTreeMap<&str, &RepoPath> = all.keys().rev().map(|path| (path.folder(), path)).collect();
    let mut search = CycleSearch { state: BTreeMap::new(), found: BTreeMap::new() };
    for path in all.keys() {
        search.start_at(path, all, &by_folder);
    }
    search.found
}

/// A search along the folders that kustomizations list.
struct CycleSearch<'a> {
    state: BTreeMap<&'a RepoPath, State>,
    found: BTreeMap<&'a RepoPath, Mistakes>,
}

/// The progress of the search at a kustomization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The search is still below it, at this index of the way.
    On(usize),
    Done,
}

/// A kustomization on the way, with the folders that it lists and that are not searched yet.
type Step<'a> = (&'a RepoPath, std::vec::IntoIter<(String, &'a RepoPath)>);

impl<'a> CycleSearch<'a> {
    fn start_at(
        &mut self,
        start: &'a RepoPath,
        all: &'a BTreeMap<RepoPath, Kustomization>,
        by_folder: &BTreeMap<&'a str, &'a RepoPath>,
    ) {
        let lists = |path: &RepoPath| -> Vec<(String, &'a RepoPath)> {
            let Some(kustomization) = all.get(path) else { return Vec::new() };
            let entries = entries(&kustomization.object).into_iter();
            entries
                .filter(|entry| entry.wants.is_built())
                .filter_map(|entry| {
                    let to = by_folder.get(join(folder(path), entry.text)?.as_str())?;
                    // Listing a folder around one's own is a separate mistake.
                    (!is_under(folder(path), folder(to))).then_some((entry.pointer, *to))
                })
                .collect()
        };
        if self.state.contains_key(start) {
            return;
        }
        // An explicit stack, as chains may be long.
        let mut way: Vec<Step<'a>> = vec![(start, lists(start).into_iter())];
        self.state.insert(start, State::On(0));
        while let Some((path, rest)) = way.last_mut() {
            let path = *path;
            let Some((pointer, to)) = rest.next() else {
                self.state.insert(path, State::Done);
                way.pop();
                continue;
            };
            match self.state.get(to) {
                Some(State::Done) => {}
                None => {
                    self.state.insert(to, State::On(way.len()));
                    way.push((to, lists(to).into_iter()));
                }
                Some(&State::On(at)) => {
                    let round = way.get(at..).unwrap_or_default();
                    self.found.entry(path).or_default().add(|| circle(pointer, round));
                }
            }
        }
    }
}

/// The most paths of a cycle that are named.
const MAX_NAMED: usize = 10;

/// Returns the mistake of the entry that leads from the last of these back to the first.
fn circle(pointer: String, round: &[Step<'_>]) -> Mistake {
    let path = |step: &Step<'_>| step.0.to_string();
    let mut paths: Vec<String> = match round.len().checked_sub(MAX_NAMED) {
        None | Some(0) => round.iter().map(path).collect(),
        Some(more) => {
            // The first ones, and the one that leads back.
            let (first, last) = (round.iter().take(MAX_NAMED - 1), round.last());
            first.map(path).chain([format!("{more} more")]).chain(last.map(path)).collect()
        }
    };
    paths.extend(round.first().map(path));
    let evidence = format!("it leads round in a circle: {}", paths.join(" → "));
    Mistake::error(pointer, evidence, "take one of these out of the other's lists")
}
