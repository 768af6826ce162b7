//! The workloads that run: read from objects, from which everything else is dropped before they are kept.

use std::sync::Arc;

use flux_core::{
    backend::{ClusterWorkload, Observation, RunningContainer},
    manifest::WorkloadId,
    sync,
};
use kube::core::ApiResource;
use serde_json::Value;

use crate::{
    cluster::KubeCluster,
    doubts::Doubts,
    failure::Failure,
    live::text,
    watch::{Selection, WatchKey, healths},
};

/// The kinds of workloads: group, version, kind, plural.
const KINDS: [(&str, &str, &str, &str); 4] = [
    ("apps", "v1", "Deployment", "deployments"),
    ("apps", "v1", "DaemonSet", "daemonsets"),
    ("apps", "v1", "StatefulSet", "statefulsets"),
    ("batch", "v1", "CronJob", "cronjobs"),
];

/// The kinds of workloads.
pub(crate) fn kinds() -> impl Iterator<Item = ApiResource> {
    KINDS.into_iter().map(|(group, version, kind, plural)| ApiResource {
        group: group.to_owned(),
        version: version.to_owned(),
        api_version: format!("{group}/{version}"),
        kind: kind.to_owned(),
        plural: plural.to_owned(),
    })
}

fn template_pointer(kind: &str) -> &'static str {
    if kind == "CronJob" { "/spec/jobTemplate/spec/template/spec" } else { "/spec/template/spec" }
}

/// What of a workload is kept: identity, version, status, and of the pod template the containers' names and images.
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
        rollout: sync::rollout_of(object),
    }
}

impl KubeCluster {
    /// The workloads of a namespace or of all.
    pub(crate) async fn look_at_workloads(
        &self,
        namespace: Option<&str>,
    ) -> Result<Observation<Vec<ClusterWorkload>>, Failure> {
        let mut watches = Vec::new();
        for resource in kinds() {
            // What is watched everywhere need not be watched in one namespace too.
            let everywhere = Selection::Workloads { namespace: None };
            let key = WatchKey::new(&resource, everywhere.clone());
            let watch = match (self.watches.get(&key), namespace) {
                (Some(watch), _) => watch,
                (None, None) => self.watches.start(&self.http, &resource, everywhere),
                (None, Some(ns)) => {
                    let selection = Selection::Workloads { namespace: Some(ns.to_owned()) };
                    self.watches.start(&self.http, &resource, selection)
                }
            };
            watches.push((key, watch));
        }
        let mut doubts = Doubts::default();
        let mut found = Vec::new();
        for (key, health) in healths(watches.clone()).await? {
            let what = key.name();
            if doubts.judge(&what, health)? {
                doubts.said([format!("{what}: the server does not have this kind")]);
            }
        }
        for (_, watch) in watches {
            watch.with(|store| {
                let here =
                    |object: &&Arc<Value>| namespace.is_none_or(|ns| text(object, "namespace") == Some(ns));
                found.extend(store.iter().filter(here).map(|object| workload(object)));
            });
        }
        found.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(Observation {
            value: found,
            completeness: doubts.completeness(),
            authority: self.http.target.user.clone(),
        })
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
