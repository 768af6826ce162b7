//! Where the objects that kustomize built come from.

use std::collections::BTreeMap;

/// A document that describes an object that was built, wholly or in part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// Its file.
    pub path: String,
    /// Its index in the file.
    pub resource: usize,
    /// Why it is not changed for this object alone, if so.
    pub refused: Option<String>,
}

/// The documents that describe each object that was built, by the path under which it is known and its index: the object itself, then the patches of
/// it, the last word last.
pub(crate) type Origins = BTreeMap<(String, usize), Vec<Described>>;
