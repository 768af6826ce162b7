//! The note that goes with the commit of a plan: JSON that the tools of Flux v1 read and write.
//!
//! v1 knows the types `image`, `auto`, `containers`, `policy` and `sync`, and refuses a note of any
//! other, or one in which a workload id has an API group. So a rollback is written as a release of
//! containers, with the revision beside it, and ids are written without their group.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    reason::Status,
    release::ReleasePlan,
    request::{ContainerUpdate, ImageTarget, Operation, PolicyUpdate, Selection},
};
use crate::manifest::WorkloadId;

impl ReleasePlan {
    /// Returns the note that goes with the commit: v1's JSON, with the plan's id as the job's.
    pub fn note(&self) -> String {
        let cause = &self.request.cause;
        let (kind, spec) = self.note_spec();
        json!({
            "jobID": self.id,
            "spec": {
                "type": kind,
                "cause": {
                    "Message": cause.message.as_deref().unwrap_or_default(),
                    "User": cause.user.as_deref().unwrap_or_default(),
                },
                "spec": spec,
            },
            "result": self.note_result(),
        })
        .to_string()
    }

    /// Returns the type of the note, and its `spec` of that type.
    fn note_spec(&self) -> (&'static str, Value) {
        match &self.request.operation {
            Operation::Image(release) => {
                let workloads = match &release.workloads {
                    Selection::All => vec!["<all>".to_owned()],
                    Selection::Named(ids) => ids.iter().map(v1_id).collect(),
                };
                let image = match &release.image {
                    ImageTarget::Latest => "<all latest>".to_owned(),
                    ImageTarget::Image(image) => image.to_string(),
                };
                let spec = json!({
                    "ServiceSpecs": workloads,
                    "ImageSpec": image,
                    "Kind": "execute",
                    "Excludes": release.exclude.iter().map(v1_id).collect::<Vec<_>>(),
                    "Force": release.force,
                });
                ("image", spec)
            }
            Operation::Auto => ("auto", json!({"Changes": self.changes()})),
            Operation::Containers(release) => {
                let updates = release.containers.iter();
                let updates = updates.map(|(id, updates)| (id, updates.iter().map(update).collect()));
                let spec = json!({
                    "Kind": "execute",
                    "ContainerSpecs": by_id(updates),
                    "SkipMismatches": release.skip_mismatches,
                    "Force": release.force,
                });
                ("containers", spec)
            }
            Operation::Policy(change) => {
                let set = |PolicyUpdate { add, remove }: &PolicyUpdate| json!({"add": add, "remove": remove});
                ("policy", by_id(change.updates.iter().map(|(id, update)| (id, set(update)))))
            }
            Operation::Rollback(back) => {
                let updates = self.workloads.keys().map(|id| (id, self.updates(id)));
                let spec = json!({
                    "Kind": "execute",
                    "ContainerSpecs": by_id(updates.filter(|(_, updates)| *updates != json!([]))),
                    "SkipMismatches": false,
                    "Force": back.force,
                    // v1 passes over what it does not know.
                    "Rollback": {"Revision": back.to},
                });
                ("containers", spec)
            }
        }
    }

    /// Returns the results by workload, without those that were not asked for.
    fn note_result(&self) -> Value {
        let asked = self.workloads.iter().filter(|(_, verdict)| verdict.status != Status::Ignored);
        by_id(asked.map(|(id, verdict)| {
            let mut entry = json!({"Status": verdict.status, "PerContainer": self.updates(id)});
            if !verdict.message.is_empty() {
                entry["Error"] = verdict.message.clone().into();
            }
            (id, entry)
        }))
    }

    /// Returns the updates of a workload as a list of v1's container updates.
    fn updates(&self, id: &WorkloadId) -> Value {
        let containers = self.workloads.get(id).into_iter().flat_map(|verdict| &verdict.containers);
        containers
            .filter_map(|c| {
                let target = c.target.as_ref()?;
                Some(json!({"Container": c.container, "Current": c.current, "Target": target}))
            })
            .collect()
    }

    /// Returns the updates of all workloads as v1 writes those of automation.
    fn changes(&self) -> Vec<Value> {
        self.workloads
            .iter()
            .flat_map(|(id, verdict)| verdict.containers.iter().map(move |c| (id, c)))
            .filter_map(|(id, c)| {
                let target = c.target.as_ref()?;
                let container = json!({"Name": c.container, "Image": c.current});
                Some(json!({"WorkloadID": v1_id(id), "Container": container, "ImageID": target}))
            })
            .collect()
    }
}

/// Returns an update as v1 writes it; an expected image that does not matter is left out.
fn update(ContainerUpdate { container, current, target }: &ContainerUpdate) -> Value {
    let mut update = json!({"Container": container, "Target": target});
    if let Some(current) = current {
        update["Current"] = json!(current);
    }
    update
}

/// Returns values by the texts of ids.
fn by_id<'a>(values: impl IntoIterator<Item = (&'a WorkloadId, Value)>) -> Value {
    values.into_iter().map(|(id, value)| (v1_id(id), value)).collect::<Map<_, _>>().into()
}

/// Returns an id as v1 can read it: without the API group.
fn v1_id(id: &WorkloadId) -> String {
    WorkloadId::new(id.namespace(), id.kind(), id.name()).to_string()
}

/// The kinds of commits that matter to what comes after them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoteKind {
    /// A release of automation.
    Automation,
    /// A rollback.
    Rollback,
    /// Anything else that this library or v1 did for a person.
    Other,
}

/// Reads the kind of a commit off its note; `None` if the note is not of this library or v1.
pub(crate) fn note_kind(note: &str) -> Option<NoteKind> {
    let note: Note = serde_json::from_str(note).ok()?;
    Some(match note.spec.kind.as_str() {
        "auto" => NoteKind::Automation,
        // Before 0.2 a rollback had a type of its own.
        "rollback" => NoteKind::Rollback,
        "containers" if note.spec.spec.get("Rollback").is_some() => NoteKind::Rollback,
        _ => NoteKind::Other,
    })
}

#[derive(Deserialize)]
struct Note {
    spec: NoteSpec,
}

#[derive(Deserialize)]
struct NoteSpec {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    spec: Value,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_of_a_commit_is_read_off_old_and_new_notes() {
        let kind = |spec: Value| note_kind(&json!({"jobID": "x", "spec": spec}).to_string());
        let rollback = json!({"ContainerSpecs": {}, "Rollback": {"Revision": "abc"}});
        let table = [
            (json!({"type": "auto", "spec": {"Changes": []}}), NoteKind::Automation),
            (json!({"type": "rollback", "spec": {"Revision": "abc"}}), NoteKind::Rollback),
            (json!({"type": "containers", "spec": rollback}), NoteKind::Rollback),
            (json!({"type": "containers", "spec": {"ContainerSpecs": {}}}), NoteKind::Other),
            (json!({"type": "policy"}), NoteKind::Other),
        ];
        for (spec, expected) in table {
            assert_eq!(kind(spec.clone()), Some(expected), "{spec}");
        }
        assert_eq!(note_kind("not JSON"), None);
        assert_eq!(note_kind("{}"), None);
    }
}
