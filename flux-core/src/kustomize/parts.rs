//! The files that kustomizations name as parts of their own: patches, replacements, sources of
//! config maps, configurations of plugins.
//!
//! They look like manifests, and describe no objects: a patch is a part of an object, with the same
//! name as the whole.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::Value;

use super::chain::join;
use crate::{
    finding::{Code, Finding, Place},
    manifest::{
        ParsedFile, Resource,
        kustomization::{is_file, is_kustomization},
        kustomization_keys::{Names, lists},
    },
    repo_path::{RepoPath, folder},
};

/// Lists of parts.
///
/// The files that `crds` names may be objects as well.
const PARTS: [Names; 3] = [Names::Configuration, Names::Plugins, Names::Patches];

/// The files that are parts of kustomizations and nothing else.
#[derive(Clone, Debug, Default)]
pub(crate) struct PartFiles {
    all: BTreeSet<RepoPath>,
    /// The patches among them that name the object that they patch.
    patches: BTreeSet<RepoPath>,
}

impl PartFiles {
    pub(crate) fn contains(&self, path: &str) -> bool {
        self.all.contains(path)
    }

    /// Returns the patches whose objects are not among these.
    ///
    /// The objects are given by group, kind and name.
    pub(crate) fn alone(
        &self,
        files: &BTreeMap<RepoPath, Arc<ParsedFile>>,
        described: &BTreeSet<(&str, &str, &str)>,
    ) -> Vec<Finding> {
        let of_file = |path: &RepoPath| {
            let alone = |patch: &&Resource| {
                !described.contains(&(patch.group(), patch.kind.as_str(), patch.name.as_str()))
            };
            let finding = |patch: &Resource| {
                Finding {
                code: Code::PatchAlone,
                subject: patch.name.clone(),
                place: Some(Place::in_file(path, patch.position)),
                evidence: format!(
                    "a kustomization names it as a patch, and no file that is loaded describes the {} itself",
                    patch.kind
                ),
                remedy: "list the file of the object in `resources`; if this is the object, list it there and not as a patch"
                    .to_owned(),
            }
            };
            files
                .get(path)
                .into_iter()
                .flat_map(|file| &file.resources)
                .filter(alone)
                .map(finding)
                .collect::<Vec<_>>()
        };
        self.patches.iter().flat_map(of_file).collect()
    }
}

/// Returns the files that are parts of kustomizations and nothing else.
pub(crate) fn parts(files: &BTreeMap<RepoPath, Arc<ParsedFile>>) -> PartFiles {
    let (mut parts, mut patches, mut objects) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for (path, file) in files.iter().filter(|(path, _)| is_file(path)) {
        let Some(kustomization) = file.resources.iter().find(|resource| is_kustomization(resource)) else {
            continue;
        };
        let object = kustomization.object.value();
        let items = |list| object.get(list).and_then(Value::as_array).into_iter().flatten();
        let named = |text: &Value| join(folder(path), text.as_str()?);
        parts.extend(PARTS.into_iter().flat_map(lists).flat_map(items).filter_map(named));
        parts.extend(lists(Names::AtPath).flat_map(items).filter_map(|item| named(item.get("path")?)));
        let texts = |item: &Value, key: &str| -> Vec<String> {
            let texts =
                item.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
            texts.map(|text| text.split_once('=').map_or(text, |(_, path)| path).to_owned()).collect()
        };
        // A source of a config map may look like a manifest, `kind` and all.
        let sources = lists(Names::Sources)
            .flat_map(items)
            .flat_map(|item| [texts(item, "files"), texts(item, "envs")]);
        parts.extend(sources.flatten().filter_map(|text| join(folder(path), &text)));
        patches.extend(lists(Names::Patches).flat_map(items).filter_map(named));
        let untargeted = items("patches").filter(|item| item.get("target").is_none());
        patches.extend(untargeted.filter_map(|item| named(item.get("path")?)));
        // A file that is also listed as a resource describes objects.
        objects.extend(lists(Names::Objects).flat_map(items).filter_map(named));
    }
    let loaded = |path: &String| files.get_key_value(path.as_str()).map(|(path, _)| path.clone());
    parts.retain(|path| !is_file(path) && !objects.contains(path));
    patches.retain(|path| parts.contains(path));
    PartFiles {
        all: parts.iter().filter_map(loaded).collect(),
        patches: patches.iter().filter_map(loaded).collect(),
    }
}
