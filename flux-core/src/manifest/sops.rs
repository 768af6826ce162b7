//! Objects that SOPS has encrypted: how they are recognised, and the problems reported for them.

use serde_json::{Map, Value};

use crate::{
    finding::{Code, Problem},
    yaml::cursor::Cursor,
};

/// Returns `true` if SOPS has encrypted an object.
pub(crate) fn is_sealed(object: &Map<String, Value>) -> bool {
    object.get("sops").and_then(|sops| sops.get("mac")).is_some_and(Value::is_string)
}

/// Returns the problem of an encrypted object.
pub(crate) fn encrypted(at: &Cursor<'_, '_>, subject: &str) -> Problem {
    let evidence = "the document is encrypted with SOPS: it is left alone";
    Problem::new(Code::Encrypted, at.position(), evidence, "edit it with sops").about(subject)
}

/// Returns the problem of a document that holds objects, or held some before SOPS encrypted it.
pub(crate) fn sealed_whole(at: &Cursor<'_, '_>) -> Problem {
    let evidence = "it is encrypted with SOPS as a whole: which objects it holds is not known";
    let remedy = "encrypt each object by itself, or keep it outside of the synced paths";
    Problem::new(Code::Sealed, at.position(), evidence, remedy)
}
