//! Custom kinds, by the conditions that kstatus asks them to have.

use serde_json::Value;

use super::{
    model::{EvidenceCode, Health},
    object::{condition, condition_is, count},
};

/// Returns the health that holds for any kind, before its own rule: that its controller has not
/// seen the newest generation, that it is stalled, or that it is reconciling.
pub(super) fn generic(object: &Value) -> Option<Health> {
    let generation = count(object, "/metadata/generation");
    let observed = object.pointer("/status/observedGeneration").and_then(Value::as_i64);
    if let Some(observed) = observed.filter(|observed| *observed != generation && generation > 0) {
        let message = format!("its controller has seen generation {observed}, and not yet {generation}");
        return Some(Health::in_progress(message));
    }
    if let Some(stalled) = condition_is(object, "Stalled", "True") {
        let health = Health::failed(format!("it is stalled: {}", stalled.words()));
        return Some(health.with_all([stalled.evidence(EvidenceCode::Condition)]));
    }
    let reconciling = condition_is(object, "Reconciling", "True")?;
    Some(Health::in_progress(format!("it is reconciling: {}", reconciling.words())))
}

/// Returns the health of a kind that nothing is known of: by its condition `Ready`, or else
/// current.
pub(super) fn by_ready(object: &Value) -> Health {
    ready(object).unwrap_or_else(|| Health::current("it has no condition that speaks against it"))
}

/// Returns the health by the condition `Ready`; `None` if there is none.
pub(super) fn ready(object: &Value) -> Option<Health> {
    let ready = condition(object, "Ready")?;
    let generation = count(object, "/metadata/generation");
    if ready.generation().is_some_and(|observed| observed < generation) {
        return Some(Health::in_progress(format!(
            "its condition Ready is not of generation {generation} yet"
        )));
    }
    if ready.is("True") {
        return Some(Health::current("it is ready"));
    }
    let health = Health::in_progress(format!("it is not ready: {}", ready.words()));
    Some(health.with_all([ready.evidence(EvidenceCode::Condition)]))
}
