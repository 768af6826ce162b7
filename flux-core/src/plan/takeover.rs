//! How an object is applied that is there already, as data: field ownership that changes hands, and
//! what may be done if the API server refuses it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How an object is applied that is there already.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ApplyOptions {
    /// The ownership of fields that changes hands before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub takeover: Option<Takeover>,
    /// The `metadata.uid` of the object that may be deleted and created anew, if the API server
    /// says that a field cannot be changed and that it would take the new object; `None` if it must
    /// not be deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replace: Option<String>,
    /// `true` if fields that other managers own are taken from them.
    pub force_conflicts: bool,
}

/// Nothing changes hands before, nothing is deleted, and conflicts are forced.
impl Default for ApplyOptions {
    fn default() -> Self {
        Self { takeover: None, replace: None, force_conflicts: true }
    }
}

/// The change of field ownership (`metadata.managedFields`) that an apply needs to do all that git
/// says.
///
/// Server-side apply removes a field that git has dropped only if no other field manager owns it,
/// and cannot remove one that nobody owns. So the fields in question become our own first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Takeover {
    /// The `metadata.resourceVersion` seen.
    pub resource_version: String,
    /// The managed fields seen.
    pub seen: Value,
    /// The managed fields to put on the object before it is applied; `None` to leave them.
    pub before: Option<Value>,
    /// The managed fields to try it with again, if the API server refuses the object as invalid.
    pub if_refused: Option<IfRefused>,
}

impl Takeover {
    /// Returns the managed fields that make `to` of `from` in an object that has `now` instead:
    /// what others have done meanwhile stays.
    ///
    /// `None` if an entry that is to change has changed, so that the plan no longer fits.
    pub fn rebase(from: &Value, to: &Value, now: &Value) -> Option<Value> {
        let entries = |list: &Value| list.as_array().cloned().unwrap_or_default();
        let (from, to, now) = (entries(from), entries(to), entries(now));
        let is_in = |list: &[Value], entry: &Value| list.iter().any(|other| is_same_entry(other, entry));
        let changed = from.iter().filter(|entry| !is_in(&to, entry));
        if !changed.clone().all(|entry| is_in(&now, entry)) {
            return None;
        }
        let theirs = now.iter().filter(|entry| !is_in(&from, entry) || is_in(&to, entry));
        let ours = to.iter().filter(|entry| !is_in(&from, entry));
        Some(theirs.chain(ours).cloned().collect())
    }
}

/// Returns `true` if two entries of managed fields say the same, whenever it was.
fn is_same_entry(one: &Value, other: &Value) -> bool {
    let fields = |entry: &Value| {
        ["manager", "operation", "apiVersion", "subresource", "fieldsV1"].map(|key| entry.get(key).cloned())
    };
    fields(one) == fields(other)
}

/// A second try for an object that the API server refuses because of fields that git does not name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct IfRefused {
    /// The managed fields to put on the object before it is applied again.
    pub managed_fields: Value,
    /// The paths of the fields that go away with it.
    pub fields: Vec<String>,
}

impl IfRefused {
    /// Returns `true` if the API server complains of one of the fields, of something in one, or of
    /// what one is in.
    ///
    /// `causes` are paths as the API server writes them, as in `spec.ports[1].name`.
    pub fn answers<'a>(&self, mut causes: impl Iterator<Item = &'a str>) -> bool {
        let ours: Vec<Vec<&str>> = self.fields.iter().map(|field| names_of(field)).collect();
        causes.any(|cause| {
            let cause = names_of(cause);
            !cause.is_empty() && ours.iter().any(|own| own.starts_with(&cause) || cause.starts_with(own))
        })
    }
}

/// Returns the names of the fields on a path, without what stands in brackets.
fn names_of(path: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut rest = path;
    while let Some(start) = rest.find(|c: char| !matches!(c, '.' | ']')) {
        rest = &rest[start..];
        if rest.starts_with('[') {
            rest = rest.split_once(']').map_or("", |(_, after)| after);
            continue;
        }
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        names.push(&rest[..end]);
        rest = &rest[end..];
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ownership_changes_hands_beside_what_others_do_meanwhile() {
        let entry =
            |manager: &str, field: &str| serde_json::json!({"manager": manager, "fieldsV1": {field: {}}});
        let at = |mut entry: Value| {
            entry["time"] = "2026-11-27T00:00:00Z".into();
            entry
        };
        let from: Value = [entry("kubectl", "f:a"), entry("robot", "f:b")].into_iter().collect();
        let to: Value = [entry("robot", "f:b"), entry("flux", "f:a")].into_iter().collect();
        let now: Value =
            [at(entry("kubectl", "f:a")), entry("robot", "f:c"), entry("new", "f:d")].into_iter().collect();
        let rebased = Takeover::rebase(&from, &to, &now);
        assert_eq!(
            rebased,
            Some([entry("robot", "f:c"), entry("new", "f:d"), entry("flux", "f:a")].into_iter().collect())
        );
        let moved: Value = [entry("kubectl", "f:x")].into_iter().collect();
        assert_eq!(Takeover::rebase(&from, &to, &moved), None);
    }

    #[test]
    fn a_second_try_answers_what_the_api_server_complains_of() {
        let tries = |fields: &[&str]| IfRefused {
            managed_fields: Value::Null,
            fields: fields.iter().map(|&field| field.to_owned()).collect(),
        };
        let strategy = tries(&["spec.strategy.rollingUpdate"]);
        for (cause, expected) in [
            ("spec.strategy.rollingUpdate", true),
            ("spec.strategy", true),
            ("spec", true),
            ("spec.strategy.rollingUpdate.maxSurge", true),
            ("spec.strategy.type", false),
            ("spec.template.spec.containers[0].image", false),
            ("", false),
        ] {
            assert_eq!(strategy.answers([cause].into_iter()), expected, "{cause}");
        }
        let ports = tries(&["spec.ports[port=9000,protocol=TCP]"]);
        assert!(ports.answers(["spec.ports[1].name"].into_iter()));
        let in_container = tries(&[r#"spec.template.spec.containers[name=a.b].x["c.d"]"#]);
        assert!(in_container.answers(["spec.template.spec.containers[0].x"].into_iter()));
    }
}
