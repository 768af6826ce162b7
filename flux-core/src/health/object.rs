//! Looking into the JSON of an object: its conditions, counts and generations.

use serde_json::Value;

use super::{
    model::{Evidence, EvidenceCode, Health},
    words::harmless,
};

/// A condition in an object's status.
#[derive(Clone, Copy)]
pub(super) struct Condition<'a>(&'a Value);

impl<'a> Condition<'a> {
    pub(super) fn kind(self) -> &'a str {
        text(self.0, "type")
    }

    pub(super) fn is(self, status: &str) -> bool {
        text(self.0, "status") == status
    }

    pub(super) fn reason(self) -> &'a str {
        text(self.0, "reason")
    }

    /// Returns the generation that it speaks of; `None` if it does not say.
    pub(super) fn generation(self) -> Option<i64> {
        self.0.get("observedGeneration")?.as_i64()
    }

    /// Returns its reason and message, as they may be shown: `Reason: message`.
    pub(super) fn words(self) -> String {
        let (reason, message) = (self.reason(), harmless(text(self.0, "message")));
        match (reason, message.as_str()) {
            ("", "") => format!("{} is {}", self.kind(), text(self.0, "status")),
            (reason, "") => reason.to_owned(),
            ("", _) => message,
            (reason, _) => format!("{reason}: {message}"),
        }
    }

    /// Returns it as evidence.
    pub(super) fn evidence(self, code: EvidenceCode) -> Evidence {
        Evidence { code, subject: String::new(), message: self.words() }
    }
}

/// Returns the conditions of an object.
pub(super) fn conditions(object: &Value) -> impl Iterator<Item = Condition<'_>> {
    let all = object.get("status").and_then(|status| status.get("conditions"));
    all.and_then(Value::as_array).into_iter().flatten().map(Condition)
}

/// Returns the condition of a type.
pub(super) fn condition<'a>(object: &'a Value, kind: &str) -> Option<Condition<'a>> {
    conditions(object).find(|condition| condition.kind() == kind)
}

/// Returns the condition of a type if it has a status.
pub(super) fn condition_is<'a>(object: &'a Value, kind: &str, status: &str) -> Option<Condition<'a>> {
    condition(object, kind).filter(|condition| condition.is(status))
}

/// Returns a text of a mapping; empty if there is none.
pub(super) fn text<'a>(of: &'a Value, key: &str) -> &'a str {
    of.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Returns a number by its path; 0 if there is none.
pub(super) fn count(object: &Value, pointer: &str) -> i64 {
    object.pointer(pointer).and_then(Value::as_i64).unwrap_or(0)
}

/// Returns the pods that a workload wants; one if its spec leaves it open.
pub(super) fn replicas(object: &Value) -> i64 {
    object.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1)
}

/// Returns `true` if a field is `true`.
pub(super) fn is_true(object: &Value, pointer: &str) -> bool {
    object.pointer(pointer).and_then(Value::as_bool).unwrap_or(false)
}

/// Returns the number in a sentence: `1 pod`, `2 pods`.
pub(super) fn pods(number: i64) -> String {
    if number == 1 { "1 pod".to_owned() } else { format!("{number} pods") }
}

/// Returns the health of an object of which no controller has reported anything.
pub(super) fn unseen() -> Health {
    Health::in_progress("its controller has not reported on it yet")
}
