//! The modules of a crate: the file of each, the names it has, and the paths that it uses.

use std::{
    collections::BTreeMap,
    path::{Component, Path, PathBuf},
};

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{Attribute, Expr, ExprLit, Item, ItemMacro, ItemMod, ItemUse, Lit, Meta, UseTree, Visibility};

use crate::{
    crates::{CrateRoot, read},
    problem::Error,
    tokens::{Body, only_in_tests, plain},
};

/// The index of a module in its tree; the root of the crate is 0.
pub(crate) type ModuleId = usize;

/// A crate, as its files have it.
#[derive(Default)]
pub(crate) struct ModuleTree {
    /// The folder of the crate's root file, relative to the workspace.
    pub(crate) folder: String,
    /// The modules, parents before their children.
    pub(crate) modules: Vec<Module>,
    /// `macro_rules!` definitions by name, and the files that have them.
    pub(crate) macros: BTreeMap<String, String>,
}

/// A module: a file, or a part of one in braces.
#[derive(Default)]
pub(crate) struct Module {
    /// The file that has the module's items, relative to the workspace.
    pub(crate) file: String,
    pub(crate) parent: Option<ModuleId>,
    pub(crate) children: BTreeMap<String, ModuleId>,
    /// The names of the items that are defined here, modules and imports left out.
    pub(crate) items: BTreeMap<String, String>,
    pub(crate) imports: Vec<Import>,
    pub(crate) body: Body,
}

/// A leaf of a `use` declaration.
#[derive(Debug)]
pub(crate) struct Import {
    /// The imported path, the last name of which is left out for a glob.
    pub(crate) path: Vec<String>,
    /// The name in this module; `None` for a glob.
    pub(crate) name: Option<String>,
    /// `true` for `pub use` of any reach: a re-export, which needs nothing by itself.
    pub(crate) is_public: bool,
    pub(crate) line: usize,
}

/// A file in which further modules are looked for.
#[derive(Clone)]
struct Place {
    file: String,
    /// The folder of the files of modules that are declared here.
    folder: PathBuf,
}

impl ModuleTree {
    /// Reads the crate whose root file is `entry`, below the workspace `root`.
    pub(crate) fn read(root: &Path, entry: &CrateRoot) -> Result<Self, Error> {
        let folder = Path::new(&entry.file).parent().unwrap_or(Path::new("")).to_path_buf();
        let mut tree = Self { folder: text(&folder), ..Self::default() };
        tree.add_file(root, &Place { file: entry.file.clone(), folder }, None)?;
        Ok(tree)
    }

    fn add_file(&mut self, root: &Path, place: &Place, parent: Option<ModuleId>) -> Result<ModuleId, Error> {
        let source = read(root, &place.file)?;
        let parsed = syn::parse_file(&source).map_err(|error| Error::Syntax {
            file: place.file.clone(),
            line: error.span().start().line,
            message: error.to_string(),
        })?;
        self.add_module(root, place, parent, parsed.items)
    }

    fn add_module(
        &mut self,
        root: &Path,
        place: &Place,
        parent: Option<ModuleId>,
        items: Vec<Item>,
    ) -> Result<ModuleId, Error> {
        let id = self.modules.len();
        self.modules.push(Module { file: place.file.clone(), parent, ..Module::default() });
        for item in items {
            let (name, attributes) = signature(&item);
            if only_in_tests(attributes) {
                continue;
            }
            if let Some(name) = name {
                self.modules[id].items.insert(name, place.file.clone());
            }
            match item {
                Item::Mod(item) => self.add_declared(root, place, id, item)?,
                Item::Use(item) => self.modules[id].imports.extend(leaves(&item)),
                Item::Macro(item) => self.add_macro(place, id, item),
                item => self.modules[id].body.read(tokens(&item)),
            }
        }
        let inner = std::mem::take(&mut self.modules[id].body.uses);
        self.modules[id].imports.extend(inner.iter().flat_map(leaves));
        Ok(id)
    }

    fn add_declared(&mut self, root: &Path, place: &Place, id: ModuleId, item: ItemMod) -> Result<(), Error> {
        let name = plain(&item.ident);
        let child = match item.content {
            Some((_, items)) => {
                let inline = Place { file: place.file.clone(), folder: place.folder.join(&name) };
                self.add_module(root, &inline, Some(id), items)?
            }
            None => {
                let line = item.ident.span().start().line;
                let missing =
                    || Error::MissingModule { file: place.file.clone(), line, module: name.clone() };
                let found = module_file(root, place, &name, &item.attrs).ok_or_else(missing)?;
                self.add_file(root, &found, Some(id))?
            }
        };
        self.modules[id].children.insert(name, child);
        Ok(())
    }

    fn add_macro(&mut self, place: &Place, id: ModuleId, item: ItemMacro) {
        if let Some(name) = &item.ident {
            let name = plain(name);
            self.macros.insert(name.clone(), place.file.clone());
            if item.attrs.iter().any(|attribute| attribute.path().is_ident("macro_export")) {
                self.modules[0].items.insert(name, place.file.clone());
            }
        }
        self.modules[id].body.read(tokens(&Item::Macro(item)));
    }
}

/// Returns the file of a module that is declared in `place`.
fn module_file(root: &Path, place: &Place, name: &str, attributes: &[Attribute]) -> Option<Place> {
    if let Some(path) = attributes.iter().find_map(path_attribute) {
        let file = normal(&Path::new(&place.file).parent()?.join(path));
        let folder = file.parent()?.to_path_buf();
        return root.join(&file).is_file().then(|| Place { file: text(&file), folder });
    }
    let folder = place.folder.join(name);
    let candidates = [place.folder.join(format!("{name}.rs")), folder.join("mod.rs")];
    let file = candidates.into_iter().find(|file| root.join(file).is_file())?;
    Some(Place { file: text(&file), folder })
}

/// Returns the value of `#[path = "…"]`.
fn path_attribute(attribute: &Attribute) -> Option<String> {
    match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    }
}

/// Resolves `..` in a path without looking at the disk.
fn normal(path: &Path) -> PathBuf {
    let mut parts = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(parts.pop()),
            Component::CurDir => {}
            part => parts.push(part),
        }
    }
    parts
}

fn text(path: &Path) -> String {
    path.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

fn tokens(item: &Item) -> TokenStream {
    let mut tokens = TokenStream::new();
    item.to_tokens(&mut tokens);
    tokens
}

/// Returns the name that an item defines, and its attributes.
fn signature(item: &Item) -> (Option<String>, &[Attribute]) {
    match item {
        Item::Const(item) => (Some(plain(&item.ident)), &item.attrs),
        Item::Enum(item) => (Some(plain(&item.ident)), &item.attrs),
        Item::ExternCrate(item) => (None, &item.attrs),
        Item::Fn(item) => (Some(plain(&item.sig.ident)), &item.attrs),
        Item::ForeignMod(item) => (None, &item.attrs),
        Item::Impl(item) => (None, &item.attrs),
        Item::Macro(item) => (item.ident.as_ref().map(plain), &item.attrs),
        Item::Mod(item) => (None, &item.attrs),
        Item::Static(item) => (Some(plain(&item.ident)), &item.attrs),
        Item::Struct(item) => (Some(plain(&item.ident)), &item.attrs),
        Item::Trait(item) => (Some(plain(&item.ident)), &item.attrs),
        Item::TraitAlias(item) => (Some(plain(&item.ident)), &item.attrs),
        Item::Type(item) => (Some(plain(&item.ident)), &item.attrs),
        Item::Union(item) => (Some(plain(&item.ident)), &item.attrs),
        Item::Use(item) => (None, &item.attrs),
        _ => (None, &[]),
    }
}

/// Returns the imports of a `use` declaration, one for each name.
fn leaves(item: &ItemUse) -> Vec<Import> {
    let mut imports = Vec::new();
    if item.leading_colon.is_none() {
        let is_public = !matches!(item.vis, Visibility::Inherited);
        add_leaves(&item.tree, &mut Vec::new(), is_public, &mut imports);
    }
    imports
}

fn add_leaves(tree: &UseTree, prefix: &mut Vec<String>, is_public: bool, imports: &mut Vec<Import>) {
    let mut add = |path: Vec<String>, name: Option<String>, line: usize| {
        imports.push(Import { path, name, is_public, line });
    };
    let with = |prefix: &[String], name: String| {
        let own = name == "self" && !prefix.is_empty();
        prefix.iter().cloned().chain((!own).then_some(name)).collect::<Vec<_>>()
    };
    match tree {
        UseTree::Path(path) => {
            prefix.push(plain(&path.ident));
            add_leaves(&path.tree, prefix, is_public, imports);
            prefix.pop();
        }
        UseTree::Name(name) => {
            let path = with(prefix, plain(&name.ident));
            let last = path.last().cloned();
            add(path, last, name.ident.span().start().line);
        }
        UseTree::Rename(rename) => {
            let line = rename.ident.span().start().line;
            add(with(prefix, plain(&rename.ident)), Some(plain(&rename.rename)), line);
        }
        UseTree::Glob(glob) => add(prefix.clone(), None, glob.star_token.spans[0].start().line),
        UseTree::Group(group) => {
            for tree in &group.items {
                add_leaves(tree, prefix, is_public, imports);
            }
        }
    }
}
