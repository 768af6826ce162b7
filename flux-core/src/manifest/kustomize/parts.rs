//! The files that kustomizations name as parts of their own: patches, replacements, configurations of plugins. They look like manifests, and describe no
//! objects: a patch is half of one, of the same name as the whole.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::Value;

use super::{
    chain::{folder, join},
    is_file, is_kustomization,
};
use crate::manifest::ParsedFile;

/// Lists of files, or of texts that stand for one.
const FILES: [&str; 5] =
    ["patchesStrategicMerge", "configurations", "generators", "transformers", "validators"];

/// Lists of mappings with the path of a file.
const WITH_PATH: [&str; 3] = ["patches", "patchesJson6902", "replacements"];

/// Lists of what is built: a file that is in one of these, too, describes objects.
const OBJECTS: [&str; 2] = ["resources", "bases"];

/// The files that are parts of kustomizations and nothing else.
pub(in crate::manifest) fn parts(files: &BTreeMap<String, Arc<ParsedFile>>) -> BTreeSet<String> {
    let (mut parts, mut objects) = (BTreeSet::new(), BTreeSet::new());
    for (path, file) in files.iter().filter(|(path, _)| is_file(path)) {
        let Some(kustomization) = file.resources.iter().find(|resource| is_kustomization(resource)) else {
            continue;
        };
        let items =
            |list: &&str| kustomization.object.get(*list).and_then(Value::as_array).into_iter().flatten();
        let named = |text: &Value| join(folder(path), text.as_str()?);
        parts.extend(FILES.iter().flat_map(items).filter_map(named));
        parts.extend(WITH_PATH.iter().flat_map(items).filter_map(|item| named(item.get("path")?)));
        objects.extend(OBJECTS.iter().flat_map(items).filter_map(named));
    }
    parts.retain(|path| files.contains_key(path) && !is_file(path) && !objects.contains(path));
    parts
}
