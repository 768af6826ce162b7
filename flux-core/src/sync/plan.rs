//! The planner of a sync.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::Value;

use super::{
    Action, Desired, DesiredObject, Owned, Reason, Step, SyncOptions, SyncPlan, findings, job, kinds, mark,
    object::{self, Ignore},
    order,
    prune::{self, NamedByGit},
    scaling::Autoscaled,
};
use crate::{
    backend::{KindInfo, Observation, Observed},
    finding::{Code, Finding},
    manifest::ResourceId,
    plan::sync::UNMARKED,
    policy::Suspension,
};

/// Plans what makes the cluster equal to git.
///
/// Pure: the plan depends on nothing but the arguments, and not on the order of the desired
/// objects. Each object is decided on its own; what is wrong with one is its own failed step and a
/// finding.
///
/// - An object that is missing is created, marked as ours. If objects of its kind could not be
///   seen, it may have been there: it is then marked as adopted, and as ours only if the cluster
///   answers that it was not.
/// - An object that carries no mark of this sync set (none, a copied one, or another sync set's) is
///   adopted: applied, marked as adopted, and reported as unchanged if its content is what git
///   says. The marks of sets that are taken over count as this one's, and so do those of sets from
///   which objects have moved. A mark that somebody removed is put back as it was.
/// - An object of ours is applied again if git has changed since ([`Reason::ChangedInGit`]), or if
///   a field that git decides has another value or owner ([`Reason::Drifted`]). Fields that git
///   never named are ignored.
/// - Fields that git has dropped go, also where those own them who wrote manifests to the cluster
///   before: kubectl, Flux v1.
/// - Replicas that an autoscaler decides are left to it once the object exists, as are the fields
///   that an annotation names, and those that something sets again after each sync.
/// - A Job that has run and that its own time limit took away is not created again.
/// - What somebody suspended, an object or all of the set, is left as it is.
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
    /// Set if nothing is to be synced.
    suspended: Option<&'a Suspension>,
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
        findings.extend(findings::incomplete(observed));
        let suspended = options.suspended.as_ref().or(desired.suspended.as_ref());
        findings.extend(suspended.map(findings::suspended));
        Self {
            desired,
            observed,
            options,
            defined: desired.objects.iter().flat_map(|o| kinds::defined_by(&o.object)).collect(),
            served_by_git: desired.objects.iter().filter_map(|o| kinds::served_by(&o.object)).collect(),
            autoscaled: Autoscaled::default(),
            suspended,
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
            if self.options.excludes(&kind.0, &written) {
                return Some(written);
            }
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
        // That of a workload is among the findings of what was read.
        let is_known = |finding: &Finding| {
            finding.evidence.starts_with("fluxcd.io/ignore:")
                && self
                    .findings
                    .iter()
                    .any(|known| known.code == Code::InvalidPolicy && known.subject == finding.subject)
        };
        let unreadable: Vec<Finding> =
            findings::unreadable(id, desired).filter(|finding| !is_known(finding)).collect();
        self.findings.extend(unreadable);
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
        let live_suspension =
            || Some(format!("{}; the annotation is in the cluster", object::suspended(live.as_deref()?)?));
        let suspended = self.suspended.cloned().or_else(|| object::suspended(&desired.object));
        if let Some(message) = suspended.map(|suspension| suspension.to_string()).or_else(live_suspension) {
            return self.push(id, desired, Action::Skip, Reason::Suspended, message);
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
        let record = job::record(id, &form, &checksum, &self.options.sync_set);
        let mark = |owned| mark::value(owned, &self.options.sync_set, id);
        // What could not be seen may have been there before: then it must never be pruned, unless
        // the cluster says that it was not.
        let (owned, mark_if_created) = if self.observed.has_seen(&id.group, &id.kind) {
            (Owned::Created, None)
        } else {
            (Owned::Adopted, Some(mark(Owned::Created)))
        };
        let adopted_from = (owned == Owned::Adopted).then_some(UNMARKED);
        object::put_mark(&mut form, mark(owned), checksum, adopted_from);
        let action = Action::Create { object: Arc::new(form), mark_if_created };
        self.push(id, desired, action, Reason::NotInCluster, String::new());
        if let Some(step) = self.steps.last_mut() {
            step.record = record;
        }
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
        self.findings.extend(findings::other_sync_set(&self.of_others, &self.options.sync_set));
        self.findings.sort();
        self.findings.dedup();
        let wanted = NamedByGit { ids: &self.ids, findings: &self.findings, suspended: self.suspended };
        let (steps, findings) = prune::prune(&wanted, self.observed, self.options);
        self.steps.extend(steps);
        self.steps.sort_by(|a, b| (a.stage, &a.id, &a.place).cmp(&(b.stage, &b.id, &b.place)));
        self.findings.extend(findings);
        self.findings.sort();
        SyncPlan { revision: self.desired.revision.clone(), steps: self.steps, findings: self.findings }
    }
}

mod update;

#[cfg(test)]
mod tests;
