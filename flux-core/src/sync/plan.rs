//! The planner of a sync.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::{Map, Value};

use super::{
    Action, CHECKSUM_ANNOTATION, Desired, DesiredObject, FieldDiff, MARK_LABEL, Owned, Reason, Step,
    SyncOptions, SyncPlan,
    compare::{Compare, is_nothing},
    fields::{self, Managers},
    kinds, mark,
    object::{self, Ignore},
    order,
    prune::{self, NamedByGit},
    scaling::{self, Autoscaled},
};
use crate::{
    backend::{Completeness, Fidelity, KindInfo, Observation, Observed},
    finding::{Code, Finding},
    manifest::ResourceId,
    schema::{lists::Schema, path::FieldPath},
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
    planner.autoscaled = Autoscaled::from_autoscalers(
        identified
            .iter()
            .flat_map(|(id, objects)| objects.iter().map(|o| (id.namespace.as_deref(), o.object.as_ref())))
            .chain(scaling::observed_objects(&observed.value.objects)),
    );
    for (id, objects) in &identified {
        match objects[..] {
            [object] => planner.decide(id, object),
            _ => planner.duplicate(id, objects),
        }
    }
    planner.ids.extend(identified.into_keys());
    planner.finish()
}

struct Planner<'a> {
    desired: &'a Desired,
    observed: &'a Observation<Observed>,
    options: &'a SyncOptions,
    defined: BTreeMap<(String, String), KindInfo>,
    autoscaled: Autoscaled,
    /// Every id that git names.
    ids: BTreeSet<ResourceId>,
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
            autoscaled: Autoscaled::default(),
            ids: BTreeSet::new(),
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
        // What could not be seen may have been there before: then it must never be pruned.
        let owned = if self.observed.completeness.is_complete() { Owned::Created } else { Owned::Adopted };
        object::put_mark(&mut form, mark::value(owned, &self.options.sync_set, id), checksum);
        let action = Action::Create { object: Arc::new(form) };
        self.push(id, desired, action, Reason::NotInCluster, String::new());
    }

    fn update(&mut self, id: &ResourceId, desired: &DesiredObject, form: Value, live: &Value) {
        let checksum = object::checksum(&form);
        let unchanged_in_git = live["metadata"]["annotations"][CHECKSUM_ANNOTATION] == checksum.as_str();
        let owned = mark::owned(live, &self.options.sync_set);
        let managers = Managers::read(live);

        let mut sent = form;
        let yielded = scaling::yield_to_autoscalers(&mut sent, id, live, &managers, &self.autoscaled);
        let mark = if owned == Owned::Created { Owned::Created } else { Owned::Adopted };
        object::put_mark(&mut sent, mark::value(mark, &self.options.sync_set, id), checksum);

        let tracked = managers.ours().filter(|_| owned != Owned::No);
        let differences =
            Differences { sent: &sent, live, group: &id.group, fidelity: self.observed.value.fidelity };
        let paths = match tracked {
            Some(ours) if unchanged_in_git => differences.drift(ours),
            Some(ours) => differences.change(ours),
            None => differences.by_value(),
        };
        let paths = outermost(paths.into_iter().filter(|path| !yielded.contains(path) && !is_mark(path)));
        let fields: Vec<FieldDiff> = paths
            .iter()
            .map(|path| FieldDiff { path: path.to_string(), owner: managers.owner(path) })
            .collect();

        let equal = fields.is_empty();
        let (leave, content_equal, reason) = match (owned, tracked.is_some(), unchanged_in_git) {
            (Owned::No, ..) => (false, equal, Reason::Adopted),
            (_, _, true) if equal => (true, true, Reason::UpToDate),
            (_, _, true) => (false, false, Reason::Drifted),
            (_, true, false) => (false, false, Reason::ChangedInGit),
            // Marked, but not by server-side apply of ours: v1 did it.
            (_, false, false) if equal => (false, true, Reason::Adopted),
            (_, false, false) => (false, false, Reason::ChangedInGit),
        };
        let action =
            if leave { Action::Leave } else { Action::Apply { object: Arc::new(sent), content_equal } };
        self.push(id, desired, action, reason, String::new());
        if let Some(step) = self.steps.last_mut() {
            step.fields = fields;
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
        });
    }

    fn finish(mut self) -> SyncPlan {
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

/// Returns the paths without those that are part of another.
fn outermost(paths: impl Iterator<Item = FieldPath>) -> BTreeSet<FieldPath> {
    let mut out = BTreeSet::<FieldPath>::new();
    // In order, a path comes before those within it.
    for path in paths.collect::<BTreeSet<_>>() {
        if !out.last().is_some_and(|outer| outer.contains(&path)) {
            out.insert(path);
        }
    }
    out
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

/// The object that is to be sent, beside the object as it is.
struct Differences<'a> {
    sent: &'a Value,
    live: &'a Value,
    group: &'a str,
    fidelity: Fidelity,
}

impl Differences<'_> {
    /// Returns the fields that somebody changed after us: those that we no longer hold, and values
    /// that differ where values come back as sent.
    fn drift(&self, ours: &Map<String, Value>) -> Vec<FieldPath> {
        let is_secret = self.sent["kind"] == "Secret";
        let mut held = self.sent.clone();
        if let (true, Some(top)) = (is_secret, held.as_object_mut()) {
            // The server keeps it as `data`, which it does not respell: compared by value below.
            top.remove("stringData");
        }
        let mut paths = fields::uncovered(&held, ours);
        // The absence of something empty is no difference.
        paths.retain(|path| {
            let says_nothing = |object| path.get(object).is_none_or(is_nothing);
            !(says_nothing(self.sent) && says_nothing(self.live))
        });
        let data = FieldPath::from_fields(&["data"]);
        let exact = self.fidelity == Fidelity::Exact;
        paths.extend(
            self.values(!exact).into_iter().filter(|path| exact || (is_secret && data.contains(path))),
        );
        paths
    }

    /// Returns the fields that changed in git: values that differ, and fields of ours that git no
    /// longer has.
    fn change(&self, ours: &Map<String, Value>) -> Vec<FieldPath> {
        let mut paths = self.values(self.fidelity == Fidelity::Normalised);
        let mut sent = self.sent.clone();
        object::fold_string_data(&mut sent);
        if let (Some(strings), Some(top)) = (self.sent.get("stringData"), sent.as_object_mut()) {
            top.insert("stringData".to_owned(), strings.clone());
        }
        paths.extend(fields::released(ours, &sent).into_iter().filter(|path| path.get(self.live).is_some()));
        paths
    }

    /// Returns the values that differ from git's, when no managed fields of ours are recorded.
    fn by_value(&self) -> Vec<FieldPath> {
        self.values(true)
    }

    fn values(&self, defaults: bool) -> Vec<FieldPath> {
        let mut sent = self.sent.clone();
        object::fold_string_data(&mut sent);
        let quantities = self.fidelity == Fidelity::Normalised;
        Compare { schema: Schema::of_group(self.group), quantities, defaults }.objects(&sent, self.live)
    }
}

#[cfg(test)]
mod tests;
