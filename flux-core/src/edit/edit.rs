//! Edits as data: the bytes of a file that change, and the values that are to differ afterwards.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A replacement of bytes in one file.
///
/// Exhaustive: to apply it is to know all of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Edit {
    /// The first byte replaced.
    pub start: usize,
    /// The byte after the last one replaced.
    pub end: usize,
    /// The bytes that are there now.
    pub before: String,
    /// The bytes that replace them.
    pub after: String,
}

/// The change of a value that an edit is intended to make.
///
/// [`prove`](super::prove) checks the result against it.
///
/// Exhaustive: to prove an edit is to know all that it may change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    /// The index of the object in the file.
    pub resource: usize,
    /// The path of the value within the object, as a JSON pointer.
    pub pointer: String,
    /// The new value; `None` to remove the value.
    pub value: Option<Value>,
}

/// The reason that an edit cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// The file is not the one that the edit was made for.
    #[error("the bytes {start}..{end} are not what the edit expects")]
    Mismatch {
        /// The first byte of the edit.
        start: usize,
        /// The byte after the last one of the edit.
        end: usize,
    },
    /// The shape of the document does not allow an edit in place.
    #[error("cannot be edited in place: {0}")]
    Unsupported(String),
    /// Another container of the same object cannot be edited, and an object changes as a whole or
    /// not at all.
    #[error("another container of the workload cannot be edited")]
    NotAlone,
    /// The values of the edited file are not exactly the intended ones.
    #[error("the edit would change more than was intended, or something else: {0}")]
    NotProven(String),
}

/// Applies edits to a file.
///
/// Edits may come in any order and must not overlap.
///
/// # Errors
/// [`EditError::Mismatch`] if the file does not have the bytes that an edit expects, or two edits
/// overlap.
pub fn apply(source: &[u8], edits: &[Edit]) -> Result<Vec<u8>, EditError> {
    let mut sorted: Vec<&Edit> = edits.iter().collect();
    sorted.sort();
    sorted.dedup();
    let grown: usize = sorted.iter().map(|edit| edit.after.len()).sum();
    let mut out = Vec::with_capacity(source.len() + grown);
    let mut at = 0;
    for edit in sorted {
        let mismatch = || EditError::Mismatch { start: edit.start, end: edit.end };
        let kept = source.get(at..edit.start).ok_or_else(mismatch)?;
        if source.get(edit.start..edit.end) != Some(edit.before.as_bytes()) {
            return Err(mismatch());
        }
        out.extend_from_slice(kept);
        out.extend_from_slice(edit.after.as_bytes());
        at = edit.end;
    }
    out.extend_from_slice(&source[at..]);
    Ok(out)
}
