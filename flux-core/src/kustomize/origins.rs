//! The origins of the objects that kustomize built.

use std::collections::BTreeMap;

/// A document that describes a built object, wholly or in part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// Its file.
    pub path: String,
    /// Its index in the file.
    pub resource: usize,
    /// The reason that it is not changed for this object alone, if there is one.
    pub refused: Option<String>,
}

/// The documents that describe each built object, by the object's path and its index.
///
/// The object itself comes first, then its patches, in the order in which they apply.
pub(crate) type Origins = BTreeMap<(String, usize), Vec<Described>>;
