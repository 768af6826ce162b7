//! The origins of annotations that kustomize adds to objects, when no file of the object has them.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Build, chain::Chains};
use crate::{
    manifest::{Resource, kustomization::is_kustomization},
    pointer::escape,
    repo_path::RepoPath,
};

/// Returns the origin of an annotation of a build's objects, for people; `None` if none is found.
pub(crate) fn annotated_by(build: &Build, key: &str) -> Option<String> {
    let through: BTreeSet<RepoPath> = Chains::of(&build.files).reach(&build.root).0;
    // The root has precedence.
    let inner = through.iter().filter(|path| **path != build.root);
    std::iter::once(&build.root).chain(inner).find_map(|path| {
        let kustomization = build.files.get(path)?.resources.iter().find(|one| is_kustomization(one))?;
        Some(format!("{} of {path}", set_in(kustomization, key)?))
    })
}

fn set_in(kustomization: &Resource, key: &str) -> Option<String> {
    let object = &kustomization.object.value();
    if object.get("commonAnnotations").is_some_and(|all| all.get(key).is_some()) {
        let line = kustomization.position_of(&format!("/commonAnnotations/{}", escape(key))).line;
        return Some(format!("the `commonAnnotations` (line {line})"));
    }
    let list = |key: &str| object.get(key).and_then(Value::as_array).into_iter().flatten();
    let patches = list("patches").chain(list("patchesJson6902")).filter_map(|patch| patch.get("patch"));
    let mut within = patches.chain(list("patchesStrategicMerge")).filter_map(Value::as_str);
    // A JSON patch has the key as a token of a pointer.
    let names = |text: &str| text.contains(key) || text.contains(&escape(key));
    within.any(names).then(|| "a patch within the text".to_owned())
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Arc};

    use super::*;
    use crate::workload::parse;

    #[test]
    fn the_origin_of_an_annotation_is_named() {
        let key = "fluxcd.io/locked";
        let table = [
            (
                "base",
                "commonAnnotations:\n  fluxcd.io/locked: 'yes'\n",
                Some("the `commonAnnotations` (line 3)"),
            ),
            (
                "base",
                "patches:\n- patch: |-\n    metadata: {annotations: {fluxcd.io/locked: 'yes'}}\n",
                Some("a patch within the text"),
            ),
            (
                "root",
                "patches:\n- target: {kind: Deployment}\n  patch: |-\n    - op: add\n      path: /metadata/annotations/fluxcd.io~1locked\n",
                Some("a patch within the text"),
            ),
            ("root", "commonAnnotations: {note: x}\n", None),
            ("other", "commonAnnotations: {fluxcd.io/locked: 'yes'}\n", None),
        ];
        for (folder, more, by) in table {
            let file = |at: &str, list: &str| {
                let more = if at == folder { more } else { "" };
                let text = format!("resources: [{list}]\n{more}");
                (format!("{at}/kustomization.yaml").parse().unwrap(), Arc::new(parse(text.as_bytes())))
            };
            let files: BTreeMap<_, _> =
                [file("root", "../base"), file("base", "web.yaml"), file("other", "../base")].into();
            let build = Build { root: "root/kustomization.yaml".parse().unwrap(), files };
            let expected = by.map(|by| format!("{by} of {folder}/kustomization.yaml"));
            assert_eq!(annotated_by(&build, key), expected, "{folder} {more}");
        }
    }
}
