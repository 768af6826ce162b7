//! Valid objects of the built-in kinds, with many of their fields.

use serde_json::{Value, json};

const SAMPLES: &str = include_str!("samples.yaml");

/// Returns the samples, those of namespaced kinds in this namespace.
pub(super) fn all(namespace: &str) -> Vec<Value> {
    let file = flux_core::workload::parse(SAMPLES.as_bytes());
    assert_eq!(file.problems, [], "the samples are read");
    let in_namespace = |resource: &flux_core::manifest::Resource| {
        let mut object = resource.object.value();
        let scope = flux_core::manifest::scope_of(resource.api_version.as_str(), &resource.kind);
        if scope == Some(flux_core::manifest::Scope::Namespaced) {
            object["metadata"]["namespace"] = json!(namespace);
        }
        object
    };
    file.resources.iter().map(in_namespace).collect()
}
