//! Workloads of a cluster without controllers.

use serde_json::Value;

use crate::{
    backend::{ClusterWorkload, LabelSelector, Rollout, RolloutState, RunningContainer},
    health::rollout_of,
    manifest::ResourceId,
};

/// Returns the object as a workload, if its kind is one.
pub(super) fn workload(id: &ResourceId, object: &Value) -> Option<ClusterWorkload> {
    let pods = match (id.group(), id.kind()) {
        ("apps" | "extensions", "Deployment" | "DaemonSet" | "StatefulSet") => {
            &object["spec"]["template"]["spec"]
        }
        ("batch", "CronJob") => &object["spec"]["jobTemplate"]["spec"]["template"]["spec"],
        _ => return None,
    };
    Some(ClusterWorkload {
        id: id.workload_id(),
        containers: RunningContainer::of_pod(pods),
        selector: LabelSelector::of_workload(object),
        rollout: if object["status"].is_object() { rollout_of(object) } else { rolled_out(object) },
    })
}

/// Returns the rollout of a workload for which none is set: a finished one.
fn rolled_out(object: &Value) -> Rollout {
    let pods = match object["kind"].as_str() {
        Some("Deployment" | "StatefulSet") => object["spec"]["replicas"].as_i64().unwrap_or(1),
        Some("DaemonSet") => 1,
        _ => 0,
    };
    Rollout {
        state: RolloutState::Ready,
        desired: pods,
        updated: pods,
        ready: pods,
        available: pods,
        outdated: 0,
        messages: Vec::new(),
    }
}
