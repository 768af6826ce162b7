//! A workload as an object has it, and what of the object is kept for it.

use flux_core::{
    backend::{ClusterWorkload, LabelSelector, RunningContainer},
    health,
    manifest::WorkloadId,
};
use serde_json::Value;

use crate::raw::text;

fn template_pointer(kind: &str) -> &'static str {
    if kind == "CronJob" { "/spec/jobTemplate/spec/template/spec" } else { "/spec/template/spec" }
}

/// Keeps of a workload its identity, version and status, and of the pod template the containers'
/// names and images.
pub(crate) fn slim(mut object: Value) -> Value {
    const METADATA: [&str; 5] = ["name", "namespace", "uid", "resourceVersion", "generation"];
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
        let slim = slim(deployment());
        assert!(!slim.to_string().contains("hunter2"));
        assert!(slim.pointer("/metadata/managedFields").is_none());
        assert_eq!(workload(&slim), workload(&deployment()));
    }

    #[test]
    fn the_pods_of_a_cron_job_stand_deeper() {
        let pod = json!({ "containers": [{ "name": "tidy", "image": "tidy:2", "args": [] }] });
        let job = json!({ "kind": "CronJob", "metadata": { "name": "tidy", "namespace": "shop" },
            "spec": { "jobTemplate": { "spec": { "template": { "spec": pod } } } } });
        assert_eq!(workload(&slim(job)).containers[0].image, "tidy:2");
    }

    #[test]
    fn an_object_of_any_shape_is_a_workload_with_what_it_has() {
        for object in
            [Value::Null, json!([]), Value::Object(Map::new()), json!({ "kind": "Deployment", "spec": 1 })]
        {
            assert!(workload(&slim(object)).containers.is_empty());
        }
    }
}
