//! Kubernetes Events: what a sync has done about an object, beside the object, where `kubectl
//! describe` and `kubectl events` show it.
//!
//! They are for people: that one cannot be written changes nothing about the sync. Of a sync that
//! does much, the first [`MOST`] objects have an event each, failures first, and the rest one for
//! each namespace. A failure that every sync repeats is not written each time.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use flux_core::{
    health::harmless,
    manifest::ResourceId,
    sync::{Outcome, ResourceReport, SyncReport},
};
use futures::StreamExt as _;
use jiff::Timestamp;
use kube::{
    Resource as _,
    core::{ApiResource, params::PostParams, request::Request},
};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use crate::{
    at_once::{AT_ONCE, at_once},
    failure::FailureKind,
    http::Http,
    raw::RawObject,
};

/// How many objects of a sync have an event of their own.
const MOST: usize = 100;
/// How long the events of a sync may take in all.
const TIME: Duration = Duration::from_secs(5);
/// How long an equal event about a failure is not written again.
const QUIET: Duration = Duration::from_secs(600);
/// The most bytes that the API server takes as a note.
const NOTE: usize = 1024;
/// The name under which they are reported: a qualified name, as the API server asks for.
const CONTROLLER: &str = "fluxcd.io/flux";

/// The writer of events.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    /// The process, as the events name it.
    instance: String,
    /// The notes of failures, and when they were written.
    failures: Mutex<HashMap<ResourceId, (String, Instant)>>,
}

/// An event: its subject, and its words.
#[derive(Debug, PartialEq, Eq)]
struct Event {
    regarding: Value,
    namespace: String,
    is_warning: bool,
    action: &'static str,
    reason: &'static str,
    note: String,
    /// The object and the message, if it is about a failure.
    failure: Option<(ResourceId, String)>,
}

/// The facts about an object that its report does not have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Subject {
    pub(crate) api_version: String,
    pub(crate) uid: Option<String>,
}

impl Recorder {
    /// Returns a writer that signs with the name of a process, such as that of its pod.
    pub(crate) fn new(instance: String) -> Self {
        Self { instance, failures: Mutex::default() }
    }

    /// Writes the events of a sync.
    pub(crate) async fn record(
        &self,
        http: &Http,
        report: &SyncReport,
        subjects: &HashMap<ResourceId, Subject>,
    ) {
        let events = events(report, subjects, |resource| self.is_new(resource, Instant::now()));
        let mut written = at_once(AT_ONCE, events.iter().map(|event| self.write(http, event)));
        let all = async { while written.next().await.is_some() {} };
        if timeout(TIME, all).await.is_err() {
            tracing::warn!("not all Kubernetes Events could be written within {TIME:?}");
        }
    }

    /// Returns `true` if a failure was not written lately.
    fn is_new(&self, resource: &ResourceReport, now: Instant) -> bool {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.retain(|_, (_, at)| now.duration_since(*at) < QUIET);
        failures.get(&resource.id).is_none_or(|(message, _)| *message != resource.message)
    }

    /// Notes that an event was written.
    fn note(&self, event: &Event, now: Instant) {
        let Some((id, message)) = &event.failure else { return };
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.insert(id.clone(), (message.clone(), now));
    }

    async fn write(&self, http: &Http, event: &Event) {
        let resource = ApiResource {
            group: "events.k8s.io".to_owned(),
            version: "v1".to_owned(),
            api_version: "events.k8s.io/v1".to_owned(),
            kind: "Event".to_owned(),
            plural: "events".to_owned(),
        };
        let body = self.body(event, Timestamp::now()).to_string().into_bytes();
        let request = Request::new(RawObject::url_path(&resource, Some(&event.namespace)))
            .create(&PostParams::default(), body);
        match http.once(request).await {
            Ok(_) => self.note(event, Instant::now()),
            // It is the account's right that is missing, or the name of the process that is no good.
            Err(failure) if matches!(failure.kind, FailureKind::Forbidden | FailureKind::Invalid) => {
                tracing::warn!(namespace = event.namespace, reason = %failure.message, "no Event can be written");
            }
            Err(failure) => {
                tracing::debug!(namespace = event.namespace, reason = %failure.message, "an Event is lost");
            }
        }
    }

    fn body(&self, event: &Event, now: Timestamp) -> Value {
        json!({
            "apiVersion": "events.k8s.io/v1", "kind": "Event",
            "metadata": {"generateName": "flux-", "namespace": event.namespace},
            // The API server wants six digits, no more and no less.
            "eventTime": format!("{now:.6}"),
            "reportingController": CONTROLLER,
            "reportingInstance": self.instance,
            "type": if event.is_warning { "Warning" } else { "Normal" },
            "action": event.action, "reason": event.reason,
            "regarding": event.regarding, "note": event.note,
        })
    }
}

/// Returns the events of a sync: those of failures first.
fn events(
    report: &SyncReport,
    subjects: &HashMap<ResourceId, Subject>,
    is_new: impl Fn(&ResourceReport) -> bool,
) -> Vec<Event> {
    let has_event = |resource: &&ResourceReport| match resource.outcome {
        Outcome::Created | Outcome::Changed | Outcome::Pruned => true,
        Outcome::Failed => is_new(resource),
        Outcome::Unchanged | Outcome::Skipped => false,
    };
    let mut reported: Vec<&ResourceReport> =
        report.resources.iter().map(|one| &**one).filter(has_event).collect();
    reported.sort_by_key(|resource| resource.outcome != Outcome::Failed);
    let revision = report.revision.as_ref().map_or("git", |revision| revision.short());
    let rest = reported.split_off(reported.len().min(MOST));
    let unknown = Subject::default();
    let of_objects =
        reported.iter().map(|one| of_object(one, subjects.get(&one.id).unwrap_or(&unknown), revision));
    of_objects.chain(of_rest(&rest, revision)).collect()
}

fn of_object(resource: &ResourceReport, subject: &Subject, revision: &str) -> Event {
    let id = &resource.id;
    let mut regarding = json!({"apiVersion": subject.api_version, "kind": id.kind(), "name": id.name()});
    if let Some(namespace) = id.namespace() {
        regarding["namespace"] = namespace.into();
    }
    if let Some(uid) = &subject.uid {
        regarding["uid"] = uid.as_str().into();
    }
    let (action, reason) = match resource.outcome {
        Outcome::Created => ("Apply", "Created"),
        Outcome::Pruned => ("Prune", "Pruned"),
        Outcome::Failed => ("Sync", "SyncFailed"),
        _ => ("Apply", "Changed"),
    };
    let mut note = format!("{} by {revision} ({})", resource.outcome, resource.reason);
    if !resource.message.is_empty() {
        note += &format!(": {}", resource.message);
    }
    if !resource.fields.is_empty() {
        note += &format!(": {}", resource.fields.join(", "));
    }
    Event {
        regarding,
        // Those of objects that are in no namespace are in `default`, by the API server's rule.
        namespace: id.namespace().map(str::to_owned).unwrap_or_else(|| "default".to_owned()),
        is_warning: resource.outcome == Outcome::Failed,
        action,
        reason,
        // Whoever may read Events reads this, and perhaps not the object.
        note: shortened(harmless(&note)),
        failure: (resource.outcome == Outcome::Failed).then(|| (id.clone(), resource.message.clone())),
    }
}

/// Returns one event for each namespace of objects that have none of their own.
fn of_rest(rest: &[&ResourceReport], revision: &str) -> Vec<Event> {
    let mut counts: BTreeMap<&str, BTreeMap<Outcome, usize>> = BTreeMap::new();
    for resource in rest {
        let namespace = resource.id.namespace().unwrap_or("default");
        *counts.entry(namespace).or_default().entry(resource.outcome).or_default() += 1;
    }
    let event = |(namespace, counts): (&str, BTreeMap<Outcome, usize>)| {
        let counted: Vec<String> = counts.iter().map(|(outcome, n)| format!("{n} {outcome}")).collect();
        Event {
            // The API server wants the namespace of the Event here, though a Namespace is in none.
            regarding: json!({"apiVersion": "v1", "kind": "Namespace", "name": namespace, "namespace": namespace}),
            namespace: namespace.to_owned(),
            is_warning: counts.contains_key(&Outcome::Failed),
            action: "Sync",
            reason: "Synced",
            note: format!("of further objects by {revision}: {}", counted.join(", ")),
            failure: None,
        }
    };
    counts.into_iter().map(event).collect()
}

/// Returns a note that the API server takes.
fn shortened(mut note: String) -> String {
    if note.len() > NOTE {
        let end = (0..=NOTE - 3).rev().find(|at| note.is_char_boundary(*at)).unwrap_or(0);
        note.truncate(end);
        note.push_str("...");
    }
    note
}

#[cfg(test)]
mod tests {
    use flux_core::sync::{Action, Reason, Step, SyncPlan};

    use super::*;

    fn report(outcomes: impl IntoIterator<Item = (&'static str, Outcome)>) -> SyncReport {
        let mut outcomes_of_steps = Vec::new();
        for (n, (namespace, outcome)) in outcomes.into_iter().enumerate() {
            let id = ResourceId::new(
                Some(namespace).filter(|n| !n.is_empty()),
                "ConfigMap",
                &format!("c{n:03}"),
                "",
            );
            let step = Step::new(id, "v1", 0, Action::Leave, Reason::ChangedInGit);
            let done = match outcome {
                Outcome::Failed => step.failed(Reason::Rejected, "no"),
                _ => step.done().with_outcome(outcome),
            };
            outcomes_of_steps.push(done);
        }
        SyncPlan::new(Vec::new()).report(outcomes_of_steps)
    }

    #[test]
    fn failures_come_first_and_what_is_too_much_is_counted_by_namespace() {
        let made = std::iter::repeat_n(("shop", Outcome::Created), 130);
        let others = [("shop", Outcome::Unchanged), ("shop", Outcome::Failed), ("", Outcome::Pruned)];
        let all = events(&report(made.chain(others)), &HashMap::new(), |_| true);
        assert_eq!(all.len(), MOST + 1);
        assert!(all[0].is_warning && all[0].reason == "SyncFailed" && !all[1].is_warning);
        let notes: Vec<&str> = all[MOST..].iter().map(|event| event.note.as_str()).collect();
        assert_eq!(notes, ["of further objects by git: 32 created"]);
        assert_eq!(all[MOST].regarding["namespace"], "shop", "the API server wants it");
    }

    #[test]
    fn a_failure_that_each_sync_repeats_is_written_now_and_then() {
        let recorder = Recorder::default();
        let failed = report([("shop", Outcome::Failed)]);
        let start = Instant::now();
        let written = |now| {
            let events = events(&failed, &HashMap::new(), |resource| recorder.is_new(resource, now));
            events.iter().for_each(|event| recorder.note(event, now));
            events.len()
        };
        assert_eq!((written(start), written(start)), (1, 0));
        assert_eq!(written(start + QUIET), 1);
    }

    #[test]
    fn a_note_is_no_longer_than_the_api_server_takes() {
        let note = shortened("ä".repeat(600));
        assert!(note.len() <= NOTE && note.ends_with("ä..."));
        assert_eq!(shortened("short".to_owned()), "short");
    }
}
