//! How far a rollout is, by v1's rules over the status that controllers write.

use serde_json::Value;

use crate::backend::{Rollout, RolloutState};

/// Reads the rollout of a Deployment, DaemonSet, StatefulSet or CronJob from its status; the state
/// of any other kind is unknown.
///
/// - A rollout has *started* until the controller has observed the newest generation.
/// - It is *ready* when all pods wanted are of the newest template and available, and none of an
///   older one is left. A StatefulSet with a partition wants that many of its pods to stay old. A
///   CronJob is always ready.
/// - A Deployment is in *error* when its conditions say that it does not progress, or that pods
///   cannot be made.
pub fn rollout_of(object: &Value) -> Rollout {
    match object["kind"].as_str() {
        Some("Deployment") => deployment(object),
        Some("DaemonSet") => daemon_set(object),
        Some("StatefulSet") => stateful_set(object),
        Some("CronJob") => Rollout { state: RolloutState::Ready, ..Rollout::default() },
        _ => Rollout::default(),
    }
}

fn count(value: &Value) -> i64 {
    value.as_i64().unwrap_or(0)
}

/// Returns the pods wanted; one if the spec leaves it open.
fn replicas(object: &Value) -> i64 {
    object["spec"]["replicas"].as_i64().unwrap_or(1)
}

fn state(object: &Value, complete: bool, stuck: bool) -> RolloutState {
    let seen = count(&object["status"]["observedGeneration"]) >= count(&object["metadata"]["generation"]);
    match (seen && object["status"].is_object(), stuck, complete) {
        (false, ..) => RolloutState::Started,
        (true, true, _) => RolloutState::Error,
        (true, false, true) => RolloutState::Ready,
        (true, false, false) => RolloutState::Updating,
    }
}

fn deployment(object: &Value) -> Rollout {
    let status = &object["status"];
    let updated = count(&status["updatedReplicas"]);
    let rollout = Rollout {
        desired: replicas(object),
        updated,
        ready: count(&status["readyReplicas"]),
        available: count(&status["availableReplicas"]),
        outdated: count(&status["replicas"]) - updated,
        messages: stuck(status),
        state: RolloutState::Unknown,
    };
    let complete =
        rollout.updated == rollout.desired && rollout.available == rollout.desired && rollout.outdated == 0;
    Rollout { state: state(object, complete, !rollout.messages.is_empty()), ..rollout }
}

/// Returns the conditions that speak against a Deployment.
fn stuck(status: &Value) -> Vec<String> {
    let conditions = status["conditions"].as_array().into_iter().flatten();
    let against = conditions.filter(|c| {
        (c["type"] == "Progressing" && c["status"] == "False")
            || (c["type"] == "ReplicaFailure" && c["status"] == "True")
    });
    against
        .map(|c| {
            [&c["message"], &c["reason"], &c["type"]]
                .iter()
                .find_map(|v| v.as_str())
                .unwrap_or_default()
                .to_owned()
        })
        .collect()
}

fn daemon_set(object: &Value) -> Rollout {
    let status = &object["status"];
    let updated = count(&status["updatedNumberScheduled"]);
    let rollout = Rollout {
        desired: count(&status["desiredNumberScheduled"]),
        updated,
        ready: count(&status["numberReady"]),
        available: count(&status["numberAvailable"]),
        outdated: count(&status["currentNumberScheduled"]) - updated,
        messages: Vec::new(),
        state: RolloutState::Unknown,
    };
    let complete =
        rollout.updated == rollout.desired && rollout.available == rollout.desired && rollout.outdated <= 0;
    Rollout { state: state(object, complete, false), ..rollout }
}

fn stateful_set(object: &Value) -> Rollout {
    let (spec, status) = (&object["spec"], &object["status"]);
    let desired = replicas(object);
    let partition = count(&spec["updateStrategy"]["rollingUpdate"]["partition"]).clamp(0, desired.max(0));
    let updated = count(&status["updatedReplicas"]);
    let ready = count(&status["readyReplicas"]);
    let rollout = Rollout {
        desired,
        updated,
        ready,
        // Clusters before `availableReplicas` count what is ready.
        available: status["availableReplicas"].as_i64().unwrap_or(ready),
        outdated: (count(&status["replicas"]) - updated - partition).max(0),
        messages: Vec::new(),
        state: RolloutState::Unknown,
    };
    let complete = rollout.updated >= desired - partition
        && rollout.ready == desired
        && count(&status["replicas"]) == desired
        && rollout.outdated == 0;
    Rollout { state: state(object, complete, false), ..rollout }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn with(kind: &str, spec: &Value, status: Value) -> Value {
        json!({"kind": kind, "metadata": {"generation": 2}, "spec": spec, "status": status})
    }

    #[test]
    fn states_follow_the_status() {
        use RolloutState::{Error, Ready, Started, Unknown, Updating};
        let three = &json!({"replicas": 3});
        let partitioned = &json!({"replicas": 3, "updateStrategy": {"rollingUpdate": {"partition": 2}}});
        let table = [
            (
                "not seen",
                with(
                    "Deployment",
                    three,
                    json!({"observedGeneration": 1, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3}),
                ),
                Started,
            ),
            (
                "rolled out",
                with(
                    "Deployment",
                    three,
                    json!({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3}),
                ),
                Ready,
            ),
            (
                "old pods left",
                with(
                    "Deployment",
                    three,
                    json!({"observedGeneration": 2, "replicas": 4, "updatedReplicas": 3, "availableReplicas": 3}),
                ),
                Updating,
            ),
            (
                "not available",
                with(
                    "Deployment",
                    three,
                    json!({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3}),
                ),
                Updating,
            ),
            (
                "stuck",
                with(
                    "Deployment",
                    three,
                    json!({"observedGeneration": 2, "conditions": [{"type": "Progressing", "status": "False", "message": "deadline"}]}),
                ),
                Error,
            ),
            (
                "no pods wanted",
                with("Deployment", &json!({"replicas": 0}), json!({"observedGeneration": 2})),
                Ready,
            ),
            ("no status", json!({"kind": "Deployment", "metadata": {"generation": 1}, "spec": {}}), Started),
            (
                "all nodes",
                with(
                    "DaemonSet",
                    three,
                    json!({"observedGeneration": 2, "desiredNumberScheduled": 2, "currentNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 2}),
                ),
                Ready,
            ),
            (
                "one node left",
                with(
                    "DaemonSet",
                    three,
                    json!({"observedGeneration": 2, "desiredNumberScheduled": 2, "currentNumberScheduled": 2, "updatedNumberScheduled": 1, "numberAvailable": 2}),
                ),
                Updating,
            ),
            (
                "set done",
                with(
                    "StatefulSet",
                    three,
                    json!({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "readyReplicas": 3}),
                ),
                Ready,
            ),
            (
                "set half done",
                with(
                    "StatefulSet",
                    three,
                    json!({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 1, "readyReplicas": 3}),
                ),
                Updating,
            ),
            (
                "set done to its partition",
                with(
                    "StatefulSet",
                    partitioned,
                    json!({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 1, "readyReplicas": 3}),
                ),
                Ready,
            ),
            (
                "set not at its partition",
                with(
                    "StatefulSet",
                    partitioned,
                    json!({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 0, "readyReplicas": 3}),
                ),
                Updating,
            ),
            ("cron job", json!({"kind": "CronJob"}), Ready),
            ("something else", json!({"kind": "ConfigMap"}), Unknown),
        ];
        for (name, object, expected) in table {
            assert_eq!(rollout_of(&object).state, expected, "{name}");
        }
    }

    #[test]
    fn a_stuck_rollout_says_why() {
        let object = with(
            "Deployment",
            &json!({}),
            json!({"observedGeneration": 2, "conditions": [
                {"type": "Available", "status": "False", "message": "not this"},
                {"type": "ReplicaFailure", "status": "True", "message": "quota exceeded"},
                {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]}),
        );
        assert_eq!(rollout_of(&object).messages, ["quota exceeded", "ProgressDeadlineExceeded"]);
    }
}
