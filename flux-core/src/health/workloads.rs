//! Deployments, StatefulSets, DaemonSets, ReplicaSets and ReplicationControllers.

use serde_json::Value;

use super::{
    model::{EvidenceCode, Health},
    object::{condition_is, count, is_true, pods, replicas, unseen},
    rollout::rollout_of,
};
use crate::backend::RolloutState;

/// A Deployment is current when its rollout is [ready](RolloutState::Ready), and has failed when
/// its conditions say that it does not progress.
pub(super) fn deployment(object: &Value) -> Health {
    let rollout = rollout_of(object);
    if rollout.state == RolloutState::Started {
        return unseen();
    }
    if let Some(stuck) = condition_is(object, "Progressing", "False") {
        let code = match stuck.reason() {
            "ProgressDeadlineExceeded" => EvidenceCode::DeadlineExceeded,
            _ => EvidenceCode::Condition,
        };
        let message =
            format!("the rollout does not progress: {}", available(rollout.available, rollout.desired));
        return Health::failed(message).with_all([stuck.evidence(code)]);
    }
    let refused = condition_is(object, "ReplicaFailure", "True");
    let refused = refused.map(|condition| condition.evidence(EvidenceCode::PodsRefused));
    if rollout.state == RolloutState::Ready {
        return Health::current(available(rollout.available, rollout.desired)).with_all(refused);
    }
    let message = if rollout.updated < rollout.desired {
        format!("{} of {} run the newest template", rollout.updated, pods(rollout.desired))
    } else if rollout.outdated > 0 {
        format!("{} of an older template still to end", pods(rollout.outdated))
    } else {
        available(rollout.available, rollout.desired)
    };
    let health = Health::in_progress(message).with_all(refused);
    if is_true(object, "/spec/paused") {
        return health.with(EvidenceCode::Suspended, "the Deployment is paused: it does not roll out");
    }
    health
}

/// A StatefulSet is current when all pods are available, and those that its strategy replaces are
/// of the newest template: none for `OnDelete`, those from the partition on otherwise.
///
/// Its controller never says that it has failed.
pub(super) fn stateful_set(object: &Value) -> Health {
    let rollout = rollout_of(object);
    if rollout.state == RolloutState::Started {
        return unseen();
    }
    let (desired, existing) = (rollout.desired, count(object, "/status/replicas"));
    let partition = count(object, "/spec/updateStrategy/rollingUpdate/partition").clamp(0, desired.max(0));
    let (replaced, why) = match object.pointer("/spec/updateStrategy/type").and_then(Value::as_str) {
        Some("OnDelete") => (0, "a pod gets the newest template when it is deleted (OnDelete)".to_owned()),
        _ => (desired - partition, format!("pods below the partition {partition} keep their template")),
    };
    if existing > desired {
        return Health::in_progress(format!("{} too many still to end", pods(existing - desired)));
    }
    if rollout.ready < desired || rollout.available < desired {
        return Health::in_progress(available(rollout.available.min(rollout.ready), desired));
    }
    let updated = rollout.updated;
    if updated < replaced {
        return Health::in_progress(format!("{updated} of {} run the newest template", pods(replaced)));
    }
    let health = Health::current(available(rollout.available, desired));
    if updated < desired {
        return health.with(
            EvidenceCode::PartialRollout,
            format!("{updated} of {} run the newest template; {why}", pods(desired)),
        );
    }
    health
}

/// A DaemonSet is current when every node that should run a pod has one that is available, of the
/// newest template unless its strategy is `OnDelete`.
pub(super) fn daemon_set(object: &Value) -> Health {
    let rollout = rollout_of(object);
    let is_counted = object.pointer("/status/desiredNumberScheduled").is_some();
    if rollout.state == RolloutState::Started || !is_counted {
        return unseen();
    }
    let desired = rollout.desired;
    let on_delete = object.pointer("/spec/updateStrategy/type").and_then(Value::as_str) == Some("OnDelete");
    if count(object, "/status/currentNumberScheduled") < desired {
        let scheduled = count(object, "/status/currentNumberScheduled");
        return Health::in_progress(format!("{scheduled} of {} placed on nodes", pods(desired)));
    }
    if rollout.updated < desired && !on_delete {
        return Health::in_progress(format!(
            "{} of {} run the newest template",
            rollout.updated,
            pods(desired)
        ));
    }
    if rollout.available < desired {
        return Health::in_progress(available(rollout.available, desired));
    }
    let health = Health::current(match desired {
        0 => "no node is to run a pod of it".to_owned(),
        _ => available(rollout.available, desired),
    });
    if rollout.updated < desired {
        let message = format!(
            "{} of {} run the newest template; a pod gets it when it is deleted (OnDelete)",
            rollout.updated,
            pods(desired)
        );
        return health.with(EvidenceCode::PartialRollout, message);
    }
    health
}

/// A ReplicaSet or ReplicationController is current when all pods are available, and no other is
/// left.
pub(super) fn replica_set(object: &Value) -> Health {
    if object.get("status").is_none_or(|status| status.get("observedGeneration").is_none()) {
        return unseen();
    }
    let (desired, existing) = (replicas(object), count(object, "/status/replicas"));
    let available_now = count(object, "/status/availableReplicas");
    let refused = condition_is(object, "ReplicaFailure", "True");
    let refused = refused.map(|condition| condition.evidence(EvidenceCode::PodsRefused));
    let health = if existing > desired {
        Health::in_progress(format!("{} too many still to end", pods(existing - desired)))
    } else if available_now < desired {
        Health::in_progress(available(available_now, desired))
    } else {
        Health::current(available(available_now, desired))
    };
    health.with_all(refused)
}

/// Returns the sentence about pods that are available.
fn available(number: i64, desired: i64) -> String {
    match (number, desired) {
        (_, 0) => "no pods are wanted".to_owned(),
        (1, 1) => "1 of 1 pod is available".to_owned(),
        (1, _) => format!("1 of {} is available", pods(desired)),
        _ => format!("{number} of {} {} available", pods(desired), if desired == 1 { "is" } else { "are" }),
    }
}
