//! The objects of a file as values.

use serde_json::Value;

use crate::manifest::ParsedFile;

/// Returns the objects of a file.
pub(super) fn objects_of(file: &ParsedFile) -> Vec<Value> {
    file.resources.iter().map(|resource| resource.object.value()).collect()
}
