//! The rules of selectors, and of the pods that they are to select.

use serde_json::{Map, Value};

use super::{
    at::At,
    fault::{Faults, Path, Step},
    forms::is_final,
    metadata::{annotations, label_entries},
};
use crate::finding::Code;

/// A selector of labels: what it compares with.
pub(super) fn labels<'v>(at: At<'_, 'v>, faults: &mut Faults<'v>) {
    // Those of metrics are for another server, and may compare with anything.
    let is_of_metrics = at.path.0.contains(&Step::Key("metric"));
    if let Some(labels) = at.map("matchLabels").filter(|_| !is_of_metrics) {
        label_entries(labels, &at.path.within(&["matchLabels"]), faults);
    }
    for (n, requirement) in at.list("matchExpressions").iter().enumerate() {
        let Some(operator) = requirement.get("operator").and_then(Value::as_str) else { continue };
        let path = at.path.within(&["matchExpressions"]).item(n);
        let values = requirement.get("values").and_then(Value::as_array).is_some_and(|v| !v.is_empty());
        let problem = match operator {
            "In" | "NotIn" if !values => "needs `values`",
            "Exists" | "DoesNotExist" if values => "takes no `values`",
            "In" | "NotIn" | "Exists" | "DoesNotExist" => continue,
            _ if !is_final(operator) => continue,
            _ => "is none of In, NotIn, Exists, DoesNotExist",
        };
        let evidence = format!("`{path}`: the operator {} {problem}", faults.shown(operator));
        faults.add(Code::InvalidField, path.within(&["operator"]), evidence, "correct the selector");
    }
}

/// A template of pods: its labels and annotations.
pub(super) fn template<'v>(at: At<'_, 'v>, faults: &mut Faults<'v>) {
    let Some(metadata) = at.map("metadata") else { return };
    let path = at.path.within(&["metadata"]);
    if let Some(labels) = metadata.get("labels").and_then(Value::as_object) {
        label_entries(labels, &path.within(&["labels"]), faults);
    }
    if let Some(entries) = metadata.get("annotations").and_then(Value::as_object) {
        annotations(entries, &path.within(&["annotations"]), faults);
    }
}

/// The controllers of `apps`: their selector selects their pods, which restart for ever.
pub(super) fn of_pods<'v>(at: At<'_, 'v>, faults: &mut Faults<'v>) {
    restarts(at, &["Always"], false, faults);
    let Some(selector) = at.map("selector") else { return };
    let match_labels = selector.get("matchLabels").and_then(Value::as_object);
    let expressions = selector.get("matchExpressions").and_then(Value::as_array);
    let expressions = expressions.map(Vec::as_slice).unwrap_or_default();
    let path = at.path.within(&["selector"]);
    if match_labels.is_none_or(Map::is_empty) && expressions.is_empty() {
        let evidence = format!("`{path}` is empty");
        faults.add(Code::InvalidField, path, evidence, "select the labels of the template");
        return;
    }
    let labels = template_labels(at);
    if let Some(match_labels) = match_labels {
        selects(match_labels, &labels, &path.within(&["matchLabels"]), faults);
    }
    for (n, requirement) in expressions.iter().enumerate() {
        if expression_matches(requirement, &labels) == Some(false) {
            let path = path.within(&["matchExpressions"]).item(n);
            let evidence = format!("`{path}` does not select the labels of the template");
            faults.add(Code::InvalidField, path, evidence, SELECT);
        }
    }
}

const SELECT: &str = "let the selector and the labels of the template agree";

/// A controller of the core group: what its selector is has a default.
pub(super) fn of_controllers<'v>(at: At<'_, 'v>, faults: &mut Faults<'v>) {
    restarts(at, &["Always"], false, faults);
    let Some(selector) = at.map("selector") else { return };
    let path = at.path.within(&["selector"]);
    label_entries(selector, &path, faults);
    selects(selector, &template_labels(at), &path, faults);
}

/// A Job: its pods end.
pub(super) fn of_jobs<'v>(at: At<'_, 'v>, faults: &mut Faults<'v>) {
    restarts(at, &["OnFailure", "Never"], true, faults);
}

/// Reports a template whose pods restart otherwise than its controller has it.
fn restarts<'v>(at: At<'_, 'v>, takes: &[&str], is_required: bool, faults: &mut Faults<'v>) {
    let Some(spec) = at.map("template").and_then(|template| template.get("spec")?.as_object()) else {
        return;
    };
    let path = at.path.within(&["template", "spec"]);
    match spec.get("restartPolicy") {
        Some(Value::String(policy)) if takes.contains(&policy.as_str()) || !is_final(policy) => {}
        // The walk tells of what is no policy at all.
        Some(Value::String(policy)) if !["Always", "OnFailure", "Never"].contains(&policy.as_str()) => {}
        Some(Value::String(policy)) => {
            let path = path.within(&["restartPolicy"]);
            let evidence = format!("`{path}` is {policy}, and pods of this kind take {}", takes.join(" or "));
            faults.add(Code::InvalidField, path, evidence, format!("write {}", takes.join(" or ")));
        }
        None | Some(Value::Null) if is_required => {
            let evidence = format!("`{path}` has no `restartPolicy`, and its default is Always");
            faults.add(Code::InvalidField, path, evidence, format!("write {}", takes.join(" or ")));
        }
        _ => {}
    }
}

/// Returns the labels of the template of a controller.
fn template_labels(at: At<'_, '_>) -> Map<String, Value> {
    let labels = at.map("template").and_then(|template| template.get("metadata")?.get("labels"));
    labels.and_then(Value::as_object).cloned().unwrap_or_default()
}

/// Reports the labels of a selector that a template has not.
fn selects<'v>(
    selector: &'v Map<String, Value>,
    labels: &Map<String, Value>,
    path: &Path<'v>,
    faults: &mut Faults<'v>,
) {
    for (key, value) in selector {
        let Some(value) = value.as_str().filter(|value| is_final(value) && is_final(key)) else { continue };
        let has = labels.get(key).unwrap_or(&Value::Null);
        // The walk tells of a label that is no text.
        if !matches!(has, Value::Null | Value::String(_)) || has.as_str().is_some_and(|has| !is_final(has)) {
            continue;
        }
        if has.as_str() != Some(value) {
            let path = path.within(&[key]);
            let evidence = format!("`{path}` is {}, and the template has no such label", faults.shown(value));
            faults.add(Code::InvalidField, path, evidence, SELECT);
        }
    }
}

/// Returns whether an expression holds for labels; `None` if it is not understood.
fn expression_matches(requirement: &Value, labels: &Map<String, Value>) -> Option<bool> {
    let key = requirement.get("key")?.as_str()?;
    let has = labels.get(key).and_then(Value::as_str);
    let values: Option<Vec<&str>> = match requirement.get("values") {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(values) => values.as_array()?.iter().map(Value::as_str).collect(),
    };
    let values = values?;
    match requirement.get("operator")?.as_str()? {
        "In" => Some(has.is_some_and(|has| values.contains(&has))),
        "NotIn" => Some(has.is_none_or(|has| !values.contains(&has))),
        "Exists" => Some(labels.contains_key(key)),
        "DoesNotExist" => Some(!labels.contains_key(key)),
        _ => None,
    }
}
