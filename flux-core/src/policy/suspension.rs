//! Suspended syncs: who has suspended them, and why.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The word that syncs leave an object, or all of a sync set, as it is.
///
/// It stands in git or in the cluster, as the annotations `fluxcd.io/suspended`, `suspended_user`
/// and `suspended_msg` of an object; in git, as `spec.suspended` of a `FluxPolicy`, for the whole
/// set; or in the options of a sync. Releases go on: they change git alone.
///
/// Exhaustive: callers make it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspension {
    /// The person who suspended it.
    pub by: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

impl Suspension {
    /// Reads the suspension of a whole set off a policy document.
    ///
    /// Whatever is written there other than `false` suspends: what cannot be read is a finding.
    pub fn of_document(document: &Value) -> Option<Self> {
        match &document["spec"]["suspended"] {
            Value::Null | Value::Bool(false) => None,
            Value::String(text) if text.trim() == "false" => None,
            written => {
                let text = |key: &str| written.get(key).and_then(Value::as_str).map(str::to_owned);
                Some(Self { by: text("by"), reason: text("reason") })
            }
        }
    }
}

/// Writes a clause about the suspended object: `alice suspended it: the database is moved`.
impl fmt::Display for Suspension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Both are written by people: a line break would tear a table, an escape colour a terminal.
        let line = |text: &Option<String>| {
            let text = text.as_deref().unwrap_or_default().replace(char::is_control, " ");
            text.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        let (by, reason) = (line(&self.by), line(&self.reason));
        match by.as_str() {
            "" => f.write_str("it is suspended")?,
            by => write!(f, "{by} suspended it")?,
        }
        if reason.is_empty() { Ok(()) } else { write!(f, ": {reason}") }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_suspends_with_who_and_why() {
        let table = [
            (json!({}), None),
            (json!({"suspended": false}), None),
            (json!({"suspended": true}), Some("it is suspended")),
            (json!({"suspended": {"by": "alice"}}), Some("alice suspended it")),
            (json!({"suspended": {"reason": "the night"}}), Some("it is suspended: the night")),
            (
                json!({"suspended": {"by": "alice", "reason": "the night"}}),
                Some("alice suspended it: the night"),
            ),
            (json!({"suspended": "yes"}), Some("it is suspended")),
            (json!({"suspended": "false"}), None),
            (json!({"suspended": {"by": "", "reason": " "}}), Some("it is suspended")),
            (json!({"suspended": {"by": "a\u{1b}[31m\nb"}}), Some("a [31m b suspended it")),
        ];
        for (spec, expected) in table {
            let read = Suspension::of_document(&json!({"spec": spec}));
            assert_eq!(read.map(|read| read.to_string()).as_deref(), expected, "{spec}");
        }
    }
}
