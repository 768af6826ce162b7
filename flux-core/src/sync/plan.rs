//! The planner of a sync.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::Value;

use super::{
    Action, ApplyOptions, CHECKSUM_ANNOTATION, Desired, DesiredObject, FieldDiff, MARK_LABEL, Owned, Reason,
    Step, SyncOptions, SyncPlan,
    differences::{Differences, outermost},
    fields::Managers,
    job, kinds, mark,
    object::{self, Ignore},
    order,
    prune::{self, NamedByGit},
    scaling::Autoscaled,
    takeover::{KindOf, Ownership, is_item},
};
use crate::{
    backend::{Completeness, Fidelity, KindInfo, Observation, Observed},
    finding::{Code, Finding},
    manifest::ResourceId,
    plan::contest::digest,
    schema::path::FieldPath,
};

/// Plans what makes the cluster equal to git.
///
/// Pure: the plan depends on nothing but the arguments, and not on the order of the desired
/// objects. Each object is decided on its own; what is wrong with one is its own failed step and a
/// finding.
///
/// - An object that is missing is created, marked as ours. If the cluster could not be seen in
///   full, it may have been there unseen: it is then marked as adopted.
/// - An object that carries no mark of this sync set (none, a copied one, or another sync set's) is
///   adopted: applied, marked as adopted, and reported as unchanged if its content is what git
///   says.
/// - An object of ours is applied again if git has changed since ([`Reason::ChangedInGit`]), or if
///   someone else changed a field that git decides ([`Reason::Drifted`]). Fields that git does not
///   name are ignored here.
/// - Replicas that an autoscaler decides are left to it once the object exists.
/// - An object of ours that is not in git is pruned if [`SyncOptions::prune`] says so and no guard
///   holds it back.
///
/// ```
/// use std::sync::Arc;
///
/// use flux_core::{
///     backend::Cluster,
///     Place, Position,
///     memory::MemoryCluster,
///     sync::{self, Desired, DesiredObject, SyncOptions, SyncSet},
/// };
/// use serde_json::json;
///
/// # futures::executor::block_on(async {
/// let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}});
/// let place = Place::in_file("settings.yaml", Position { line: 1, column: 1 });
/// let desired = Desired {
///     objects: vec![DesiredObject { object: Arc::new(object), place }],
///     ..Desired::default()
/// };
/// let cluster = MemoryCluster::new();
/// let options = SyncOptions::new(SyncSet::new("shop"));
///
/// let observed = cluster.observe(&desired.scope()).await?;
/// let plan = sync::plan(&desired, &observed, &options);
/// assert_eq!(plan.to_string(), "create default:configmap/settings (not-in-cluster)\n");
/// cluster.apply(&plan, &()).await?;
///
/// let observed = cluster.observe(&desired.scope()).await?;
/// let again = sync::plan(&desired, &observed, &options);
/// assert_eq!(again.changes().count(), 0);
/// # Ok::<(), flux_core::backend::Error>(())
/// # }).unwrap();
/// ```
pub fn plan(desired: &Desired, observed: &Observation<Observed>, options: &SyncOptions) -> SyncPlan {
    let mut planner = Planner::new(desired, observed, options);
    let mut identified: BTreeMap<ResourceId, Vec<&DesiredObject>> = BTreeMap::new();
    for object in &desired.objects {
        if let Some(id) = planner.identify(object) {
            identified.entry(id).or_default().push(object);
        }
    }
    let in_git = identified.iter().flat_map(|(id, all)| all.iter().map(move |one| (id, &*one.object)));
    let in_cluster = observed.value.objects.iter().map(|(id, object)| (id, &**object));
    planner.autoscaled = Autoscaled::from_autoscalers(
        in_git.chain(in_cluster),
        !observed.has_seen("autoscaling", "HorizontalPodAutoscaler"),
    );
    for (id, objects) in &identified {
        match objects[..] {
            [object] => planner.decide(id, object),
            _ => planner.duplicate(id, objects),
        }
    }
    let records = identified.iter().flat_map(|(id, all)| all.iter().map(move |one| (id, &*one.object)));
    planner.ids.extend(records.filter_map(|(id, object)| job::record_id(id, object)).collect::<Vec<_>>());
    planner.ids.extend(identified.into_keys());
    planner.finish()
}

struct Planner<'a> {
    desired: &'a Desired,
    observed: &'a Observation<Observed>,
    options: &'a SyncOptions,
    defined: BTreeMap<(String, String), KindInfo>,
    /// The values of `apiVersion` under which git's own definitions serve a (group, kind).
    served_by_git: BTreeMap<(String, String), BTreeSet<String>>,
    autoscaled: Autoscaled,
    /// Every id that git names.
    ids: BTreeSet<ResourceId>,
    /// Those that carry the mark of another sync set.
    of_others: BTreeSet<ResourceId>,
    steps: Vec<Step>,
    findings: Vec<Finding>,
}

impl<'a> Planner<'a> {
    fn new(desired: &'a Desired, observed: &'a Observation<Observed>, options: &'a SyncOptions) -> Self {
        let mut findings = desired.findings.clone();
        findings.extend(incomplete(observed));
        Self {
            desired,
            observed,
            options,
            defined: desired.objects.iter().flat_map(|o| kinds::defined_by(&o.object)).collect(),
            served_by_git: desired.objects.iter().filter_map(|o| kinds::served_by(&o.object)).collect(),
            autoscaled: Autoscaled::default(),
            ids: BTreeSet::new(),
            of_others: BTreeSet::new(),
            steps: Vec::new(),
            findings,
        }
    }

    /// Returns the id of an object with its namespace resolved; `None`, after reporting it, if it
    /// has none.
    fn identify(&mut self, desired: &DesiredObject) -> Option<ResourceId> {
        let Some(written) = object::id_of(&desired.object) else {
            self.findings.push(Finding {
                code: Code::NotAnObject,
                subject: desired.place.path.clone(),
                place: Some(desired.place.clone()),
                evidence: "it has no apiVersion, kind or metadata.name".to_owned(),
                remedy: "Give it all three, or move it out of the configured paths.".to_owned(),
            });
            return None;
        };
        let api_version = object::text(&desired.object, "apiVersion").unwrap_or_default().to_owned();
        let kind = (api_version, written.kind.clone());
        let known = self.observed.value.kinds.get(&kind).or_else(|| self.defined.get(&kind)).copied();
        let Some(known) = known else {
            self.unknown_kind(written, &kind.0, desired);
            return None;
        };
        let default = || self.observed.value.default_namespace.clone();
        let namespace = known.namespaced.then(|| written.namespace.clone().unwrap_or_else(default));
        Some(ResourceId { namespace, ..written })
    }

    fn unknown_kind(&mut self, id: ResourceId, api_version: &str, desired: &DesiredObject) {
        let message =
            format!("{} of {api_version} is neither built in nor defined in git or in the cluster", id.kind);
        self.findings.push(Finding {
            code: Code::UnknownKind,
            subject: id.to_string(),
            place: Some(desired.place.clone()),
            evidence: message.clone(),
            remedy:
                "Add its CustomResourceDefinition to git or to the cluster, or correct apiVersion and kind."
                    .to_owned(),
        });
        self.push(&id, desired, Action::Fail, Reason::UnknownKind, message);
        self.ids.insert(id);
    }

    fn duplicate(&mut self, id: &ResourceId, objects: &[&DesiredObject]) {
        let mut places: Vec<_> = objects.iter().map(|o| &o.place).collect();
        places.sort();
        let all: Vec<String> = places.iter().map(ToString::to_string).collect();
        let message = format!("it is described at {}", all.join(" and at "));
        self.findings.push(Finding {
            code: Code::DuplicateId,
            subject: id.to_string(),
            place: places.first().map(|place| (*place).clone()),
            evidence: message.clone(),
            remedy: "Keep one of them; until then neither is applied.".to_owned(),
        });
        for object in objects {
            self.push(id, object, Action::Fail, Reason::Duplicate, message.clone());
        }
    }

    /// Decides about an object that git describes once and whose kind is known.
    fn decide(&mut self, id: &ResourceId, desired: &DesiredObject) {
        let live = self.observed.value.objects.get(id).cloned();
        if !prune::may_touch(id, self.options) {
            let message = "its namespace is not among those that may be touched".to_owned();
            return self.push(id, desired, Action::Skip, Reason::NamespaceNotAllowed, message);
        }
        let wholly = |object: &Value| object::ignore(object) == Ignore::Wholly;
        let ignored = match &live {
            _ if wholly(&desired.object) => Some("its ignore annotation in git says so"),
            Some(live) if wholly(live) => Some("its ignore annotation in the cluster says so"),
            _ => None,
        };
        if let Some(message) = ignored {
            return self.push(id, desired, Action::Skip, Reason::Ignored, message.to_owned());
        }
        if object::is_encrypted(&desired.object) {
            let message = "it is encrypted with SOPS, and is left as it is in the cluster".to_owned();
            return self.push(id, desired, Action::Skip, Reason::Encrypted, message);
        }
        match object::desired_form(&desired.object, id.namespace.as_deref()) {
            Ok(form) => match live {
                None => self.create(id, desired, form),
                Some(live) => self.update(id, desired, form, &live),
            },
            Err(problem) => {
                self.findings.push(Finding {
                    code: Code::NotAnObject,
                    subject: id.to_string(),
                    place: Some(desired.place.clone()),
                    evidence: problem.clone(),
                    remedy: "Correct the shape of the document.".to_owned(),
                });
                self.push(id, desired, Action::Fail, Reason::Rejected, problem);
            }
        }
    }

    fn create(&mut self, id: &ResourceId, desired: &DesiredObject, mut form: Value) {
        let checksum = object::checksum(&form);
        let record_id = job::record_id(id, &form);
        let past = record_id.as_ref().and_then(|id| self.observed.value.objects.get(id));
        if let (Some(record_id), true) = (&record_id, past.is_some_and(|past| job::has_run(past, &checksum)))
        {
            let message = format!(
                "it has run, and its time limit took it away; to run it again, change it or delete {record_id}"
            );
            return self.push(id, desired, Action::Skip, Reason::HasRun, message);
        }
        let record = job::record(id, &form, &checksum, self.options);
        let mark = |owned| mark::value(owned, &self.options.sync_set, id);
        // What could not be seen may have been there before: then it must never be pruned, unless
        // the cluster says that it was not.
        let (owned, mark_if_created) = if self.observed.has_seen(&id.group, &id.kind) {
            (Owned::Created, None)
        } else {
            (Owned::Adopted, Some(mark(Owned::Created)))
        };
        object::put_mark(&mut form, mark(owned), checksum);
        let action = Action::Create { object: Arc::new(form), mark_if_created };
        self.push(id, desired, action, Reason::NotInCluster, String::new());
        if let Some(step) = self.steps.last_mut() {
            step.record = record;
        }
    }

    fn update(&mut self, id: &ResourceId, desired: &DesiredObject, form: Value, live: &Value) {
        let checksum = object::checksum(&form);
        let unchanged_in_git = live["metadata"]["annotations"][CHECKSUM_ANNOTATION] == checksum.as_str();
        let mark::Mark { owned, is_current } = mark::read(live, self.options);
        if owned == Owned::No && mark::is_marked(live) {
            self.of_others.insert(id.clone());
        }
        let managers = Managers::read(live);

        let record = job::record(id, &form, &checksum, self.options);
        let mut sent = form;
        let yielded = self.autoscaled.yield_fields(&mut sent, id, live, &managers);
        let mark = if owned == Owned::Created { Owned::Created } else { Owned::Adopted };
        object::put_mark(&mut sent, mark::value(mark, &self.options.sync_set, id), checksum.clone());

        let seen = &self.observed.value;
        let tracked = managers.ours().filter(|_| owned != Owned::No);
        let is_drift = tracked.is_some() && unchanged_in_git;
        let ownership =
            Ownership::new(live, self.kind_of(id, desired), &sent, &yielded.fields, tracked.is_none());
        let differences = Differences { sent: &sent, live, group: &id.group, fidelity: seen.fidelity };
        let changed = match tracked {
            Some(ours) if is_drift => differences.drift(ours),
            Some(ours) => differences.values(Some(ours), seen.fidelity == Fidelity::Normalised),
            None => differences.values(managers.ours(), true),
        };
        let different: BTreeSet<FieldPath> =
            changed.into_iter().filter(|path| !yielded.fields.contains(path) && !is_mark(path)).collect();
        let mut changed = outermost(different.iter().cloned());
        let released: BTreeMap<FieldPath, Option<String>> = ownership
            .released(&sent, &managers, is_drift)
            .into_iter()
            .filter(|(path, _)| !is_mark(path) && !changed.iter().any(|outer| outer.contains(path)))
            .collect();
        let contested = self.contested(id, live, &checksum, &mut changed);

        let removed =
            outermost(released.iter().filter(|(_, keeper)| keeper.is_none()).map(|(path, _)| path.clone()));
        let equal = changed.is_empty() && removed.is_empty();
        let (leave, reason) = match (owned, tracked.is_some()) {
            (Owned::No, _) => (false, Reason::Adopted),
            _ if is_drift && equal && is_current => (true, Reason::UpToDate),
            // Of a set that is taken over: it gets the mark of this one.
            _ if equal && !is_current => (false, Reason::Adopted),
            _ if is_drift => (false, Reason::Drifted),
            // Marked, but not by server-side apply of ours: v1 did it.
            (_, false) if equal => (false, Reason::Adopted),
            _ => (false, Reason::ChangedInGit),
        };
        let content_equal = equal && reason == Reason::Adopted;
        let mut fields: Vec<FieldDiff> = changed.iter().map(|path| diff(path, live, &managers)).collect();
        fields.extend(removed.iter().map(|path| FieldDiff {
            released: path.0.iter().map(|elem| elem.to_fields_v1()).collect(),
            ..diff(path, live, &managers)
        }));
        let mut replaces = "";
        let action = if leave {
            Action::Leave
        } else {
            let may_replace =
                object::says(&desired.object, "force", true) || self.options.force.contains(&id.to_string());
            let options = Box::new(ApplyOptions {
                takeover: ownership.takeover(&sent, tracked.is_none(), &different),
                replace: may_replace
                    .then(|| object::text(&live["metadata"], "uid").map(str::to_owned))
                    .flatten(),
                force_conflicts: !object::says(&desired.object, "force-conflicts", false),
            });
            if may_replace && !content_equal {
                replaces = "it may be deleted and created anew, if the API server does not let it be changed";
            }
            Action::Apply { object: Arc::new(sent), content_equal, options }
        };
        let mut messages = vec![yielded.message, replaces.to_owned()];
        if !contested.is_empty() {
            let all: Vec<String> = contested.iter().map(ToString::to_string).collect();
            messages.push(format!("{} is left, because it is set again after each sync", all.join(" and ")));
            self.findings.push(contest(id, desired, &contested));
        }
        if live["metadata"]["deletionTimestamp"].is_string() {
            messages.push("it is being deleted in the cluster, and git still names it".to_owned());
        }
        let kept = released.into_iter().filter(|(path, _)| !is_item(path));
        let kept = kept.filter_map(|(path, keeper)| Some((path, keeper?)));
        // Our own entry forgets the field with this apply: later syncs do not know of it.
        self.findings
            .extend(kept.filter(|_| !leave).map(|(path, keeper)| kept_field(id, desired, &path, &keeper)));
        messages.retain(|message| !message.is_empty());
        self.push(id, desired, action, reason, messages.join("; "));
        if let Some(step) = self.steps.last_mut() {
            step.record = record.filter(|_| matches!(step.action, Action::Apply { .. }));
            step.fields = fields;
        }
    }

    fn kind_of<'k>(&'k self, id: &'k ResourceId, desired: &'k DesiredObject) -> KindOf<'k> {
        KindOf {
            group: &id.group,
            api_version: object::text(&desired.object, "apiVersion").unwrap_or_default(),
            // A definition of git's is applied before its objects.
            served: self
                .served_by_git
                .get(&(id.group.clone(), id.kind.clone()))
                .or_else(|| self.observed.value.versions.get(&(id.group.clone(), id.kind.clone()))),
        }
    }

    /// Takes the fields out of `changed` that are set again after each sync, and returns them.
    fn contested(
        &self,
        id: &ResourceId,
        live: &Value,
        checksum: &str,
        changed: &mut BTreeSet<FieldPath>,
    ) -> Vec<FieldPath> {
        let contest = self.observed.value.contests.get(id).filter(|contest| contest.checksum == checksum);
        let Some(contest) = contest else { return Vec::new() };
        let is_contested = |path: &FieldPath| {
            contest.fields.get(&path.to_string()).is_some_and(|value| *value == digest(path.get(live)))
        };
        let found: Vec<FieldPath> = changed.iter().filter(|path| is_contested(path)).cloned().collect();
        changed.retain(|path| !found.contains(path));
        found
    }

    fn push(
        &mut self,
        id: &ResourceId,
        desired: &DesiredObject,
        action: Action,
        reason: Reason,
        message: String,
    ) {
        self.steps.push(Step {
            id: id.clone(),
            api_version: object::text(&desired.object, "apiVersion").unwrap_or_default().to_owned(),
            action,
            stage: order::apply_stage(&id.group, &id.kind),
            reason,
            message,
            fields: Vec::new(),
            place: Some(desired.place.clone()),
            record: None,
        });
    }

    fn finish(mut self) -> SyncPlan {
        self.findings.extend(other_sync_set(&self.of_others));
        self.findings.sort();
        self.findings.dedup();
        let wanted = NamedByGit { ids: &self.ids, findings: &self.findings };
        let (steps, findings) = prune::prune(&wanted, self.observed, self.options);
        self.steps.extend(steps);
        self.steps.sort_by(|a, b| (a.stage, &a.id, &a.place).cmp(&(b.stage, &b.id, &b.place)));
        self.findings.extend(findings);
        self.findings.sort();
        SyncPlan { revision: self.desired.revision.clone(), steps: self.steps, findings: self.findings }
    }
}

/// Returns `true` if a field is the mark or the checksum, which are no content.
fn is_mark(path: &FieldPath) -> bool {
    *path == FieldPath::from_fields(&["metadata", "labels", MARK_LABEL])
        || *path == FieldPath::from_fields(&["metadata", "annotations", CHECKSUM_ANNOTATION])
}

/// Returns a difference with the value that the cluster has.
fn diff(path: &FieldPath, live: &Value, managers: &Managers<'_>) -> FieldDiff {
    FieldDiff {
        path: path.to_string(),
        owner: managers.owner(path),
        released: Vec::new(),
        live: digest(path.get(live)),
    }
}

/// Returns the finding about fields that something sets again after each sync.
fn contest(id: &ResourceId, desired: &DesiredObject, fields: &[FieldPath]) -> Finding {
    let fields: Vec<String> = fields.iter().map(ToString::to_string).collect();
    Finding {
        code: Code::FieldContested,
        subject: id.to_string(),
        place: Some(desired.place.clone()),
        evidence: format!(
            "{} does not keep the value that git has: something in the cluster sets it again after each sync",
            fields.join(" and ")
        ),
        remedy:
            "Take the field out of git, or change the admission policy, webhook or controller that sets it."
                .to_owned(),
    }
}

/// Returns the finding about a field that git has dropped and another manager keeps.
fn kept_field(id: &ResourceId, desired: &DesiredObject, path: &FieldPath, keeper: &str) -> Finding {
    Finding {
        code: Code::FieldKept,
        subject: id.to_string(),
        place: Some(desired.place.clone()),
        evidence: format!("git no longer names {path}, and it stays: the field manager {keeper} owns it too"),
        remedy: format!("If it should go, remove it where {keeper} sets it, or by hand."),
    }
}

/// Returns the finding about objects that carry the mark of another sync set.
fn other_sync_set(of_others: &BTreeSet<ResourceId>) -> Option<Finding> {
    const SHOWN: usize = 5;
    let mut names: Vec<String> = of_others.iter().take(SHOWN).map(ToString::to_string).collect();
    if of_others.len() > SHOWN {
        names.push(format!("{} more", of_others.len() - SHOWN));
    }
    (!of_others.is_empty()).then(|| Finding {
        code: Code::OtherSyncSet,
        subject: "sync".to_owned(),
        place: None,
        evidence: format!(
            "{} of the objects that git names carry the mark of another sync set: {}",
            of_others.len(),
            names.join(", ")
        ),
        remedy: "If it is a former name of this set (another URL, branch or list of paths), take that set over, so that what it created can be pruned; if it is another repository's, let only one of the two name these objects, or they are written in turns."
            .to_owned(),
    })
}

/// Returns a finding for each part of the cluster that was not seen.
fn incomplete(observed: &Observation<Observed>) -> Vec<Finding> {
    let finding = |evidence: String| Finding {
        code: Code::PartialCluster,
        subject: "cluster".to_owned(),
        place: None,
        evidence,
        remedy: format!(
            "See that {} may list and watch what is named; until then nothing is pruned.",
            observed.authority
        ),
    };
    match &observed.completeness {
        Completeness::Complete => Vec::new(),
        Completeness::Partial(missing) => missing.iter().cloned().map(finding).collect(),
        Completeness::Stale { age, reason } => vec![finding(format!("seen {age:#} ago: {reason}"))],
    }
}

#[cfg(test)]
mod tests;
