//! Objects as they may be shown: law 11 holds for plans, too.

use std::fmt;

use serde_json::Value;

/// Shows an object with the values of a Secret blanked.
pub(crate) struct Redacted<'a>(pub(crate) &'a Value);

impl fmt::Debug for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut object = self.0.clone();
        if object["kind"] == "Secret"
            && let Some(top) = object.as_object_mut()
        {
            for key in ["data", "stringData"] {
                if let Some(value) = top.get_mut(key) {
                    *value = Value::from("***");
                }
            }
            if let Some(annotations) = top.get_mut("metadata").and_then(|m| m.get_mut("annotations")) {
                // kubectl keeps the whole object here.
                if let Some(last) = annotations.get_mut("kubectl.kubernetes.io/last-applied-configuration") {
                    *last = Value::from("***");
                }
            }
        }
        write!(f, "{object}")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_secret_is_shown_without_its_values() {
        let secret = json!({"kind": "Secret", "metadata": {"name": "s", "annotations":
            {"kubectl.kubernetes.io/last-applied-configuration": "hunter2"}},
            "data": {"a": "hunter2"}, "stringData": {"b": "hunter2"}});
        let shown = format!("{:?}", Redacted(&secret));
        assert!(!shown.contains("hunter2") && shown.contains("\"s\""), "{shown}");
    }
}
