//! The origins of the objects that kustomize built.

use std::collections::BTreeMap;

use crate::manifest::DocumentId;

/// A document that describes a built object, wholly or in part.
///
/// Exhaustive: a writer must know why a document is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// The document.
    pub document: DocumentId,
    /// The reason that it is not changed for this object alone, if there is one.
    pub refused: Option<String>,
}

/// The documents that describe each built object.
///
/// The object itself comes first, then its patches, in the order in which they apply.
pub(crate) type Origins = BTreeMap<DocumentId, Vec<Described>>;
