//! What kustomizations list: whether it is there, of the right kind, listed once, and does not lead back.
//!
//! Remote resources are taken for granted, and so is what the tree does not tell of: outside of the configured paths, and behind links.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Kustomization, Wrong, in_folder};
use crate::{
    backend::{self, Tree},
    manifest::kustomize::{FILES, Mistake, Names, is_file, join, lists},
    path::{ancestors, folder, is_under},
};

/// What an entry may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wants {
    /// A file, or a folder with a kustomization.
    Either,
    /// The same, or the text itself.
    EitherOrText,
    /// A folder with a component.
    Component,
    /// A file.
    File,
    /// A file, or the text itself.
    FileOrText,
}

impl Wants {
    /// Whether the folders that are named become part of what is built.
    fn is_built(self) -> bool {
        matches!(self, Self::Either | Self::Component)
    }
}

/// The lists of paths, by what they name and in the order in which they are looked through.
const LISTS: [(Names, Wants); 6] = [
    (Names::Objects, Wants::Either),
    (Names::Components, Wants::Component),
    (Names::Kinds, Wants::File),
    (Names::Configuration, Wants::File),
    (Names::Plugins, Wants::EitherOrText),
    (Names::Patches, Wants::FileOrText),
];

/// An entry that names a path.
#[derive(Debug)]
struct Entry<'a> {
    list: &'a str,
    pointer: String,
    text: &'a str,
    wants: Wants,
}

/// All entries of a kustomization that name paths.
fn entries(object: &Value) -> Vec<Entry<'_>> {
    let items = |value: &Value, list: &str| value.get(list).and_then(Value::as_array).map_or(0, Vec::len);
    let mut found = Vec::new();
    let mut take = |list: &'static str, pointer: String, wants: Wants| {
        let text = match object.pointer(&pointer) {
            Some(Value::String(text)) => text,
            // As kustomize has it, an entry that says nothing is one of no letters.
            Some(Value::Null) if !pointer.ends_with("path") => "",
            _ => return,
        };
        found.push(Entry { list, pointer, text, wants });
    };
    for (names, wants) in LISTS {
        for list in lists(names) {
            (0..items(object, list)).for_each(|at| take(list, format!("/{list}/{at}"), wants));
        }
    }
    for list in lists(Names::AtPath) {
        (0..items(object, list)).for_each(|at| take(list, format!("/{list}/{at}/path"), Wants::File));
    }
    for list in lists(Names::Sources) {
        for at in 0..items(object, list) {
            take(list, format!("/{list}/{at}/env"), Wants::File);
            for key in ["files", "envs"] {
                let of = object.pointer(&format!("/{list}/{at}")).map_or(0, |item| items(item, key));
                (0..of).for_each(|i| take(list, format!("/{list}/{at}/{key}/{i}"), Wants::File));
            }
        }
    }
    take("openapi", "/openapi/path".to_owned(), Wants::File);
    found
}

/// The folders within the repository that a kustomization lists.
pub(super) fn folders(kustomization: &Kustomization) -> Vec<String> {
    let entries = entries(&kustomization.object);
    let folders = entries.iter().filter(|entry| !matches!(entry.wants, Wants::File | Wants::FileOrText));
    folders.filter_map(|entry| join(folder(&kustomization.path), entry.text)).collect()
}

/// What is wrong with the entries of a kustomization.
pub(super) fn mistakes(
    kustomization: &Kustomization,
    tree: &Tree,
    all: &BTreeMap<String, Kustomization>,
) -> Vec<Mistake> {
    let own = folder(&kustomization.path);
    let mut found = Vec::new();
    let mut before: BTreeMap<String, String> = BTreeMap::new();
    for entry in entries(&kustomization.object) {
        found.extend(mistake(&entry, own, tree, all));
        let path = join(own, entry.text).filter(|_| entry.wants == Wants::Either);
        let Some(path) = path.filter(|_| !entry.text.is_empty()) else { continue };
        if let Some(first) = before.insert(path, entry.pointer.clone()) {
            let said = format!("{} is listed twice: it is at {first} as well", entry.text);
            found.push(Mistake::error(entry.pointer, said, "keep one of them"));
        }
    }
    found
}

fn mistake(
    entry: &Entry<'_>,
    own: &str,
    tree: &Tree,
    all: &BTreeMap<String, Kustomization>,
) -> Option<Mistake> {
    let Entry { list, ref pointer, text, wants } = *entry;
    let error = |said: String, remedy: &str| Some(Mistake::error(&**pointer, said, remedy));
    let may_be_text = matches!(wants, Wants::EitherOrText | Wants::FileOrText);
    if may_be_text && (text.contains('\n') || text.trim_start().starts_with('{')) {
        return None;
    }
    // Of a generator of config maps, with the key it is for.
    let text = match text.split_once('=') {
        Some((_, path)) if pointer.contains("/files/") => path,
        _ => text,
    };
    if text.is_empty() {
        let taken = wants == Wants::EitherOrText;
        return if taken { None } else { error(format!("an entry of `{list}` is empty"), "take it away") };
    }
    if text.starts_with('/') {
        return error(format!("{text} is absolute"), "write a path relative to the kustomization");
    }
    let Some(path) = join(own, text) else {
        if is_remote(text) {
            return None;
        }
        let said = format!("{text} leads out of the repository, or of the folder that is looked at");
        return Some(Mistake::warning(&**pointer, said, "keep what it lists in the repository"));
    };
    match at(tree, &path) {
        At::Unseen => None,
        At::Nothing if is_remote(text) => None,
        At::Nothing => {
            let other = other_ending(&path).filter(|other| at(tree, other) == At::File);
            let remedy = other.map(|other| format!("did you mean {other}?"));
            let said = format!("{path} is not in the repository");
            error(said, remedy.as_deref().unwrap_or("add it, or take the entry away"))
        }
        At::File if wants == Wants::Component => {
            error(format!("{path} is a file"), "list the folder of a component")
        }
        At::File if is_file(&path) && matches!(wants, Wants::Either | Wants::EitherOrText) => {
            error(format!("{path} is a kustomization, and no object"), "list its folder")
        }
        At::File if !is_under(&path, own) => {
            let said =
                format!("{path} is outside of the kustomization's folder: kustomize refuses it by default");
            let remedy = "list its folder, with a kustomization there, or keep a copy beside this one";
            Some(Mistake::warning(&**pointer, said, remedy))
        }
        At::File => None,
        At::Folder if matches!(wants, Wants::File | Wants::FileOrText) => {
            error(format!("{path} is a folder"), "name a file")
        }
        At::Folder if is_under(own, &path) => error(
            format!("{text} holds the kustomization itself"),
            "take the entry away: it leads round in a circle",
        ),
        At::Folder => in_that(entry, &path, tree, all),
    }
}

/// What is wrong with the kustomization in a folder that is listed.
fn in_that(
    entry: &Entry<'_>,
    path: &str,
    tree: &Tree,
    all: &BTreeMap<String, Kustomization>,
) -> Option<Mistake> {
    let Some(file) = in_folder(tree, path).next() else {
        let is_hidden = FILES.iter().any(|name| tree.hides(&format!("{path}/{name}")));
        let said = format!("the folder {path} has no kustomization.yaml");
        let remedy = "add one, or list the folder's files one by one";
        return (tree.covers(path) && !is_hidden).then(|| Mistake::error(&*entry.pointer, said, remedy));
    };
    let (is_component, wants_one) = (all.get(&file)?.is_component(), entry.wants == Wants::Component);
    if is_component == wants_one || !entry.wants.is_built() {
        return None;
    }
    let (said, remedy) = match wants_one {
        true => {
            (format!("{file} is no component"), "list it in `resources`, or write `kind: Component` there")
        }
        false => (format!("{file} is a component"), "list it in `components`"),
    };
    Some(Mistake::error(&*entry.pointer, said, remedy))
}

/// What the tree has at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    File,
    Folder,
    Nothing,
    /// It would not tell of it.
    Unseen,
}

fn at(tree: &Tree, path: &str) -> At {
    if tree.file(path).is_some() {
        return At::File;
    }
    let is_there = |entry: &backend::Entry| {
        matches!(entry, backend::Entry::File { .. } | backend::Entry::Unreadable { .. })
    };
    let has_some = tree.below(path).any(|(_, entry)| is_there(entry));
    if path.is_empty() || has_some {
        return At::Folder;
    }
    let is_hidden = ancestors(path).any(|path| tree.hides(path));
    let holds_some = tree.roots().iter().any(|root| is_under(root, path));
    if is_hidden || holds_some || !tree.covers(path) { At::Unseen } else { At::Nothing }
}

/// The same name as people confuse it.
fn other_ending(path: &str) -> Option<String> {
    let (stem, ending) = path.rsplit_once('.')?;
    let other = match ending {
        "yml" => "yaml",
        "yaml" => "yml",
        _ => return None,
    };
    Some(format!("{stem}.{other}"))
}

/// Whether an entry is an address elsewhere, as far as can be told: a URL, `host:path`, or a path that begins with the name of a host.
fn is_remote(text: &str) -> bool {
    let (first, rest) = text.split_once('/').unwrap_or((text, ""));
    let is_host = !rest.is_empty() && !first.starts_with('.') && first.contains('.');
    is_host || text.contains("://") || text.contains("?ref=") || first.contains(':') || text.contains(".git/")
}

/// The entries that close a circle of several kustomizations, by the paths of these.
pub(super) fn cycles(all: &BTreeMap<String, Kustomization>) -> BTreeMap<&str, Wrong> {
    let by_folder: BTreeMap<&str, &str> =
        all.keys().rev().map(|path| (folder(path), path.as_str())).collect();
    let mut circles = Walk { state: BTreeMap::new(), found: BTreeMap::new() };
    for path in all.keys() {
        circles.from(path, all, &by_folder);
    }
    circles.found
}

/// A walk along what kustomizations list.
struct Walk<'a> {
    state: BTreeMap<&'a str, State>,
    found: BTreeMap<&'a str, Wrong>,
}

/// How far the walk is with a kustomization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Still below it: where it stands on the way.
    On(usize),
    Done,
}

/// A kustomization on the way, with what it lists and is not walked yet.
type Step<'a> = (&'a str, std::vec::IntoIter<(String, &'a str)>);

impl<'a> Walk<'a> {
    fn from(
        &mut self,
        start: &'a str,
        all: &'a BTreeMap<String, Kustomization>,
        by_folder: &BTreeMap<&'a str, &'a str>,
    ) {
        let lists = |path: &str| -> Vec<(String, &'a str)> {
            let Some(kustomization) = all.get(path) else { return Vec::new() };
            let entries = entries(&kustomization.object).into_iter();
            entries
                .filter(|entry| entry.wants.is_built())
                .filter_map(|entry| {
                    let to = by_folder.get(join(folder(path), entry.text)?.as_str())?;
                    // A folder around its own is told of by itself.
                    (!is_under(folder(path), folder(to))).then_some((entry.pointer, *to))
                })
                .collect()
        };
        if self.state.contains_key(start) {
            return;
        }
        // A stack of its own: chains may be long.
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

/// The paths that are told of a circle.
const ROUND: usize = 10;

/// The mistake of the entry that leads from the last of these back to the first.
fn circle(pointer: String, round: &[Step<'_>]) -> Mistake {
    let path = |step: &Step<'_>| step.0.to_owned();
    let mut told: Vec<String> = match round.len().checked_sub(ROUND) {
        None | Some(0) => round.iter().map(path).collect(),
        Some(more) => {
            // The first ones, and the one that leads back.
            let (first, last) = (round.iter().take(ROUND - 1), round.last());
            first.map(path).chain([format!("{more} more")]).chain(last.map(path)).collect()
        }
    };
    told.extend(round.first().map(path));
    let said = format!("it leads round in a circle: {}", told.join(" → "));
    Mistake::error(pointer, said, "take one of these out of the other's lists")
}

#[cfg(test)]
mod tests;
