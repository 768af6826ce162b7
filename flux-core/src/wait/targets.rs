//! The objects that a wait is for, and what is expected of each.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    backend::{Completeness, Observation, Observed, Scope},
    health::{Evidence, EvidenceCode, Health, HealthStatus, harmless, health_of},
    image::ImageRef,
    manifest::{Container, ResourceId},
    object::Object,
    sync::{self, Outcome, Reason, ResourceReport, SyncReport},
    workload,
};

/// The objects that a wait is for.
#[derive(Debug, Default)]
pub(super) struct Targets {
    /// The scope of the observations.
    pub(super) scope: Scope,
    pub(super) expected: BTreeMap<ResourceId, Expected>,
}

/// The state that is expected of an object.
#[derive(Debug)]
pub(super) enum Expected {
    /// That it is current, and runs these images by its containers' names.
    Current(BTreeMap<String, Released>),
    /// That it is gone.
    Gone,
    /// Nothing more: its health is known.
    Known(Health),
}

/// An image that was released to a container.
#[derive(Debug)]
pub(super) struct Released {
    pub(super) image: ImageRef,
    /// The scalars that say it in git, by JSON pointers: for containers that only a rule or a
    /// comment in git tells of.
    pub(super) written: Vec<(String, Value)>,
}

impl Expected {
    /// Returns what is expected of an object after a sync; `None` for one that the sync has left to
    /// others.
    fn of(report: &ResourceReport) -> Option<Self> {
        Some(match (report.outcome, report.reason) {
            (Outcome::Created | Outcome::Changed | Outcome::Unchanged, _)
            | (Outcome::Skipped, Reason::Drifted) => Self::Current(BTreeMap::new()),
            (Outcome::Pruned, _) => Self::Gone,
            (Outcome::Skipped, Reason::HasRun) => {
                Self::Known(Health::new(HealthStatus::Current, "the Job has run"))
            }
            (Outcome::Skipped, _) => return None,
            (Outcome::Failed, reason) => {
                let why =
                    if report.message.is_empty() { reason.to_string() } else { harmless(&report.message) };
                let health = Health::new(HealthStatus::Failed, format!("it could not be applied: {why}"));
                Self::Known(health.with(EvidenceCode::NotApplied, why))
            }
        })
    }

    /// Returns the health of the object as it was seen, without what its pods say; `before` is
    /// that of the last look.
    fn judge(
        &self,
        object: Option<&Value>,
        seen: &Observation<Observed>,
        id: &ResourceId,
        before: Option<&Health>,
    ) -> Health {
        let health = match self {
            Self::Known(health) => return health.clone(),
            Self::Current(_) | Self::Gone => health_of(object),
        };
        if health.status == HealthStatus::NotFound && !seen.has_seen(id.group(), id.kind()) {
            return Health::new(HealthStatus::Unknown, unseen(&seen.completeness, id.kind()));
        }
        if health.status == HealthStatus::NotFound && is_gone_job(id, seen) {
            let known =
                |health: &&Health| matches!(health.status, HealthStatus::Failed | HealthStatus::Current);
            return match before.filter(known) {
                Some(known) => known.clone(),
                None => Health::new(
                    HealthStatus::Failed,
                    "the Job is gone, by its own time limit or by hand, and whether it succeeded was not seen",
                ),
            };
        }
        match (self, object) {
            (Self::Gone, None) => Health::new(HealthStatus::Current, "it is gone"),
            (Self::Current(images), Some(object)) => {
                let has_status = object.get("status").is_some_and(Value::is_object);
                let health = match health.status {
                    // Nobody will ever report on it.
                    HealthStatus::InProgress if !seen.value.has_controllers && !has_status => {
                        Health::new(HealthStatus::Current, "it is there, and no controller reports on it")
                    }
                    _ => health,
                };
                with_images(health, object, images)
            }
            _ => health,
        }
    }
}

impl Targets {
    /// Returns the objects of a sync that has been carried out, which were observed by `scope`.
    pub(super) fn of_sync(report: &SyncReport, scope: Scope) -> Self {
        let expected = report.resources.iter();
        let expected = expected.filter_map(|resource| Some((resource.id.clone(), Expected::of(resource)?)));
        Self { scope, expected: expected.collect() }
    }

    /// Returns the health of each object, without what pods say, and the objects that were found;
    /// `before` are the healths of the last look.
    pub(super) fn judge(
        &self,
        seen: &Observation<Observed>,
        before: &BTreeMap<ResourceId, Health>,
    ) -> BTreeMap<ResourceId, (Health, Option<Value>)> {
        let judged = self.expected.iter().map(|(id, expected)| {
            let object = seen.value.objects.get(id).map(Object::value);
            (id.clone(), (expected.judge(object.as_ref(), seen, id, before.get(id)), object))
        });
        judged.collect()
    }
}

/// Returns why objects of a kind could not be seen in full, as far as the cluster says.
fn unseen(completeness: &Completeness, kind: &str) -> String {
    let why = match completeness {
        Completeness::Partial(missing) => missing.iter().find(|missing| missing.contains(kind)).cloned(),
        Completeness::Stale { reason, .. } => Some(reason.clone()),
        Completeness::Complete => None,
    };
    why.map_or_else(|| "it could not be seen".to_owned(), |why| format!("it could not be seen: {why}"))
}

/// Returns `true` if an object that is not there is a Job that was applied and goes by its own time
/// limit.
fn is_gone_job(id: &ResourceId, seen: &Observation<Observed>) -> bool {
    let is_job = id.kind() == "Job" && id.group() == "batch";
    is_job && seen.value.objects.contains_key(&sync::record_of(id))
}

/// Takes an object for not current while its containers have other images than those expected.
fn with_images(health: Health, object: &Value, expected: &BTreeMap<String, Released>) -> Health {
    if expected.is_empty() {
        return health;
    }
    let spec = json!({"apiVersion": object["apiVersion"], "kind": object["kind"],
        "metadata": {"name": object["metadata"]["name"]}, "spec": object["spec"]});
    let parsed = workload::parse(spec.to_string().as_bytes());
    let containers: Vec<&Container> =
        parsed.resources.iter().filter_map(|resource| resource.workload.as_ref()).flatten().collect();
    let differs = |image: &ImageRef, other: &ImageRef| {
        image.name.canonical() != other.name.canonical()
            || image.tag != other.tag
            || image.digest != other.digest
    };
    let others: Vec<Evidence> = expected
        .iter()
        .filter_map(|(name, Released { image: wanted, written })| {
            let runs = match containers.iter().find(|container| container.name == *name) {
                Some(container) => {
                    container.image.as_ref().ok().filter(|image| differs(image, wanted))?.to_string()
                }
                None if written.is_empty() => "no such container".to_owned(),
                None if written.iter().all(|(at, value)| object.pointer(at) == Some(value)) => return None,
                None => "another image".to_owned(),
            };
            let message = format!("the cluster has {runs}, and {wanted} was released");
            let health = Health::new(HealthStatus::InProgress, "").with(EvidenceCode::OtherImage, message);
            let evidence = health.evidence.into_iter().next()?;
            Some(Evidence { subject: format!("container {name}"), ..evidence })
        })
        .collect();
    if others.is_empty() {
        return health;
    }
    let message = "the released image has not reached the cluster; is a sync under way?";
    Health::new(HealthStatus::InProgress, message).with_all(others)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_that_could_not_be_seen_is_not_taken_for_one_that_is_not_there() {
        let id = |kind: &str| ResourceId::new(None, kind, "a", "example.com");
        let unseen = [("example.com".to_owned(), "Widget".to_owned())].into();
        let missing =
            vec!["Gadget (example.com/v1): x".to_owned(), "Widget (example.com/v1): forbidden".to_owned()];
        let seen = Observation {
            value: Observed { unseen, ..Observed::default() },
            completeness: Completeness::Partial(missing),
            authority: String::new(),
        };
        let judge =
            |expected: &Expected, kind: &str| expected.judge(None, &seen, &id(kind), None).to_string();
        let current = Expected::Current(BTreeMap::new());
        let because = "Unknown: it could not be seen: Widget (example.com/v1): forbidden";
        assert_eq!(judge(&current, "Widget"), because);
        assert_eq!(judge(&Expected::Gone, "Widget"), because);
        assert_eq!(judge(&current, "Other"), "NotFound: the cluster does not have it");
        assert_eq!(judge(&Expected::Gone, "Other"), "Current: it is gone");
    }
}
