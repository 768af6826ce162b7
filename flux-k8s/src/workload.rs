//! A workload as an object has it, and what of the object is kept for it.

use std::{collections::BTreeMap, fmt::Write as _};

use flux_core::{
    Object,
    backend::{ClusterWorkload, LabelSelector, RunningContainer},
    health,
    manifest::WorkloadId,
};
use serde_json::{Value, value::RawValue};

use crate::raw::text;

/// The metadata that is kept.
const METADATA: [&str; 5] = ["name", "namespace", "uid", "resourceVersion", "generation"];

fn template_pointer(kind: &str) -> &'static str {
    if kind == "CronJob" { "/spec/jobTemplate/spec/template/spec" } else { "/spec/template/spec" }
}

/// Keeps of a workload its identity, version and status, and of the pod template the containers'
/// names and images.
pub(crate) fn slim(object: &Object) -> Object {
    // Most of the text is left out without being read into a tree.
    let slim = slim_text(object).and_then(|text| RawValue::from_string(text).ok());
    slim.and_then(|raw| Object::from_raw(&raw).ok()).unwrap_or_else(|| slim_tree(object.value()).into())
}

/// Returns the text of what is kept; `None` if the object has another shape than workloads have.
fn slim_text(object: &Object) -> Option<String> {
    let text = object.text();
    let mut top: Fields<'_> = serde_json::from_str(&text).ok()?;
    let mut metadata: Fields<'_> = serde_json::from_str(top.get("metadata")?.get()).ok()?;
    metadata.retain(|key, _| METADATA.contains(key));
    let metadata = RawValue::from_string(text_of(&metadata)).ok()?;
    top.insert("metadata", &metadata);
    let pointer = template_pointer(object.kind());
    let path: Vec<&str> = pointer.split('/').skip(1).collect();
    within(&text_of(&top), &path)
}

/// The fields of a mapping, each as the text of its value.
type Fields<'t> = BTreeMap<&'t str, &'t RawValue>;

/// Writes a mapping.
fn text_of(fields: &Fields<'_>) -> String {
    let mut text = String::from("{");
    for (n, (key, value)) in fields.iter().enumerate() {
        let comma = if n > 0 { "," } else { "" };
        // A key without escapes in one text has none in another. Writing to a string cannot fail.
        let _ = write!(text, "{comma}\"{key}\":{}", value.get());
    }
    text + "}"
}

/// Returns a mapping with what is at a path reduced to the containers of a pod.
fn within(text: &str, path: &[&str]) -> Option<String> {
    let mut fields: Fields<'_> = serde_json::from_str(text).ok()?;
    let Some((key, rest)) = path.split_first() else {
        fields.retain(|key, _| RunningContainer::LISTS.contains(key));
        let lists =
            fields.iter().map(|(key, list)| Some((*key, containers(list)?))).collect::<Option<Vec<_>>>()?;
        return Some(text_of(&lists.iter().map(|(key, list)| (*key, &**list)).collect()));
    };
    let Some(inner) = fields.get(key) else { return Some(text.to_owned()) };
    let inner = RawValue::from_string(within(inner.get(), rest)?).ok()?;
    fields.insert(key, &inner);
    Some(text_of(&fields))
}

/// Returns the names and the images of a list of containers.
fn containers(list: &RawValue) -> Option<Box<RawValue>> {
    let all: Vec<Fields<'_>> = serde_json::from_str(list.get()).ok()?;
    let kept = all.into_iter().map(|mut container| {
        container.retain(|key, _| matches!(*key, "name" | "image"));
        text_of(&container)
    });
    RawValue::from_string(format!("[{}]", kept.collect::<Vec<_>>().join(","))).ok()
}

/// Keeps of the tree of a workload what [`slim`] keeps.
fn slim_tree(mut object: Value) -> Value {
    let kind = object.get("kind").and_then(Value::as_str).unwrap_or_default();
    let pointer = template_pointer(kind);
    if let Some(Value::Object(pod)) = object.pointer_mut(pointer) {
        pod.retain(|key, _| RunningContainer::LISTS.contains(&key.as_str()));
        for list in pod.values_mut().filter_map(Value::as_array_mut) {
            for container in list.iter_mut().filter_map(Value::as_object_mut) {
                container.retain(|key, _| matches!(key.as_str(), "name" | "image"));
            }
        }
    }
    if let Some(Value::Object(metadata)) = object.get_mut("metadata") {
        metadata.retain(|key, _| METADATA.contains(&key.as_str()));
    }
    object
}

/// A workload of an object.
pub(crate) fn workload(object: &Value) -> ClusterWorkload {
    let kind = object.get("kind").and_then(Value::as_str).unwrap_or_default();
    let pod = object.pointer(template_pointer(kind));
    ClusterWorkload {
        id: WorkloadId::new(
            text(object, "namespace").unwrap_or_default(),
            kind,
            text(object, "name").unwrap_or_default(),
        ),
        containers: pod.map(RunningContainer::of_pod).unwrap_or_default(),
        selector: LabelSelector::of_workload(object),
        rollout: health::rollout_of(object),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;

    fn deployment() -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": "web", "namespace": "shop", "uid": "1", "resourceVersion": "7", "generation": 2,
                "managedFields": [{ "manager": "x" }], "annotations": { "a": "b" } },
            "spec": { "replicas": 3, "template": { "metadata": {}, "spec": {
                "containers": [{ "name": "web", "image": "web:1", "env": [{ "name": "PASSWORD", "value": "hunter2" }] }],
                "initContainers": [{ "name": "init", "image": "init:1" }],
                "ephemeralContainers": [{ "name": "debug", "image": "debug:1", "stdin": true }],
                "volumes": [],
            } } },
            "status": { "replicas": 3 },
        })
    }

    #[test]
    fn init_containers_come_behind_and_ephemeral_ones_last() {
        let workload = workload(&deployment());
        assert_eq!(workload.id.to_string(), "shop:deployment/web");
        let images: Vec<_> =
            workload.containers.iter().map(|c| (c.name.as_str(), c.image.as_str())).collect();
        assert_eq!(images, [("web", "web:1"), ("init", "init:1"), ("debug", "debug:1")]);
    }

    #[test]
    fn only_what_is_needed_is_kept_and_nothing_that_is_needed_is_lost() {
        let slim = slim(&deployment().into());
        assert!(!slim.text().contains("hunter2"));
        assert!(slim.at("/metadata/managedFields").is_none());
        assert_eq!(workload(&slim.value()), workload(&deployment()));
        assert_eq!(slim, slim_tree(deployment()), "it was not read into a tree");
        assert!(slim_text(&deployment().into()).is_some());
    }

    #[test]
    fn the_pods_of_a_cron_job_stand_deeper() {
        let pod = json!({ "containers": [{ "name": "tidy", "image": "tidy:2", "args": [] }] });
        let job = json!({ "kind": "CronJob", "metadata": { "name": "tidy", "namespace": "shop" },
            "spec": { "jobTemplate": { "spec": { "template": { "spec": pod } } } } });
        assert_eq!(workload(&slim(&job.into()).value()).containers[0].image, "tidy:2");
    }

    #[test]
    fn an_object_of_any_shape_is_a_workload_with_what_it_has() {
        for object in
            [Value::Null, json!([]), Value::Object(Map::new()), json!({ "kind": "Deployment", "spec": 1 })]
        {
            assert!(workload(&slim(&object.into()).value()).containers.is_empty());
        }
    }
}
