//! Storage, addresses and budgets: claims, volumes, Services, Ingresses, disruption budgets and
//! autoscalers.

use serde_json::Value;

use super::{
    model::{EvidenceCode, Health},
    object::{condition_is, conditions, count, text, unseen},
};

/// A PersistentVolumeClaim is current when it is bound.
pub(super) fn claim(object: &Value) -> Health {
    let waiting = conditions(object).filter(|condition| {
        condition.is("True")
            && ["Resizing", "FileSystemResizePending", "ModifyingVolume"].contains(&condition.kind())
    });
    let waiting = waiting.map(|condition| condition.evidence(EvidenceCode::Condition));
    let health = match object.pointer("/status/phase").and_then(Value::as_str) {
        Some("Bound") => Health::current("the claim is bound"),
        Some("Lost") => Health::failed("the claim has lost its volume"),
        Some(_) => Health::in_progress(
            "the claim is not bound; a class with WaitForFirstConsumer binds it when a pod uses it",
        ),
        None => unseen(),
    };
    health.with_all(waiting)
}

/// A PersistentVolume is current when it can be claimed or is, and has failed when it could not be
/// reclaimed.
pub(super) fn volume(object: &Value) -> Health {
    match object.pointer("/status/phase").and_then(Value::as_str) {
        Some("Failed") => {
            let message = super::words::harmless(object["status"]["message"].as_str().unwrap_or_default());
            Health::failed(format!("the volume could not be reclaimed: {message}"))
        }
        Some("Released") => {
            Health::current("the volume is released: its claim is gone, and nothing can claim it")
        }
        Some("Available") => Health::current("the volume is available"),
        Some("Bound") => Health::current("the volume is bound"),
        Some(_) => Health::in_progress("the volume is not available yet"),
        None => unseen(),
    }
}

/// A Service is current at once, one of type `LoadBalancer` when it has an address.
pub(super) fn service(object: &Value) -> Health {
    if object.pointer("/spec/type").and_then(Value::as_str) != Some("LoadBalancer") {
        return Health::current("the Service needs no address from outside");
    }
    match address(object) {
        Some(address) => Health::current(format!("the load balancer has the address {address}")),
        None => Health::in_progress("the load balancer has no address yet")
            .with(EvidenceCode::NoAddress, "status.loadBalancer.ingress is empty"),
    }
}

/// An Ingress is current at once: not every controller reports an address.
pub(super) fn ingress(object: &Value) -> Health {
    match address(object) {
        Some(address) => Health::current(format!("the Ingress has the address {address}")),
        None => Health::current("the Ingress has no address")
            .with(EvidenceCode::NoAddress, "no controller has given it an address; not every one does"),
    }
}

fn address(object: &Value) -> Option<&str> {
    let addresses = object.pointer("/status/loadBalancer/ingress")?.as_array()?;
    let of = |entry: &Value, key| entry.get(key).and_then(Value::as_str).map(str::len);
    let entry = addresses.iter().find(|entry| of(entry, "ip").or(of(entry, "hostname")).is_some())?;
    ["ip", "hostname"].map(|key| text(entry, key)).into_iter().find(|text| !text.is_empty())
}

/// A PodDisruptionBudget is current when its controller has seen it; one that allows no disruption
/// says so, which may well be for good: a workload can have fewer pods than the budget wants.
pub(super) fn disruption_budget(object: &Value) -> Health {
    if object.pointer("/status/observedGeneration").is_none() {
        return unseen();
    }
    let (healthy, desired) =
        (count(object, "/status/currentHealthy"), count(object, "/status/desiredHealthy"));
    let allowed = count(object, "/status/disruptionsAllowed");
    if let Some(failed) = condition_is(object, "DisruptionAllowed", "False")
        .filter(|condition| condition.reason() == "SyncFailed")
    {
        return Health::in_progress("the budget cannot be computed")
            .with_all([failed.evidence(EvidenceCode::Condition)]);
    }
    if healthy < desired {
        return Health::current(format!("{healthy} of at least {desired} pods are healthy"))
            .with(EvidenceCode::NoDisruption, "no pod may be evicted: nodes that run one cannot be drained");
    }
    if allowed == 0 && count(object, "/status/expectedPods") > 0 {
        return Health::current(format!("{healthy} pods are healthy, as many as the budget wants at least")).with(
            EvidenceCode::NoDisruption,
            "no pod may be evicted: nodes that run one cannot be drained; lower the budget or run more pods",
        );
    }
    Health::current(format!("{allowed} of {healthy} pods may be evicted at once"))
}

/// A HorizontalPodAutoscaler is current at once, as its target can be without it; one that does
/// not scale says why.
pub(super) fn autoscaler(object: &Value) -> Health {
    let against = conditions(object).filter(|condition| {
        condition.is("False") && ["ScalingActive", "AbleToScale"].contains(&condition.kind())
    });
    let evidence: Vec<_> =
        against.map(|condition| condition.evidence(EvidenceCode::AutoscalerInactive)).collect();
    let message = if evidence.is_empty() {
        "the autoscaler is set"
    } else {
        "the autoscaler is set, and does not scale"
    };
    Health::current(message).with_all(evidence)
}
