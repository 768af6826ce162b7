//! The rules of other kinds: updates, schedules, autoscalers, budgets, ingresses and rights.

use serde_json::Value;

use super::{
    at::At,
    fault::Faults,
    forms::{is_final, is_share, whole},
    ports::{port_name, port_number},
};
use crate::finding::Code;

/// How a Deployment updates: `rollingUpdate` is for `RollingUpdate`.
pub(super) fn strategy<'v>(at: At<'_, 'v>, faults: &mut Faults<'v>) {
    if at.text("type") == Some("Recreate") && at.get("rollingUpdate").is_some() {
        let path = at.path.within(&["rollingUpdate"]);
        let evidence =
            format!("`{path}` goes with the type RollingUpdate, and `{}.type` is Recreate", at.path);
        faults.add_on_key(Code::InvalidField, path, evidence, "remove it");
    }
}

/// An autoscaler keeps between two numbers.
pub(super) fn scaling<'v>(at: At<'_, 'v>, faults: &mut Faults<'v>) {
    let number = |key: &str| at.get(key).and_then(whole);
    if let Some((least, most)) = number("minReplicas").zip(number("maxReplicas"))
        && least > most
    {
        let path = at.path.within(&["minReplicas"]);
        let evidence = format!("`{path}` is {least}, and `maxReplicas` is {most}");
        faults.add(Code::InvalidField, path, evidence, "correct one of them");
    }
}

/// The schedule of a CronJob has five fields, or is a name as `@daily`.
pub(super) fn schedule<'v>(at: At<'_, 'v>, faults: &mut Faults<'v>) {
    let Some(schedule) = at.text("schedule").filter(|text| is_final(text)) else { return };
    let fields = schedule.split_whitespace().count();
    if !schedule.starts_with('@') && !schedule.contains("TZ=") && fields != 5 {
        let path = at.path.within(&["schedule"]);
        let evidence = format!("`{path}` is {}, which has {fields} fields", faults.shown(schedule));
        let remedy = "write minute, hour, day of the month, month and day of the week";
        faults.add(Code::InvalidField, path, evidence, remedy);
    }
}

/// Reports numbers of pods that are neither counted nor a share.
fn shares<'v>(at: At<'_, 'v>, keys: &[&'static str], faults: &mut Faults<'v>) {
    for key in keys {
        let Some(value) = at.get(key).filter(|value| value.as_str().is_none_or(is_final)) else { continue };
        if (value.is_string() || value.is_number()) && !is_share(value) {
            let path = at.path.within(&[key]);
            let evidence = format!("`{path}` is {value}, and a number from 0 on or a share as 25% is needed");
            faults.add(Code::InvalidField, path, evidence, "write a number without quotes, or add the `%`");
        }
    }
}

/// How many pods are updated at a time.
pub(super) fn rolling_update<'v>(at: At<'_, 'v>, faults: &mut Faults<'v>) {
    shares(at, &["maxSurge", "maxUnavailable"], faults);
}

/// A port that a policy of the network lets through.
pub(super) fn policy_port<'v>(at: At<'_, 'v>, faults: &mut Faults<'v>) {
    port_number(at, "port", false, faults);
    port_name(at, "port", faults);
}

/// Reports a text that is none of those which the API server takes.
fn choice<'v>(at: At<'_, 'v>, key: &'static str, choices: &[&str], faults: &mut Faults<'v>) {
    if let Some(text) = at.text(key).filter(|text| is_final(text) && !choices.contains(text)) {
        let path = at.path.within(&[key]);
        let evidence = format!("`{path}` is {}, which is none of its values", faults.shown(text));
        faults.add(Code::InvalidField, path, evidence, format!("it takes {}", choices.join(", ")));
    }
}

/// The role of a binding.
pub(super) fn role_ref<'v>(at: At<'_, 'v>, faults: &mut Faults<'v>) {
    choice(at, "kind", &["Role", "ClusterRole"], faults);
}

/// The one who gets a role.
pub(super) fn subject<'v>(at: At<'_, 'v>, faults: &mut Faults<'v>) {
    choice(at, "kind", &["ServiceAccount", "User", "Group"], faults);
}

/// A budget has one limit.
pub(super) fn budget<'v>(at: At<'_, 'v>, faults: &mut Faults<'v>) {
    shares(at, &["minAvailable", "maxUnavailable"], faults);
    if at.get("minAvailable").is_some() && at.get("maxUnavailable").is_some() {
        let path = at.path.within(&["maxUnavailable"]);
        let evidence = format!("`{}` has both `minAvailable` and `maxUnavailable`", at.path);
        faults.add_on_key(Code::InvalidField, path, evidence, "keep one of them");
    }
}

/// A path of an Ingress starts with `/`.
pub(super) fn ingress_path<'v>(at: At<'_, 'v>, faults: &mut Faults<'v>) {
    let path = at.text("path").unwrap_or_default();
    let is_plain = matches!(at.text("pathType"), Some("Exact" | "Prefix"));
    if is_plain && is_final(path) && !path.starts_with('/') && at.get("path").is_none_or(Value::is_string) {
        let evidence = format!("`{}.path` does not start with `/`", at.path);
        faults.add(Code::InvalidField, at.path.within(&["path"]), evidence, "start it with `/`");
    }
}

/// A rule of a role allows something.
pub(super) fn access<'v>(at: At<'_, 'v>, faults: &mut Faults<'v>) {
    if at.get("verbs").and_then(Value::as_array).is_some_and(Vec::is_empty) {
        let evidence = format!("`{}.verbs` is empty", at.path);
        faults.add(Code::InvalidField, at.path.within(&["verbs"]), evidence, "name the verbs");
    }
}
