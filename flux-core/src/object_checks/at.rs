//! The object that a rule looks at.

use serde_json::{Map, Value};

use super::fault::Path;

/// The entries of an object that rules look at, and where it stands.
#[derive(Clone, Copy)]
pub(super) struct At<'a, 'v> {
    pub(super) entries: &'v Map<String, Value>,
    pub(super) path: &'a Path<'v>,
}

impl<'v> At<'_, 'v> {
    /// Returns the value of a field, unless it is null.
    pub(super) fn get(&self, key: &str) -> Option<&'v Value> {
        self.entries.get(key).filter(|value| !value.is_null())
    }

    pub(super) fn text(&self, key: &str) -> Option<&'v str> {
        self.get(key)?.as_str()
    }

    pub(super) fn list(&self, key: &str) -> &'v [Value] {
        self.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
    }

    pub(super) fn map(&self, key: &str) -> Option<&'v Map<String, Value>> {
        self.get(key)?.as_object()
    }

    /// Returns those of these fields that there are.
    pub(super) fn those_of(&self, keys: &[&'static str]) -> Vec<&'static str> {
        keys.iter().copied().filter(|key| self.get(key).is_some()).collect()
    }
}
