//! Reading annotations, with the positions of their values.

use serde_json::Value;

use super::{Annotation, Annotations};
use crate::yaml::cursor::Cursor;

/// Returns the annotations of an object.
///
/// A value that is no string to YAML (`fluxcd.io/automated: true`) is taken as it is written.
pub(crate) fn annotations(at: &Cursor<'_, '_>, metadata: Option<&Value>) -> Annotations {
    let Some(values) = metadata.and_then(|m| m.get("annotations")) else { return Annotations::default() };
    let entries = at.path(&["metadata", "annotations"]).and_then(|a| a.entries()).unwrap_or_default();
    let annotation = |(key, at): (String, Cursor<'_, '_>)| {
        let value = match values.get(&key)? {
            Value::String(text) => text.clone(),
            Value::Bool(_) | Value::Number(_) => at.scalar()?.0.to_owned(),
            Value::Null => return None,
            // Neither Kubernetes nor any policy accepts such a value, but its presence must not be
            // lost.
            other => other.to_string(),
        };
        Some((key, Annotation { value, position: at.position() }))
    };
    entries.into_iter().filter_map(annotation).collect()
}
