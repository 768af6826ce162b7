//! Jobs that go by their own time limit (`ttlSecondsAfterFinished`).
//!
//! To a sync, a Job that has run and is gone looks like one that was never there: it would run
//! again and again. So a record stands in for it: a ConfigMap beside it that holds the checksum of
//! what was run. It is written when the Job was created, and pruned when git no longer names the
//! Job.

use serde_json::{Value, json};

use super::{
    SyncSet,
    mark::{self, Owned},
    object,
};
use crate::{manifest::ResourceId, object::Object};

/// The end of the name of a record.
const SUFFIX: &str = ".has-run.fluxcd.io";
/// The key of the checksum.
const CHECKSUM: &str = "checksum";

/// Returns the id of the record of an object, if it is a Job that goes by its own time limit.
pub(super) fn record_id(id: &ResourceId, object: &Value) -> Option<ResourceId> {
    let is_job = id.kind() == "Job" && id.group() == "batch";
    let goes = object["spec"]["ttlSecondsAfterFinished"].is_number();
    (is_job && goes).then(|| record_of(id))
}

/// Returns the id of the record of an object as [`record_id`] does; no other kind is looked into.
pub(super) fn record_id_of(id: &ResourceId, object: &Object) -> Option<ResourceId> {
    if object.kind() == "Job" { record_id(id, &object.value()) } else { None }
}

/// Returns the id of the record that an object has if it is such a Job.
pub(crate) fn record_of(id: &ResourceId) -> ResourceId {
    ResourceId::new(id.namespace(), "ConfigMap", &format!("{}{SUFFIX}", id.name()), "")
}

/// Returns the record of a Job with a checksum.
pub(super) fn record(id: &ResourceId, object: &Value, checksum: &str, sync_set: &SyncSet) -> Option<Object> {
    let record_id = record_id(id, object)?;
    let mut record = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": record_id.name(), "namespace": record_id.namespace()},
        "data": {"job": id.name(), CHECKSUM: checksum},
    });
    let mark = mark::value(Owned::Created, sync_set, &record_id);
    let of_record = object::checksum(&record);
    object::put_mark(&mut record, mark, of_record, None);
    Some(record.into())
}

/// Returns `true` if a record says that a Job with this checksum has run.
pub(super) fn has_run(record: &Value, checksum: &str) -> bool {
    record["data"][CHECKSUM].as_str() == Some(checksum)
}
