//! Custom kinds whose controllers say more than their condition `Ready`.

use serde_json::Value;

use super::{
    custom::ready,
    model::{EvidenceCode, Health},
    object::{condition, condition_is, text, unseen},
    words::harmless,
};
use crate::api_version::group_of;

/// Argo's Rollout says its phase; `observedGeneration` is a text there.
pub(super) fn rollout(object: &Value) -> Health {
    let Some(status) = object.get("status") else { return unseen() };
    let generation = object.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or(0);
    let observed = text(status, "observedGeneration");
    if observed.parse::<i64>().is_ok_and(|observed| observed != generation) {
        return Health::in_progress(format!(
            "its controller has seen generation {observed}, and not yet {generation}"
        ));
    }
    let message = harmless(text(status, "message"));
    match text(status, "phase") {
        "Healthy" => Health::current("the rollout is complete"),
        "Degraded" => Health::failed(format!("the rollout is degraded: {message}")),
        "Paused" => Health::in_progress(format!("the rollout is paused: {message}"))
            .with(EvidenceCode::Suspended, "it goes on when it is promoted, or its pause is over"),
        "" => unseen(),
        _ => Health::in_progress(format!("the rollout goes on: {message}")),
    }
}

/// Knative's kinds say `Ready=False` only when it is final; until then it is `Unknown`.
pub(super) fn knative(object: &Value) -> Health {
    match condition_is(object, "Ready", "False") {
        Some(failed) => Health::failed(format!("it is not ready: {}", failed.words()))
            .with_all([failed.evidence(EvidenceCode::Condition)]),
        None => ready(object).unwrap_or_else(unseen),
    }
}

/// KEDA's ScaledObjects and ScaledJobs are ready when their target and triggers are valid; one that
/// uses its fallback or is paused says so.
pub(super) fn keda(object: &Value) -> Health {
    let Some(health) = ready(object) else { return unseen() };
    let notes = [("Fallback", EvidenceCode::AutoscalerInactive), ("Paused", EvidenceCode::Suspended)];
    let notes =
        notes.into_iter().filter_map(|(kind, code)| Some(condition_is(object, kind, "True")?.evidence(code)));
    health.with_all(notes)
}

/// cert-manager's Certificate has failed when its last issuance has; it is tried again after an
/// hour at the earliest.
pub(super) fn certificate(object: &Value) -> Health {
    if condition_is(object, "Ready", "True").is_none()
        && let Some(failed) = condition_is(object, "Issuing", "False").filter(|issuing| {
            let generation = object.pointer("/metadata/generation").and_then(Value::as_i64);
            let is_of_before = issuing.generation() < generation && issuing.generation().is_some();
            issuing.reason() == "Failed" && !is_of_before
        })
    {
        return Health::failed(format!("the certificate could not be issued: {}", failed.words()))
            .with_all([failed.evidence(EvidenceCode::Condition)]);
    }
    ready(object).unwrap_or_else(unseen)
}

/// cert-manager's CertificateRequest is denied, invalid or failed for good.
pub(super) fn certificate_request(object: &Value) -> Health {
    let refused =
        ["Denied", "InvalidRequest"].into_iter().find_map(|kind| condition_is(object, kind, "True"));
    let failed =
        condition_is(object, "Ready", "False").filter(|ready| matches!(ready.reason(), "Failed" | "Denied"));
    match refused.or(failed) {
        Some(failed) => Health::failed(format!("the request is refused: {}", failed.words()))
            .with_all([failed.evidence(EvidenceCode::Condition)]),
        None => ready(object).unwrap_or_else(unseen),
    }
}

/// The kinds that say `Ready` and nothing else, and say nothing before their controller has seen
/// them: cert-manager's Issuers, for one.
pub(super) fn ready_or_unseen(object: &Value) -> Health {
    ready(object).unwrap_or_else(unseen)
}

/// The reasons by which a kind of Flux v2 says that it waits for another object.
const WAITS: [&str; 3] = ["DependencyNotReady", "ArtifactFailed", "SourceNotReady"];

/// Returns the health of an object of Flux v2 that is suspended: its controller does not look at
/// it, so that what its status says is of before.
pub(super) fn suspended_toolkit(object: &Value) -> Option<Health> {
    let is_toolkit = group_of(text(object, "apiVersion")).ends_with(".toolkit.fluxcd.io");
    let is_suspended = object.pointer("/spec/suspend") == Some(&Value::Bool(true));
    (is_toolkit && is_suspended).then(|| {
        Health::current("it is suspended")
            .with(EvidenceCode::Suspended, "it is not reconciled until it is resumed")
    })
}

/// The kinds of Flux v2: what is not ready and not reconciling has failed, unless it waits for
/// another object.
pub(super) fn toolkit(object: &Value) -> Health {
    match condition_is(object, "Ready", "False") {
        Some(failed) if failed.reason().ends_with("Failed") && !WAITS.contains(&failed.reason()) => {
            Health::failed(format!("it is not ready: {}", failed.words()))
                .with_all([failed.evidence(EvidenceCode::Condition)])
        }
        _ => ready(object).unwrap_or_else(unseen),
    }
}

/// The HelmRelease of the Helm operator, as Flux v1 had it: `Released` and the phase.
pub(super) fn helm_operator(object: &Value) -> Health {
    let Some(status) = object.get("status") else { return unseen() };
    if let Some(failed) = condition_is(object, "Released", "False") {
        return Health::failed(format!("the release has failed: {}", failed.words()))
            .with_all([failed.evidence(EvidenceCode::Condition)]);
    }
    if let Some(back) = condition_is(object, "RolledBack", "True") {
        return Health::failed(format!("the release was rolled back: {}", back.words()))
            .with_all([back.evidence(EvidenceCode::Condition)]);
    }
    let phase = text(status, "phase");
    match phase {
        "Failed" | "ChartFetchFailed" | "DeployFailed" | "TestFailed" | "RollbackFailed" => {
            Health::failed(format!("the release has failed: {phase}"))
        }
        "Succeeded" => Health::current("the release has succeeded"),
        _ if condition(object, "Released").is_some_and(|released| released.is("True")) => {
            Health::current("the release has succeeded")
        }
        "" => unseen(),
        _ => Health::in_progress(format!("the release goes on: {phase}")),
    }
}
