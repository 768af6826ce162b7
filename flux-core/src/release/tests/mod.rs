//! The rules of releases, on plain data: no runtime, no backend.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;

mod constraints;
mod explain;
mod named_containers;
mod notes;
mod properties;
mod sources;
mod verdicts;

use crate::{
    backend::{Completeness, Error as BackendError, InspectError, Revision},
    finding::Code,
    image::{ArtifactKind, DatePreference, ImageInfo, ImageName, Tag},
    manifest::WorkloadId,
    manifest_set::Manifests,
    release::*,
    workload,
};

const NOW: &str = "2016-11-18T16:35:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

/// Returns a Deployment with one container of the same name.
fn deployment(name: &str, image: &str, annotations: &[(&str, &str)]) -> String {
    let annotations: String = annotations.iter().map(|(k, v)| format!("    {k}: '{v}'\n")).collect();
    let annotations =
        if annotations.is_empty() { String::new() } else { format!("  annotations:\n{annotations}") };
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\n  namespace: shop\n{annotations}spec:\n  template:\n    spec:\n      \
         containers:\n      - name: {name}\n        image: {image} # runs\n"
    )
}

fn snapshot(files: &[(&str, String)], images: &[(&str, &[(&str, Option<&str>)])]) -> Snapshot {
    let parsed = files
        .iter()
        .map(|(path, text)| (path.parse().unwrap(), Arc::new(workload::parse(text.as_bytes()))))
        .collect();
    let mut facts = ImageFacts::default();
    for (name, tags) in images {
        let name: ImageName = name.parse().unwrap();
        let images: BTreeMap<Tag, Result<ImageInfo, InspectError>> = tags
            .iter()
            .map(|(tag, created)| {
                let created = created.map(|c| c.parse().unwrap());
                (tag.parse().unwrap(), Ok(ImageInfo { created, ..ImageInfo::default() }))
            })
            .collect();
        let known = RepositoryFacts {
            tags: images.keys().cloned().collect(),
            completeness: Completeness::Complete,
            images,
            dates: DatePreference::default(),
        };
        facts.repositories.insert(name.canonical(), Ok(known));
    }
    Snapshot {
        images: facts,
        sources: files.iter().map(|(path, text)| (path.parse().unwrap(), text.clone().into())).collect(),
        ..Snapshot::new(Revision::new("0123456789"), Arc::new(Manifests::new(parsed)))
    }
}

const WEB: &[(&str, Option<&str>)] = &[
    ("1.0", Some("2016-11-01T00:00:00Z")),
    ("1.1", Some("2016-11-10T00:00:00Z")),
    ("latest", Some("2016-11-12T00:00:00Z")),
    ("dev-1", Some("2016-11-11T00:00:00Z")),
];

fn id(text: &str) -> WorkloadId {
    text.parse().unwrap()
}

fn web() -> WorkloadId {
    id("shop:deployment/web")
}

fn latest() -> Request {
    Request::latest(web())
}

#[track_caller]
fn verdict(plan: &ReleasePlan, status: Status, reason: Reason, message: &str) {
    let verdict = &plan.workloads[&web()];
    assert_eq!((verdict.status, verdict.reason, verdict.message.as_str()), (status, reason, message));
}

/// Plans, and checks what holds of every plan.
///
/// Every test of this folder plans through it.
#[track_caller]
fn plan(snapshot: &Snapshot, request: &Request, now: Timestamp) -> ReleasePlan {
    let (plan, files) = plan_with_files(snapshot, request, now);
    assert_eq!(super::plan(snapshot, request, now), plan, "equal inputs give equal plans");
    assert_eq!(plan.files(&snapshot.sources).unwrap(), files, "the plan makes the files it was verified by");
    assert_eq!(plan.edits_by_path().len(), files.len());
    assert_eq!(check_at(&plan, snapshot, now), [], "{plan:?}");
    plan
}
