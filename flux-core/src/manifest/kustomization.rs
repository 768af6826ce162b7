//! The files and the objects that are kustomizations.

use serde_json::{Map, Value};

use super::{
    Resource,
    kustomization_keys::{FORMER, KEYS},
};
use crate::{api_version::group_of, repo_path::name};

/// The API version of kustomizations that name none.
pub(crate) const VERSION: &str = "kustomize.config.k8s.io/v1beta1";

/// The kind of kustomizations that name none.
pub(crate) const KIND: &str = "Kustomization";

/// The version and the kind of components.
pub(crate) const COMPONENT_VERSION: &str = "kustomize.config.k8s.io/v1alpha1";
pub(crate) const COMPONENT: &str = "Component";

pub(crate) const GROUP: &str = "kustomize.config.k8s.io";

/// The names of the files that hold kustomizations.
pub(crate) const FILES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// Returns `true` if a file of this path is named as a kustomization.
pub(crate) fn is_file(path: &str) -> bool {
    FILES.contains(&name(path))
}

/// Returns `true` if an object is a kustomization.
pub(crate) fn is_kustomization(resource: &Resource) -> bool {
    is_kind(resource.api_version.as_str(), &resource.kind)
}

/// Returns `true` if objects of this version and kind are kustomizations.
pub(crate) fn is_kind(api_version: &str, kind: &str) -> bool {
    group_of(api_version) == GROUP && matches!(kind, KIND | COMPONENT)
}

/// Returns the version and the kind of an object, where a kustomization may leave out either.
///
/// kustomize recognises it by its file.
pub(crate) fn completed<'a>(
    version: Option<&'a str>,
    kind: Option<&'a str>,
    object: &Map<String, Value>,
) -> (Option<&'a str>, Option<&'a str>) {
    match (version, kind) {
        (None, None | Some(KIND)) if looks_like_one(object) => (Some(VERSION), Some(KIND)),
        (None, Some(COMPONENT)) if looks_like_one(object) => (Some(COMPONENT_VERSION), kind),
        (Some(text), None) if is_kind(text, KIND) => (version, Some(KIND)),
        complete => complete,
    }
}

/// Returns `true` if a mapping without version or kind looks like a kustomization.
pub(crate) fn looks_like_one(object: &Map<String, Value>) -> bool {
    let known = |name: &String| KEYS.iter().find(|key| key.name == name);
    object.keys().any(|name| known(name).is_some_and(|key| key.telling))
        && object.keys().all(|name| known(name).is_some() || FORMER.contains(&name.as_str()))
}
