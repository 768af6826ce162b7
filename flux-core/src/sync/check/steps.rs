//! The rules of single steps: every object has its one step, and the step is right for it.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use serde_json::Value;

use super::{
    compare::{differences, display, unmet},
    git::Git,
    known::{Autoscalers, Known},
    read::{
        Mark, applied_fields, checksum, content, covers, is_allowed, is_encrypted, is_ignored, is_left,
        is_seen, is_suspended, mark, mark_of,
    },
    violation::{Protection, Violation},
};
use crate::{
    backend::{Fidelity, Observation, Observed},
    finding::{Code, Finding},
    manifest::ResourceId,
    object::Object,
    plan::contest::Contest,
    plan::sync::{Action, CHECKSUM_ANNOTATION, MARK_LABEL, Reason, Step, SyncPlan},
    sync::{Desired, DesiredObject, SyncOptions},
};

/// The steps that were found to be right, with all that is their own and that they were held
/// against.
#[derive(Debug, Default)]
pub(super) struct RightSteps(HashMap<usize, RightStep>);

#[derive(Debug)]
struct RightStep {
    step: Arc<Step>,
    object: Object,
    live: Option<Object>,
    contest: Option<Box<Contest>>,
    is_scaled: bool,
}

pub(super) fn check(
    plan: &SyncPlan,
    git: &Git<'_>,
    (desired, observed, options): (&Desired, &Observation<Observed>, &SyncOptions),
    known: &mut Known,
    right: &mut RightSteps,
) -> Vec<Violation> {
    // The steps by the ids of their objects, each with what git says of it.
    let mut by_id: Vec<usize> = (0..plan.steps.len()).collect();
    by_id.sort_by_key(|n| plan.steps.get(*n).map(|step| &step.id));
    let ids = by_id.iter().filter_map(|n| plan.steps.get(*n)).map(|step| &step.id);
    let mut in_git = vec![[[].as_slice(); 2]; plan.steps.len()];
    for (n, objects) in by_id.iter().zip(git.of_each(ids)) {
        if let Some(of_step) = in_git.get_mut(*n) {
            *of_step = objects;
        }
    }
    let mut in_cluster: Vec<Option<&Object>> = vec![None; plan.steps.len()];
    let mut objects = observed.value.objects.iter().peekable();
    for n in &by_id {
        let (Some(step), Some(of_step)) = (plan.steps.get(*n), in_cluster.get_mut(*n)) else { continue };
        while objects.next_if(|(id, _)| **id < step.id).is_some() {}
        *of_step = objects.peek().filter(|(id, _)| **id == step.id).map(|(_, object)| *object);
    }
    let mut violations = completeness(plan, git, desired, &by_id);
    let live = &observed.value.objects;
    let autoscalers = Autoscalers::new(
        git.all()
            .map(|(id, described)| (id.namespace(), &described.object))
            .chain(live.iter().map(|(id, object)| (id.namespace(), object))),
        known,
    );
    let all_suspended = options.suspended.is_some() || desired.suspended.is_some();
    let checker = Checker { observed, options, autoscalers, all_suspended };
    let mut before = std::mem::take(&mut right.0);
    for ((step, [known_kind, unknown_kind]), live) in plan.steps.iter().zip(in_git).zip(in_cluster) {
        if !explains(step.reason, &step.action) {
            violations.push(Violation::WrongReason { id: step.id.clone(), reason: step.reason });
        }
        // A step of something that git no longer describes has no place.
        let Some(place) = &step.place else { continue };
        let objects = if known_kind.is_empty() { unknown_kind } else { known_kind };
        let Some((_, first)) = objects.first() else { continue };
        let described = objects.iter().map(|(_, described)| *described);
        let object = &described.clone().find(|described| described.place == *place).unwrap_or(first).object;
        let failure = match step.reason {
            Reason::UnknownKind => !unknown_kind.is_empty(),
            Reason::Duplicate => objects.len() > 1,
            _ => true,
        };
        if !failure {
            violations.push(Violation::WrongReason { id: step.id.clone(), reason: step.reason });
        }
        let address = Arc::as_ptr(step) as usize;
        let contest = observed.value.contests.get(&step.id);
        let is_scaled = checker.autoscalers.name(&step.id);
        let known = before.remove(&address).filter(|known| {
            Arc::ptr_eq(&known.step, step)
                && known.object.is_same(object)
                && is_same(known.live.as_ref(), live)
                && known.contest.as_deref() == contest
                && known.is_scaled == is_scaled
        });
        if let Some(known) = known {
            right.0.insert(address, known);
            continue;
        }
        let wrong = checker.step(step, &object.value(), live.map(Object::value).as_ref());
        if wrong.is_empty() {
            let (live, contest) = (live.cloned(), contest.cloned().map(Box::new));
            let known = RightStep { step: step.clone(), object: object.clone(), live, contest, is_scaled };
            right.0.insert(address, known);
        }
        violations.extend(wrong);
    }
    violations
}

fn is_same(a: Option<&Object>, b: Option<&Object>) -> bool {
    a.is_some() == b.is_some() && a.zip(b).is_none_or(|(a, b)| a.is_same(b))
}

/// Checks that every object has one step, that no step is for anything else, and that no finding of
/// git is lost; `by_id` has the numbers of the steps in the order of their ids.
fn completeness(plan: &SyncPlan, git: &Git<'_>, desired: &Desired, by_id: &[usize]) -> Vec<Violation> {
    let mut violations = Vec::new();
    let steps: Vec<&Step> = by_id.iter().filter_map(|n| plan.steps.get(*n)).map(|step| &**step).collect();
    let of_each_id: Vec<&[&Step]> = steps.chunk_by(|a, b| a.id == b.id).collect();
    let ids = || of_each_id.iter().filter_map(|steps| steps.first()).map(|step| &step.id);
    let described = git.of_each(ids());
    let mut has_step = HashSet::with_capacity(plan.steps.len());
    for ((id, steps), of_id) in ids().zip(&of_each_id).zip(described) {
        let count = of_id.iter().map(|objects| objects.len()).sum::<usize>();
        for (_, object) in of_id.into_iter().flatten() {
            if steps.iter().any(|step| step.place.as_ref() == Some(&object.place)) {
                has_step.insert(std::ptr::from_ref::<DesiredObject>(object));
            }
        }
        let fails = steps.iter().all(|step| step.action == Action::Fail);
        if steps.len() > count.max(1) || (steps.len() > 1 && !fails) {
            violations.push(Violation::RepeatedStep { id: id.clone() });
        }
        if count == 0 && steps.iter().any(|step| step.place.is_some()) {
            violations.push(Violation::UnexpectedStep { id: id.clone() });
        }
    }
    let missing = git.all().filter(|(_, object)| !has_step.contains(&std::ptr::from_ref(*object)));
    violations.splice(
        0..0,
        missing.map(|(id, object)| Violation::MissingStep { id: id.clone(), place: object.place.clone() }),
    );
    let finding = |code: Code, at: String| Violation::LostFinding { code, at };
    let kept: BTreeSet<&Finding> = plan.findings.iter().collect();
    for lost in desired.findings.iter().filter(|finding| !kept.contains(finding)) {
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
    fn step(&self, step: &Step, object: &Value, live: Option<&Value>) -> Vec<Violation> {
        let id = || step.id.clone();
        let mut violations = Vec::new();
        match &step.action {
            Action::Create { object: sent, .. } | Action::Apply { object: sent, .. } => {
                violations.extend(self.protection(step, object, live));
                violations.extend(self.sent(step, object, &sent.value(), live));
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
            Reason::HasRun => live.is_none() && step.id.kind() == "Job",
            // Reasons that only what git no longer describes can have.
            Reason::PruneOff | Reason::PruneHeldBack | Reason::NotInGit | Reason::NotCreatedByFlux => false,
            _ => true,
        }
    }

    /// Checks what is sent: git's content, and a mark that claims no more than is true.
    fn sent(&self, step: &Step, object: &Value, sent: &Value, live: Option<&Value>) -> Vec<Violation> {
        let mut violations = Vec::new();
        let namespace = step.id.namespace();
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
        let wanted = content(object, step.id.namespace());
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
        let hpa = ResourceId::new(None, "HorizontalPodAutoscaler", "", "autoscaling");
        is_left(object, field) || self.autoscalers.decide(id, live, field, is_seen(self.observed, &hpa))
    }
}
