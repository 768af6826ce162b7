//! Fields that the annotation `fluxcd.io/ignore-fields` leaves to others once the object exists.
//!
//! It is a list of JSON pointers into the manifest, with commas or white space between them:
//! `/spec/replicas, /spec/template/spec/containers/0/resources`.

use serde_json::Value;

use super::object;
use crate::schema::path::{Elem, FieldPath};

/// Returns the parts of an object's annotation, each of which should be a pointer.
fn parts(object: &Value) -> Vec<String> {
    let list = object::annotation(object, "ignore-fields").and_then(Value::as_str).unwrap_or_default();
    let parts = list.split(|c: char| c == ',' || c.is_whitespace());
    parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// Returns the path that a pointer means in an object; `None` if it is no pointer or leads nowhere.
fn path_in(object: &Value, pointer: &str) -> Option<FieldPath> {
    let tokens = pointer.strip_prefix('/').filter(|tokens| !tokens.is_empty())?.split('/');
    let tokens: Vec<String> = tokens.map(|token| token.replace("~1", "/").replace("~0", "~")).collect();
    path_of(object, &tokens)
}

/// Returns the parts of an object's annotation that lead to no field.
pub(super) fn leading_nowhere(object: &Value) -> Vec<String> {
    parts(object).into_iter().filter(|pointer| path_in(object, pointer).is_none()).collect()
}

/// Gives the ignored fields of `sent` the values that they have in the cluster, and returns their
/// paths.
///
/// An item of a list is the one of the same name; without names, the one at the same place.
pub(super) fn leave_fields(sent: &mut Value, live: &Value) -> Vec<FieldPath> {
    let mut left = Vec::new();
    for pointer in parts(sent) {
        // One that leads nowhere is a finding.
        let Some(path) = path_in(sent, &pointer) else { continue };
        match path.get(live) {
            Some(value) => {
                if let Some(sent) = path.get_mut(sent) {
                    *sent = value.clone();
                }
            }
            None => path.remove(sent),
        }
        left.push(path);
    }
    left
}

/// Returns the path that a pointer means in an object, whether the last field is there or not;
/// `None` if it leads nowhere.
fn path_of(object: &Value, tokens: &[String]) -> Option<FieldPath> {
    let mut at = Some(object);
    let mut path = FieldPath::default();
    for token in tokens {
        let elem = match at {
            Some(Value::Array(items)) => {
                let index: usize = token.parse().ok()?;
                Elem::key_of(items.get(index)?, &["name"]).unwrap_or(Elem::Index(index))
            }
            Some(Value::Object(_)) => Elem::Field(token.clone()),
            _ => return None,
        };
        path = path.join(elem);
        at = path.get(object);
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ignored_fields_are_sent_as_they_are_in_the_cluster() {
        let list = "/spec/replicas,\n/spec/containers/0/image /spec/gone, /spec/nowhere/x, nonsense";
        let mut sent = json!({"metadata": {"annotations": {"fluxcd.io/ignore-fields": list}},
            "spec": {"replicas": 2, "containers": [{"name": "web", "image": "web:1"}], "gone": 1}});
        let live = json!({"spec": {"replicas": 7,
            "containers": [{"name": "injected", "image": "x"}, {"name": "web", "image": "web:9"}]}});
        let left: Vec<String> = leave_fields(&mut sent, &live).iter().map(ToString::to_string).collect();
        assert_eq!(left, ["spec.replicas", "spec.containers[name=web].image", "spec.gone"]);
        assert_eq!(sent["spec"], json!({"replicas": 7, "containers": [{"name": "web", "image": "web:9"}]}));
    }
}
