//! Which kinds are known, and whether their objects live in namespaces.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::object::{group_of, text};
use crate::{
    backend::KindInfo,
    manifest::{self, Scope},
};

/// Returns the scope of a built-in kind; `None` for any other.
pub(crate) fn builtin(api_version: &str, kind: &str) -> Option<KindInfo> {
    manifest::scope_of(api_version, kind).map(|scope| KindInfo { namespaced: scope == Scope::Namespaced })
}

/// Returns the kinds that a CustomResourceDefinition defines, one for each version; empty if the
/// object is something else.
pub(crate) fn defined_by(object: &Value) -> BTreeMap<(String, String), KindInfo> {
    let Some((group, kind)) = definition(object) else { return BTreeMap::new() };
    let spec = &object["spec"];
    let info = KindInfo { namespaced: spec["scope"] != "Cluster" };
    let versions = spec["versions"].as_array().into_iter().flatten().filter_map(|v| v["name"].as_str());
    versions
        .chain(spec["version"].as_str())
        .map(|version| ((format!("{group}/{version}"), kind.to_owned()), info))
        .collect()
}

/// Returns the (group, kind) that a CustomResourceDefinition defines, and the values of
/// `apiVersion` under which it serves it; `None` if the object is something else.
pub(super) fn served_by(object: &Value) -> Option<((String, String), BTreeSet<String>)> {
    let (group, kind) = definition(object)?;
    let versions = object["spec"]["versions"].as_array()?.iter().filter(|version| version["served"] == true);
    let versions = versions.filter_map(|version| Some(format!("{group}/{}", version["name"].as_str()?)));
    Some(((group.to_owned(), kind.to_owned()), versions.collect()))
}

/// Returns the (group, kind) that a CustomResourceDefinition defines, and the name of its resource;
/// `None` if the object is something else.
pub(super) fn plural_of(object: &Value) -> Option<((String, String), String)> {
    let (group, kind) = definition(object)?;
    let plural = object["spec"]["names"]["plural"].as_str()?;
    Some(((group.to_owned(), kind.to_owned()), plural.to_owned()))
}

/// Returns the group and the kind that a CustomResourceDefinition defines.
fn definition(object: &Value) -> Option<(&str, &str)> {
    let is_definition = object["kind"] == "CustomResourceDefinition"
        && text(object, "apiVersion").is_some_and(|v| group_of(v) == "apiextensions.k8s.io");
    let spec = &object["spec"];
    is_definition.then_some((spec["group"].as_str()?, spec["names"]["kind"].as_str()?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_definition_defines_each_of_its_versions() {
        let definition = json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "spec": {"group": "example.com", "scope": "Cluster", "names": {"kind": "Widget"},
                     "versions": [{"name": "v1"}, {"name": "v1beta1"}]}});
        let defined = defined_by(&definition);
        assert_eq!(defined.len(), 2);
        let info = defined[&("example.com/v1beta1".to_owned(), "Widget".to_owned())];
        assert!(!info.namespaced);
        let mut served = definition;
        served["spec"]["versions"][1]["served"] = json!(false);
        served["spec"]["versions"][0]["served"] = json!(true);
        let kind = ("example.com".to_owned(), "Widget".to_owned());
        assert_eq!(served_by(&served), Some((kind, BTreeSet::from(["example.com/v1".to_owned()]))));
    }

    #[test]
    fn only_a_definition_defines() {
        assert!(
            defined_by(&json!({"kind": "CustomResourceDefinition", "apiVersion": "example.com/v1"}))
                .is_empty()
        );
        assert!(defined_by(&json!("text")).is_empty());
    }

    #[test]
    fn builtin_kinds_are_known_by_group() {
        assert_eq!(builtin("apps/v1", "Deployment"), Some(KindInfo { namespaced: true }));
        assert_eq!(builtin("v1", "Namespace"), Some(KindInfo { namespaced: false }));
        assert_eq!(builtin("apps/v1", "Widget"), None);
        assert_eq!(builtin("example.com/v1", "Deployment"), None);
    }
}
