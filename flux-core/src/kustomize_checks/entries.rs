//! The paths that kustomizations list: each exists, is of the right kind, and is listed once.
//!
//! Remote resources are not checked, and neither is what the tree does not show: outside of the
//! configured paths, and behind links.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    kustomization::{Kustomization, files_in},
    shape::Mistake,
};
use crate::{
    backend::{self, Tree},
    kustomize::join,
    manifest::{
        kustomization::{FILES, is_file},
        kustomization_keys::{Names, lists},
    },
    repo_path::{RepoPath, ancestors, folder, is_under},
};

/// The kinds of things that an entry may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wants {
    /// A file, or a folder with a kustomization.
    Either,
    /// A file, a folder with a kustomization, or the text itself.
    EitherOrText,
    /// A folder with a component.
    Component,
    /// A file.
    File,
    /// A file, or the text itself.
    FileOrText,
}

impl Wants {
    /// Returns `true` if the folders that are named become part of what is built.
    pub(super) fn is_built(self) -> bool {
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
pub(super) struct Entry<'a> {
    list: &'a str,
    pub(super) pointer: String,
    pub(super) text: &'a str,
    pub(super) wants: Wants,
}

/// Returns all entries of a kustomization that name paths.
pub(super) fn entries(object: &Value) -> Vec<Entry<'_>> {
    let items = |value: &Value, list: &str| value.get(list).and_then(Value::as_array).map_or(0, Vec::len);
    let mut found = Vec::new();
    let mut take = |list: &'static str, pointer: String, wants: Wants| {
        let text = match object.pointer(&pointer) {
            Some(Value::String(text)) => text,
            // kustomize reads an empty entry as the empty text.
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

/// Returns the folders within the repository that a kustomization lists.
pub(super) fn listed_folders(kustomization: &Kustomization) -> Vec<String> {
    let entries = entries(&kustomization.object);
    let folders = entries.iter().filter(|entry| !matches!(entry.wants, Wants::File | Wants::FileOrText));
    folders.filter_map(|entry| join(folder(&kustomization.path), entry.text)).collect()
}

/// Returns the mistakes in the entries of a kustomization.
pub(super) fn entry_mistakes(
    kustomization: &Kustomization,
    tree: &Tree,
    all: &BTreeMap<RepoPath, Kustomization>,
) -> Vec<Mistake> {
    let own = folder(&kustomization.path);
    let mut found = Vec::new();
    let mut before: BTreeMap<String, String> = BTreeMap::new();
    for entry in entries(&kustomization.object) {
        found.extend(entry_mistake(&entry, own, tree, all));
        let path = join(own, entry.text).filter(|_| entry.wants == Wants::Either);
        let Some(path) = path.filter(|_| !entry.text.is_empty()) else { continue };
        if let Some(first) = before.insert(path, entry.pointer.clone()) {
            let evidence = format!("{} is listed twice: it is at {first} as well", entry.text);
            found.push(Mistake::error(entry.pointer, evidence, "keep one of them"));
        }
    }
    found
}

fn entry_mistake(
    entry: &Entry<'_>,
    own: &str,
    tree: &Tree,
    all: &BTreeMap<RepoPath, Kustomization>,
) -> Option<Mistake> {
    let Entry { list, ref pointer, text, wants } = *entry;
    let error = |evidence: String, remedy: &str| Some(Mistake::error(&**pointer, evidence, remedy));
    let may_be_text = matches!(wants, Wants::EitherOrText | Wants::FileOrText);
    if may_be_text && (text.contains('\n') || text.trim_start().starts_with('{')) {
        return None;
    }
    // In a generator of config maps, the path may follow a key.
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
        let evidence = format!("{text} leads out of the repository, or of the folder that is looked at");
        return Some(Mistake::warning(&**pointer, evidence, "keep what it lists in the repository"));
    };
    match at(tree, &path) {
        At::Unseen => None,
        At::Nothing if is_remote(text) => None,
        At::Nothing => {
            let other = other_ending(&path).filter(|other| at(tree, other) == At::File);
            let remedy = other.map(|other| format!("did you mean {other}?"));
            let evidence = format!("{path} is not in the repository");
            error(evidence, remedy.as_deref().unwrap_or("add it, or take the entry away"))
        }
        At::File if wants == Wants::Component => {
            error(format!("{path} is a file"), "list the folder of a component")
        }
        At::File if is_file(&path) && matches!(wants, Wants::Either | Wants::EitherOrText) => {
            error(format!("{path} is a kustomization, and no object"), "list its folder")
        }
        At::File if !is_under(&path, own) => {
            let evidence =
                format!("{path} is outside of the kustomization's folder: kustomize refuses it by default");
            let remedy = "list its folder, with a kustomization there, or keep a copy beside this one";
            Some(Mistake::warning(&**pointer, evidence, remedy))
        }
        At::File => None,
        At::Folder if matches!(wants, Wants::File | Wants::FileOrText) => {
            error(format!("{path} is a folder"), "name a file")
        }
        At::Folder if is_under(own, &path) => error(
            format!("{text} holds the kustomization itself"),
            "take the entry away: it leads round in a circle",
        ),
        At::Folder => folder_mistake(entry, &path, tree, all),
    }
}

/// Returns the mistake of an entry that lists a folder, by the kustomization there.
fn folder_mistake(
    entry: &Entry<'_>,
    path: &str,
    tree: &Tree,
    all: &BTreeMap<RepoPath, Kustomization>,
) -> Option<Mistake> {
    let Some(file) = files_in(tree, path).next() else {
        let is_hidden = FILES.iter().any(|name| tree.hides(&format!("{path}/{name}")));
        let evidence = format!("the folder {path} has no kustomization.yaml");
        let remedy = "add one, or list the folder's files one by one";
        return (tree.covers(path) && !is_hidden).then(|| Mistake::error(&*entry.pointer, evidence, remedy));
    };
    let (is_component, wants_one) = (all.get(&file)?.is_component(), entry.wants == Wants::Component);
    if is_component == wants_one || !entry.wants.is_built() {
        return None;
    }
    let (evidence, remedy) = match wants_one {
        true => {
            (format!("{file} is no component"), "list it in `resources`, or write `kind: Component` there")
        }
        false => (format!("{file} is a component"), "list it in `components`"),
    };
    Some(Mistake::error(&*entry.pointer, evidence, remedy))
}

/// The kinds of things that the tree may have at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    File,
    Folder,
    Nothing,
    /// Nothing that the tree shows; it would not show it if it existed.
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

/// Returns the same name with the other ending that is often confused with it.
fn other_ending(path: &str) -> Option<String> {
    let (stem, ending) = path.rsplit_once('.')?;
    let other = match ending {
        "yml" => "yaml",
        "yaml" => "yml",
        _ => return None,
    };
    Some(format!("{stem}.{other}"))
}

/// Returns `true` if an entry is a remote address, as far as the text shows.
///
/// It is a URL, `host:path`, or a path that begins with the name of a host.
fn is_remote(text: &str) -> bool {
    let (first, rest) = text.split_once('/').unwrap_or((text, ""));
    let is_host = !rest.is_empty() && !first.starts_with('.') && first.contains('.');
    is_host || text.contains("://") || text.contains("?ref=") || first.contains(':') || text.contains(".git/")
}
