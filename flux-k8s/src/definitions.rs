//! Kinds that come with a plan.
//!
//! A custom resource can be applied only when the server has accepted its definition.

use std::time::Duration;

use flux_core::{
    Object,
    finding::{Code, Finding},
    manifest::ResourceId,
};
use futures::future::join_all;
use kube::{Api, core::ApiResource, runtime::wait::await_condition};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

use crate::{cluster::KubeCluster, raw::RawObject};

/// The time limit for the server to accept definitions.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often the server is asked whether it lists the kinds.
const PAUSE: Duration = Duration::from_millis(100);

/// A custom resource definition that was applied.
#[derive(Debug)]
pub(crate) struct Definition {
    id: ResourceId,
    resource: ApiResource,
    kind: String,
    /// The versions in which the kind is served, as `apiVersion` has them.
    api_versions: Vec<String>,
    established: bool,
}

/// Returns `true` if objects of this kind change which kinds there are.
pub(crate) fn changes_kinds(id: &ResourceId) -> bool {
    matches!(
        (id.group(), id.kind()),
        ("apiextensions.k8s.io", "CustomResourceDefinition") | ("apiregistration.k8s.io", "APIService")
    )
}

/// Returns the definition in an object of the server, if it is one.
pub(crate) fn of(id: &ResourceId, object: &Object) -> Option<Definition> {
    if (id.group(), id.kind()) != ("apiextensions.k8s.io", "CustomResourceDefinition") {
        return None;
    }
    let object = &object.value();
    let api_version = object.get("apiVersion")?.as_str()?;
    let group = object.pointer("/spec/group")?.as_str()?;
    let versions = object.pointer("/spec/versions").and_then(Value::as_array).into_iter().flatten();
    Some(Definition {
        id: id.clone(),
        resource: ApiResource {
            group: id.group().to_owned(),
            version: api_version.rsplit('/').next()?.to_owned(),
            api_version: api_version.to_owned(),
            kind: id.kind().to_owned(),
            plural: "customresourcedefinitions".to_owned(),
        },
        kind: object.pointer("/spec/names/kind")?.as_str()?.to_owned(),
        api_versions: versions
            .filter(|version| version.get("served").and_then(Value::as_bool) == Some(true))
            .filter_map(|version| Some(format!("{group}/{}", version.get("name")?.as_str()?)))
            .collect(),
        established: is_established(object),
    })
}

fn is_established(object: &Value) -> bool {
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
    conditions.into_iter().flatten().any(|condition| {
        let is = |key: &str, value: &str| condition.get(key).and_then(Value::as_str) == Some(value);
        is("type", "Established") && is("status", "True")
    })
}

impl KubeCluster {
    /// Waits until the server serves the defined kinds.
    ///
    /// Returns a finding for each kind that it does not serve in time.
    pub(crate) async fn wait_for_definitions(&self, definitions: Vec<Definition>) -> Vec<Finding> {
        let deadline = Instant::now() + PATIENCE;
        let waits = definitions.iter().filter(|definition| !definition.established).map(|definition| async {
            let api: Api<RawObject> = Api::all_with(self.http.client.clone(), &definition.resource);
            let established = |object: Option<&RawObject>| {
                object.is_some_and(|live| is_established(&live.object().value()))
            };
            await_condition(api, definition.id.name(), established).await
        });
        // The kinds that the server lists show below if they are served.
        let _ = timeout(PATIENCE, join_all(waits)).await;
        loop {
            // The steps that come next report a server that cannot be reached.
            let Ok(kinds) = self.discover().await else { return Vec::new() };
            let served = |definition: &Definition| {
                definition.api_versions.iter().all(|v| kinds.get(v, &definition.kind).is_some())
            };
            let missing: Vec<&Definition> = definitions.iter().filter(|d| !served(d)).collect();
            if missing.is_empty() || Instant::now() > deadline {
                return missing.into_iter().map(not_served).collect();
            }
            sleep(PAUSE).await;
        }
    }
}

fn not_served(definition: &Definition) -> Finding {
    Finding {
        code: Code::ApplyFailed,
        subject: definition.id.to_string(),
        place: None,
        evidence: format!(
            "it was applied, but after {} s the server does not serve {} in {}",
            PATIENCE.as_secs(),
            definition.kind,
            definition.api_versions.join(", ")
        ),
        remedy: format!(
            "see its conditions with `kubectl describe crd {}`; its names may be taken by another",
            definition.id.name()
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn id(group: &str, kind: &str) -> ResourceId {
        ResourceId::new(None, kind, "widgets.example.com", group)
    }

    #[test]
    fn a_definition_is_waited_for_in_the_versions_that_it_serves() {
        let object = json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "spec": { "group": "example.com", "names": { "kind": "Widget" },
                "versions": [{ "name": "v1", "served": true }, { "name": "v1alpha1", "served": false }] },
        });
        let definition =
            of(&id("apiextensions.k8s.io", "CustomResourceDefinition"), &(&object).into()).unwrap();
        assert_eq!(definition.api_versions, ["example.com/v1"]);
        assert_eq!(definition.kind, "Widget");
        assert!(!definition.established);
        assert!(of(&id("", "ConfigMap"), &object.into()).is_none());
    }

    #[test]
    fn established_is_what_its_condition_says() {
        let with =
            |status| json!({ "status": { "conditions": [{ "type": "Established", "status": status }] } });
        assert!(is_established(&with("True")));
        assert!(!is_established(&with("False")));
        assert!(!is_established(&json!({})));
    }
}
