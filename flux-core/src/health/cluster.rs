//! The cluster's own parts: Namespaces, definitions of kinds, API services.

use serde_json::Value;

use super::{
    model::{Evidence, EvidenceCode, Health, HealthStatus},
    object::{condition, condition_is, conditions, text, unseen},
};

/// A Namespace is current when it is active.
pub(super) fn namespace(object: &Value) -> Health {
    match object.pointer("/status/phase").and_then(Value::as_str) {
        Some("Active") | None => Health::current("the Namespace is active"),
        Some(_) => terminating(object),
    }
}

/// The conditions by which a Namespace that is being deleted says what holds it up.
const HELD_UP: [&str; 5] = [
    "NamespaceFinalizersRemaining",
    "NamespaceContentRemaining",
    "NamespaceDeletionContentFailure",
    "NamespaceDeletionDiscoveryFailure",
    "NamespaceDeletionGroupVersionParsingFailure",
];

/// Returns the health of an object that is being deleted, with the finalizers that hold it up.
///
/// A Namespace says itself which finalizers and which content are left, some seconds after the
/// deletion.
pub(super) fn terminating(object: &Value) -> Health {
    let finalizers = object.pointer("/metadata/finalizers").and_then(Value::as_array).into_iter().flatten();
    let finalizers: Vec<&str> = finalizers.filter_map(Value::as_str).collect();
    let health = Health::new(HealthStatus::Terminating, "it is being deleted");
    let health = match finalizers.is_empty() {
        true => health,
        false => health.with(EvidenceCode::Finalizers, format!("it waits for {}", finalizers.join(", "))),
    };
    let held_up =
        conditions(object).filter(|condition| condition.is("True") && HELD_UP.contains(&condition.kind()));
    health.with_all(held_up.map(|condition| {
        let code = match condition.kind() {
            "NamespaceFinalizersRemaining" => EvidenceCode::Finalizers,
            _ => EvidenceCode::Condition,
        };
        condition.evidence(code)
    }))
}

/// A CustomResourceDefinition is current when it is established; it has failed when its names
/// cannot be accepted.
pub(super) fn definition(object: &Value) -> Health {
    if let Some(refused) = condition_is(object, "NamesAccepted", "False") {
        return Health::failed("the names of the kind are not accepted")
            .with_all([refused.evidence(EvidenceCode::Condition)]);
    }
    let schema = condition_is(object, "NonStructuralSchema", "True");
    let schema = schema.map(|condition| condition.evidence(EvidenceCode::Condition));
    let health = match condition(object, "Established") {
        Some(established) if established.is("True") => Health::current("the kind is established"),
        Some(not) if not.is("False") && !matches!(not.reason(), "Installing" | "") => {
            Health::failed("the kind cannot be established").with_all([not.evidence(EvidenceCode::Condition)])
        }
        Some(_) => Health::in_progress("the kind is not established yet"),
        None => unseen(),
    };
    health.with_all(schema)
}

/// An APIService is current when it is available.
pub(super) fn api_service(object: &Value) -> Health {
    match condition(object, "Available") {
        Some(available) if available.is("True") => Health::current("the API is available"),
        Some(not) => Health::in_progress("the API is not available").with_all([Evidence {
            code: EvidenceCode::Condition,
            subject: text(&object["spec"]["service"], "name").to_owned(),
            message: not.words(),
        }]),
        None => unseen(),
    }
}
