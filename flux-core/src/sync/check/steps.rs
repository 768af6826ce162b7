//! The rules of single steps: every object has its one step, and the step is right for it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    compare::{differences, display, unmet},
    read::{
        Autoscalers, Identity, Mark, Scopes, applied_fields, checksum, content, covers, is_allowed,
        is_encrypted, is_ignored, is_left, is_seen, is_suspended, mark, mark_of,
    },
    violation::{Protection, Violation},
};
use crate::{
    backend::{Fidelity, Observation, Observed},
    finding::{Code, Place},
    manifest::ResourceId,
    plan::sync::{Action, CHECKSUM_ANNOTATION, MARK_LABEL, Reason, Step, SyncPlan},
    sync::{Desired, DesiredObject, SyncOptions},
};

/// The objects that git describes, by id.
pub(super) struct Git<'a> {
    pub(super) objects: BTreeMap<ResourceId, Vec<&'a DesiredObject>>,
    /// The ids of objects of unknown kinds.
    pub(super) unknown_kinds: BTreeMap<ResourceId, Vec<&'a DesiredObject>>,
    /// The ids of the records of Jobs that go by their own time limit.
    pub(super) records: BTreeSet<ResourceId>,
    /// The places of documents that are no objects.
    pub(super) no_objects: Vec<&'a Place>,
}

impl<'a> Git<'a> {
    pub(super) fn new(desired: &'a Desired, observed: &'a Observed, options: &'a SyncOptions) -> Self {
        let scopes = Scopes::new(desired, observed, options);
        let mut git = Self {
            objects: BTreeMap::new(),
            unknown_kinds: BTreeMap::new(),
            records: BTreeSet::new(),
            no_objects: Vec::new(),
        };
        for object in &desired.objects {
            match scopes.identify(&object.object) {
                Identity::Known(id) => {
                    if id.kind == "Job" && object.object.pointer("/spec/ttlSecondsAfterFinished").is_some() {
                        let name = format!("{}.has-run.fluxcd.io", id.name);
                        let (kind, group) = ("ConfigMap".to_owned(), String::new());
                        git.records.insert(ResourceId { namespace: id.namespace.clone(), kind, name, group });
                    }
                    git.objects.entry(id).or_default().push(object);
                }
                Identity::UnknownKind(id) => git.unknown_kinds.entry(id).or_default().push(object),
                Identity::NoObject => git.no_objects.push(&object.place),
            }
        }
        git
    }

    /// Returns every object with its id.
    pub(super) fn all(&self) -> impl Iterator<Item = (&ResourceId, &'a DesiredObject)> {
        let all = self.objects.iter().chain(&self.unknown_kinds);
        all.flat_map(|(id, objects)| objects.iter().map(move |object| (id, *object)))
    }

    pub(super) fn describes(&self, id: &ResourceId) -> bool {
        self.objects.contains_key(id) || self.unknown_kinds.contains_key(id)
    }

    /// Returns `true` if git describes an object, or one that has it as its record.
    pub(super) fn needs(&self, id: &ResourceId) -> bool {
        self.describes(id) || self.records.contains(id)
    }
}

pub(super) fn check(
    plan: &SyncPlan,
    git: &Git<'_>,
    desired: &Desired,
    observed: &Observation<Observed>,
    options: &SyncOptions,
) -> Vec<Violation> {
    let mut violations = completeness(plan, git, desired);
    let live = &observed.value.objects;
    let autoscalers = Autoscalers::new(
        git.all()
            .map(|(id, object)| (id.namespace.as_deref(), &*object.object))
            .chain(live.iter().map(|(id, object)| (id.namespace.as_deref(), &**object))),
    );
    let all_suspended = options.suspended.is_some() || desired.suspended.is_some();
    let checker = Checker { observed, options, autoscalers, all_suspended };
    for step in &plan.steps {
        if !explains(step.reason, &step.action) {
            violations.push(Violation::WrongReason { id: step.id.clone(), reason: step.reason });
        }
        // A step of something that git no longer describes has no place.
        let Some(place) = &step.place else { continue };
        let objects = git.objects.get(&step.id).or_else(|| git.unknown_kinds.get(&step.id));
        let Some(objects) = objects else { continue };
        let object = objects.iter().find(|object| object.place == *place).or(objects.first());
        if let Some(object) = object {
            let failure = match step.reason {
                Reason::UnknownKind => git.unknown_kinds.contains_key(&step.id),
                Reason::Duplicate => objects.len() > 1,
                _ => true,
            };
            if !failure {
                violations.push(Violation::WrongReason { id: step.id.clone(), reason: step.reason });
            }
            violations.extend(checker.step(step, &object.object));
        }
    }
    violations
}

/// Checks that every object has one step, that no step is for anything else, and that no finding of
/// git is lost.
fn completeness(plan: &SyncPlan, git: &Git<'_>, desired: &Desired) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut steps: BTreeMap<&ResourceId, Vec<&Step>> = BTreeMap::new();
    for step in &plan.steps {
        steps.entry(&step.id).or_default().push(step);
    }
    for (id, object) in git.all() {
        let of_object = |step: &&Step| step.place.as_ref() == Some(&object.place);
        if !steps.get(id).is_some_and(|steps| steps.iter().any(of_object)) {
            violations.push(Violation::MissingStep { id: id.clone(), place: object.place.clone() });
        }
    }
    for (id, steps) in &steps {
        let described =
            git.objects.get(id).map_or(0, Vec::len) + git.unknown_kinds.get(id).map_or(0, Vec::len);
        let fails = steps.iter().all(|step| step.action == Action::Fail);
        if steps.len() > described.max(1) || (steps.len() > 1 && !fails) {
            violations.push(Violation::RepeatedStep { id: (*id).clone() });
        }
        if steps.iter().any(|step| step.place.is_some()) && !git.describes(id) {
            violations.push(Violation::UnexpectedStep { id: (*id).clone() });
        }
    }
    let finding = |code: Code, at: String| Violation::LostFinding { code, at };
    for lost in desired.findings.iter().filter(|finding| !plan.findings.contains(finding)) {
        let at = lost.place.as_ref().map_or_else(|| lost.subject.clone(), ToString::to_string);
        violations.push(finding(lost.code, at));
    }
    for place in &git.no_objects {
        let is_reported =
            |code: Code| plan.findings.iter().any(|f| f.code == code && f.place.as_ref() == Some(place));
        if !is_reported(Code::NotAnObject) {
            violations.push(finding(Code::NotAnObject, place.to_string()));
        }
    }
    violations
}

/// Returns `true` if a reason can be the reason of an action.
fn explains(reason: Reason, action: &Action) -> bool {
    match action {
        Action::Create { .. } => reason == Reason::NotInCluster,
        Action::Apply { .. } => {
            matches!(reason, Reason::ChangedInGit | Reason::Drifted | Reason::Adopted)
        }
        Action::Leave => reason == Reason::UpToDate,
        Action::Prune { .. } => reason == Reason::NotInGit,
        Action::Skip => matches!(
            reason,
            Reason::NotInGit
                | Reason::PruneOff
                | Reason::NotCreatedByFlux
                | Reason::PruneHeldBack
                | Reason::Ignored
                | Reason::HasRun
                | Reason::Drifted
                | Reason::Encrypted
                | Reason::Suspended
                | Reason::NamespaceNotAllowed
        ),
        Action::Fail => matches!(reason, Reason::UnknownKind | Reason::Duplicate | Reason::Rejected),
    }
}

struct Checker<'a> {
    observed: &'a Observation<Observed>,
    options: &'a SyncOptions,
    autoscalers: Autoscalers,
    all_suspended: bool,
}

impl Checker<'_> {
    /// Checks the step of an object that git describes.
    fn step(&self, step: &Step, object: &Value) -> Vec<Violation> {
        let id = || step.id.clone();
        let live = self.observed.value.objects.get(&step.id).map(|live| &**live);
        let mut violations = Vec::new();
        match &step.action {
            Action::Create { object: sent, .. } | Action::Apply { object: sent, .. } => {
                violations.extend(self.protection(step, object, live));
                violations.extend(self.sent(step, object, sent, live));
            }
            Action::Leave => violations.extend(self.left(step, object, live)),
            Action::Prune { .. } => {} // The rules of pruning speak of it.
            Action::Skip | Action::Fail => {
                if !self.is_true(step, object, live) {
                    violations.push(Violation::WrongReason { id: id(), reason: step.reason });
                }
            }
        }
        let creates = matches!(step.action, Action::Create { .. });
        let needs_live = matches!(step.action, Action::Apply { .. } | Action::Leave);
        if (creates && live.is_some()) || (needs_live && live.is_none()) {
            violations.push(Violation::WrongPresence { id: id(), present: live.is_some() });
        }
        violations
    }

    fn protection(&self, step: &Step, object: &Value, live: Option<&Value>) -> Option<Violation> {
        let rule = if !is_allowed(&step.id, self.options) {
            Protection::Namespace
        } else if is_ignored(object) || live.is_some_and(is_ignored) {
            Protection::Ignored
        } else if self.is_suspended(object, live) {
            Protection::Suspended
        } else if is_encrypted(object) {
            Protection::Encrypted
        } else {
            return None;
        };
        Some(Violation::Untouchable { id: step.id.clone(), rule })
    }

    fn is_suspended(&self, object: &Value, live: Option<&Value>) -> bool {
        self.all_suspended || is_suspended(object) || live.is_some_and(is_suspended)
    }

    /// Returns `true` if the reason for which a described object is skipped, or fails, is true.
    fn is_true(&self, step: &Step, object: &Value, live: Option<&Value>) -> bool {
        match step.reason {
            Reason::NamespaceNotAllowed => !is_allowed(&step.id, self.options),
            Reason::Ignored => is_ignored(object) || live.is_some_and(is_ignored),
            Reason::Encrypted => is_encrypted(object),
            Reason::Suspended => self.is_suspended(object, live),
            Reason::Drifted => live.is_some(),
            Reason::HasRun => live.is_none() && step.id.kind == "Job",
            // Reasons that only what git no longer describes can have.
            Reason::PruneOff | Reason::PruneHeldBack | Reason::NotInGit | Reason::NotCreatedByFlux => false,
            _ => true,
        }
    }

    /// Checks what is sent: git's content, and a mark that claims no more than is true.
    fn sent(&self, step: &Step, object: &Value, sent: &Value, live: Option<&Value>) -> Vec<Violation> {
        let mut violations = Vec::new();
        let namespace = step.id.namespace.as_deref();
        let (wanted, given) = (content(object, namespace), content(sent, namespace));
        let mut other = differences(&wanted, &given);
        other.retain(|path| !live.is_some_and(|live| self.is_decided(object, &step.id, live, path)));
        if sent["metadata"].get("namespace").and_then(Value::as_str) != namespace {
            other.push(vec!["metadata".to_owned(), "namespace".to_owned()]);
        }
        if let Some(path) = other.first() {
            violations.push(Violation::WrongContent { id: step.id.clone(), field: display(path) });
        }
        let set = &self.options.sync_set;
        let may_be_ours = match live {
            Some(live) => mark_of(live, self.options, &step.id, true) == Mark::Created,
            None => is_seen(self.observed, &step.id),
        };
        let expected = if may_be_ours { Mark::Created } else { Mark::Adopted };
        let stamp = sent["metadata"]["annotations"][CHECKSUM_ANNOTATION].as_str();
        let wanted = checksum(&wanted);
        if mark(sent, set, &step.id) != expected || stamp != Some(&wanted) {
            violations.push(Violation::WrongMark { id: step.id.clone() });
        }
        // A mark for later may only say what the cluster's answer proves.
        if let Action::Create { mark_if_created: Some(later), .. } = &step.action {
            let mut marked = sent.clone();
            marked["metadata"]["labels"][MARK_LABEL] = later.as_str().into();
            if mark(&marked, set, &step.id) != Mark::Created || expected == Mark::Created {
                violations.push(Violation::WrongMark { id: step.id.clone() });
            }
        }
        let changed = live.is_some_and(|live| {
            live["metadata"]["annotations"][CHECKSUM_ANNOTATION].as_str() != Some(&wanted)
        });
        let names_nothing = step.fields.is_empty() && !(step.reason == Reason::ChangedInGit && changed);
        if matches!(step.action, Action::Apply { content_equal: false, .. }) && names_nothing {
            violations.push(Violation::EmptyChange { id: step.id.clone() });
        }
        violations
    }

    /// Checks what is left: it is ours, and it is as git says.
    fn left(&self, step: &Step, object: &Value, live: Option<&Value>) -> Option<Violation> {
        let live = live?;
        if mark(live, &self.options.sync_set, &step.id) == Mark::None {
            return Some(Violation::WrongMark { id: step.id.clone() });
        }
        let wanted = content(object, step.id.namespace.as_deref());
        let exact = self.observed.value.fidelity == Fidelity::Exact;
        let ours = applied_fields(live);
        let is_excused = |path: &Vec<String>| {
            // Values come back respelled: what is ours is as we sent it. Of a Secret, a server
            // moves what is sent.
            let respelled = !exact
                && (ours.is_none_or(|ours| covers(ours, path))
                    || path.first().is_some_and(|name| name == "data"));
            let contested = self.observed.value.contests.get(&step.id).is_some_and(|contest| {
                let field = display(path);
                contest.fields.keys().any(|contested| contested.starts_with(&field))
            });
            respelled || contested || self.is_decided(object, &step.id, live, path)
        };
        let different = unmet(&wanted, live).into_iter().find(|path| !is_excused(path))?;
        Some(Violation::LeftDifferent { id: step.id.clone(), field: display(&different) })
    }

    /// Returns `true` if others decide a field of an object, and not git: an autoscaler, or those
    /// to whom the object's own annotation leaves it.
    fn is_decided(&self, object: &Value, id: &ResourceId, live: &Value, field: &[String]) -> bool {
        let hpa = ResourceId {
            namespace: None,
            kind: "HorizontalPodAutoscaler".to_owned(),
            name: String::new(),
            group: "autoscaling".to_owned(),
        };
        is_left(object, field) || self.autoscalers.decide(id, live, field, is_seen(self.observed, &hpa))
    }
}
