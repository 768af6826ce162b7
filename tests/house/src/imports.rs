//! Imports between the files of a crate, each charged to the file that defines what is imported.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    module_tree::{Module, ModuleId, ModuleTree},
    tokens::PathUse,
};

/// For each importing file and imported file, the first line that imports and what it names.
pub(crate) type Imports = BTreeMap<(String, String), Site>;

/// The place of an import.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Site {
    /// The line, from 1.
    pub(crate) line: usize,
    /// The path as it is written.
    pub(crate) path: String,
}

/// Returns the imports between the files of `tree`.
pub(crate) fn imports(tree: &ModuleTree) -> Imports {
    let mut found = Imports::new();
    for (id, module) in tree.modules.iter().enumerate() {
        let mut add = |files: BTreeSet<String>, line: usize, path: &[String]| {
            for file in files.into_iter().filter(|file| *file != module.file) {
                let site = Site { line, path: path.join("::") };
                let first = found.entry((module.file.clone(), file)).or_insert_with(|| site.clone());
                *first = site.min(first.clone());
            }
        };
        for import in module.imports.iter().filter(|import| !import.is_public) {
            add(resolve(tree, id, &import.path, &mut Seen::new()).files, import.line, &import.path);
        }
        for path in module.body.paths.iter().filter(|path| is_likely_item(module, path)) {
            add(used(tree, id, path), path.line, &path.segments);
        }
    }
    found
}

/// Returns `false` for a single lower-case name that is neither called nor defined as an import: it
/// is most likely a variable.
fn is_likely_item(module: &Module, path: &PathUse) -> bool {
    let [name] = path.segments.as_slice() else { return true };
    let is_private_import =
        module.imports.iter().any(|import| !import.is_public && import.name.as_ref() == Some(name));
    is_private_import || path.is_call || path.is_macro || name.starts_with(char::is_uppercase)
}

fn used(tree: &ModuleTree, id: ModuleId, path: &PathUse) -> BTreeSet<String> {
    let files = resolve(tree, id, &path.segments, &mut Seen::new()).files;
    match path.segments.as_slice() {
        [name] if files.is_empty() && path.is_macro => tree.macros.get(name).cloned().into_iter().collect(),
        _ => files,
    }
}

/// The targets of a path: modules, and the files that define other items of that name.
#[derive(Debug, Default)]
struct Named {
    modules: BTreeSet<ModuleId>,
    files: BTreeSet<String>,
}

impl Named {
    fn module(id: ModuleId) -> Self {
        Self { modules: BTreeSet::from([id]), files: BTreeSet::new() }
    }

    fn is_empty(&self) -> bool {
        self.modules.is_empty() && self.files.is_empty()
    }

    fn add(&mut self, other: Self) {
        self.modules.extend(other.modules);
        self.files.extend(other.files);
    }
}

/// The names that are being looked up, so that re-exports in a circle end.
type Seen = BTreeSet<(ModuleId, String)>;

/// Resolves `path` as it stands in the module `id`.
///
/// The result has no modules and no files for what other crates define.
fn resolve(tree: &ModuleTree, id: ModuleId, path: &[String], seen: &mut Seen) -> Named {
    let mut rest = path.iter();
    let mut named = match rest.next().map(String::as_str) {
        Some("crate") => Named::module(0),
        Some("self") => Named::module(id),
        Some("super") => tree.modules[id].parent.map(Named::module).unwrap_or_default(),
        Some(name) => look_up(tree, id, name, seen),
        None => Named::default(),
    };
    for name in rest {
        let mut next = Named::default();
        for module in &named.modules {
            next.add(match name.as_str() {
                "super" => tree.modules[*module].parent.map(Named::module).unwrap_or_default(),
                name => look_up(tree, *module, name, seen),
            });
        }
        if next.is_empty() {
            // The name is a variant, an associated item, or nothing that can be found.
            return Named { modules: BTreeSet::new(), files: named.files };
        }
        named = next;
    }
    named
}

/// Looks `name` up in the module `id`: its items and children, its imports, then its globs.
fn look_up(tree: &ModuleTree, id: ModuleId, name: &str, seen: &mut Seen) -> Named {
    let mut named = Named::default();
    if !seen.insert((id, name.to_owned())) {
        return named;
    }
    let module = &tree.modules[id];
    named.modules.extend(module.children.get(name));
    named.files.extend(module.items.get(name).cloned());
    for import in module.imports.iter().filter(|import| import.name.as_deref() == Some(name)) {
        named.add(resolve(tree, id, &import.path, seen));
    }
    if named.is_empty() {
        for glob in module.imports.iter().filter(|import| import.name.is_none()) {
            let globbed = resolve(tree, id, &glob.path, &mut Seen::from([(id, name.to_owned())])).modules;
            for module in globbed {
                named.add(look_up(tree, module, name, seen));
            }
        }
    }
    seen.remove(&(id, name.to_owned()));
    named
}
