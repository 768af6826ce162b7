//! The values that the API server gives to fields which nobody names.
//!
//! A field of a built-in kind that has its default looks the same whether somebody wrote it or not.
//! The table is that of the defaulting functions of Kubernetes 1.36, without what depends on other
//! fields.

use serde_json::Value;

use super::path::{Elem, FieldPath};

/// The text, number or truth value that a field gets.
#[derive(Clone, Copy, Debug)]
enum Given {
    Text(&'static str),
    Number(i64),
    Bool(bool),
}

use Given::{Bool, Number, Text};

/// The fields with their defaults; a field with several kinds of them has several lines.
const DEFAULTS: &[(&str, Given)] = &[
    ("apiVersion", Text("v1")),
    ("backoffLimit", Number(6)),
    ("completionMode", Text("NonIndexed")),
    ("completions", Number(1)),
    ("concurrencyPolicy", Text("Allow")),
    ("defaultMode", Number(420)),
    ("dnsPolicy", Text("ClusterFirst")),
    ("enableServiceLinks", Bool(true)),
    ("externalTrafficPolicy", Text("Cluster")),
    ("failedJobsHistoryLimit", Number(1)),
    ("failurePolicy", Text("Fail")),
    ("failureThreshold", Number(3)),
    ("imagePullPolicy", Text("Always")),
    ("imagePullPolicy", Text("IfNotPresent")),
    ("internalTrafficPolicy", Text("Cluster")),
    ("ipFamilyPolicy", Text("SingleStack")),
    ("matchPolicy", Text("Equivalent")),
    ("maxSurge", Number(0)),
    ("maxSurge", Text("25%")),
    ("maxUnavailable", Number(1)),
    ("maxUnavailable", Text("25%")),
    ("minReplicas", Number(1)),
    ("parallelism", Number(1)),
    ("partition", Number(0)),
    ("periodSeconds", Number(10)),
    ("persistentVolumeReclaimPolicy", Text("Retain")),
    ("podManagementPolicy", Text("OrderedReady")),
    ("podReplacementPolicy", Text("TerminatingOrFailed")),
    ("progressDeadlineSeconds", Number(600)),
    ("protocol", Text("TCP")),
    ("reinvocationPolicy", Text("Never")),
    ("replicas", Number(1)),
    ("restartPolicy", Text("Always")),
    ("revisionHistoryLimit", Number(10)),
    ("schedulerName", Text("default-scheduler")),
    ("scheme", Text("HTTP")),
    ("scope", Text("*")),
    ("sessionAffinity", Text("None")),
    ("successThreshold", Number(1)),
    ("successfulJobsHistoryLimit", Number(3)),
    ("suspend", Bool(false)),
    ("terminationGracePeriodSeconds", Number(30)),
    ("terminationMessagePath", Text("/dev/termination-log")),
    ("terminationMessagePolicy", Text("File")),
    ("timeoutSeconds", Number(1)),
    ("timeoutSeconds", Number(10)),
    ("type", Text("")),
    ("type", Text("ClusterIP")),
    ("type", Text("Opaque")),
    ("type", Text("RollingUpdate")),
    ("volumeBindingMode", Text("Immediate")),
    ("volumeMode", Text("Filesystem")),
    ("whenDeleted", Text("Retain")),
    ("whenScaled", Text("Retain")),
];

/// Returns `true` if a value is what the API server gives to the field at a path of a built-in kind
/// when nobody names it.
pub(crate) fn is_default(path: &FieldPath, value: &Value) -> bool {
    if *path == FieldPath::from_fields(&["metadata", "labels", "kubernetes.io/metadata.name"]) {
        return true;
    }
    let Some(Elem::Field(name)) = path.0.last() else { return false };
    let in_metadata = matches!(path.0.first(), Some(Elem::Field(first)) if first == "metadata");
    !in_metadata && has_default(name, value)
}

fn has_default(name: &str, value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.iter().all(|(name, value)| has_default(name, value)),
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        scalar => DEFAULTS.iter().any(|(of, default)| *of == name && default.is(scalar)),
    }
}

impl Given {
    fn is(self, value: &Value) -> bool {
        match self {
            Text(text) => value.as_str() == Some(text),
            Number(number) => value.as_i64() == Some(number),
            Bool(truth) => value.as_bool() == Some(truth),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_default_is_known_by_its_field_and_its_value() {
        let at = |fields: &[&str]| FieldPath::from_fields(fields);
        let table = [
            (
                at(&["spec", "strategy", "rollingUpdate"]),
                json!({"maxSurge": "25%", "maxUnavailable": "25%"}),
                true,
            ),
            (
                at(&["spec", "strategy", "rollingUpdate"]),
                json!({"maxSurge": 3, "maxUnavailable": "25%"}),
                false,
            ),
            (at(&["spec", "template", "spec", "securityContext"]), json!({}), true),
            (at(&["spec", "revisionHistoryLimit"]), json!(10), true),
            (at(&["spec", "revisionHistoryLimit"]), json!(3), false),
            (at(&["spec", "paused"]), json!(true), false),
            (at(&["metadata", "labels", "type"]), json!("Opaque"), false),
            (at(&["metadata", "labels", "kubernetes.io/metadata.name"]), json!("shop"), true),
        ];
        for (path, value, expected) in table {
            assert_eq!(is_default(&path, &value), expected, "{path} {value}");
        }
    }
}
