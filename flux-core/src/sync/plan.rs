//! The planner of a sync.

use std::{
    cmp::Ordering,
    collections::{BTreeSet, HashMap},
    iter::Peekable,
    sync::Arc,
};

use serde_json::Value;

use self::decide::{Decision, World, desired_step};
use super::{
    Action, Desired, DesiredObject, Kept, Owned, Reason, Step, SyncOptions, SyncPlan, findings, job,
    kept::{self, Context, Decided, Definitions, is_same},
    mark, object,
    prune::{self, NamedByGit},
    scaling::Autoscaled,
};
use crate::{
    backend::{KindInfo, Observation, Observed},
    finding::{Code, Finding},
    manifest::ResourceId,
    memo::Memo,
    object::Object,
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
///     objects: vec![DesiredObject { object: object.into(), place }],
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
    Kept::default().plan(desired, observed, options)
}

impl Kept {
    /// Plans as [`plan`](plan()) does, and equals it byte for byte.
    ///
    /// Nothing is decided anew about an object if all that speaks for it is as it was: the
    /// document, the object of the cluster, its autoscaler, the fields that are contested, and all
    /// that is said for every object. So a plan takes as long as the changes, and a look at the
    /// rest.
    pub fn plan(
        &mut self,
        desired: &Desired,
        observed: &Observation<Observed>,
        options: &SyncOptions,
    ) -> SyncPlan {
        let definitions = kept::definitions(desired, &mut self.definitions);
        let mut planner = Planner::new(desired, observed, options, definitions);
        let mut objects: Vec<(ResourceId, &DesiredObject)> = Vec::with_capacity(desired.objects.len());
        for object in &desired.objects {
            objects.extend(planner.identify(object).map(|id| (id, object)));
        }
        objects.sort_by(|(a, _), (b, _)| a.cmp(b));
        planner.world.autoscaled = Autoscaled::from_autoscalers(
            objects.iter().map(|(id, one)| (id, &one.object)).chain(&observed.value.objects),
            !observed.has_seen("autoscaling", "HorizontalPodAutoscaler"),
            &mut self.targets,
        );
        self.forget_unless(planner.context());
        let mut before = std::mem::take(&mut self.decided).into_iter().peekable();
        let mut live = observed.value.objects.iter().peekable();
        let mut decided = Vec::with_capacity(objects.len());
        for objects in objects.chunk_by(|(a, _), (b, _)| a == b) {
            let Some((id, object)) = objects.first() else { continue };
            while let Some(other) = live.next_if(|(known, _)| *known < id) {
                planner.others.push(other);
            }
            let live = live.next_if(|(known, _)| *known == id);
            if objects.len() > 1 {
                planner.others.extend(live);
                planner.duplicate(id, objects);
                continue;
            }
            let live = live.map(|(_, live)| live);
            let known = next_of(&mut before, |known| known.step.id.cmp(id));
            let decision = match known {
                Some(known) if planner.is_still_so(&known, object, live) => known,
                _ => planner.decide_anew(id, object, live),
            };
            planner.take(&decision);
            decided.push(decision);
        }
        planner.others.extend(live);
        self.decided = decided;
        let plan = planner.finish(&mut self.owned);
        self.end_round();
        plan
    }
}

/// Returns the item that is what is looked for, skipping those before it; both are in order.
fn next_of<T>(items: &mut Peekable<impl Iterator<Item = T>>, compare: impl Fn(&T) -> Ordering) -> Option<T> {
    while items.next_if(|item| compare(item) == Ordering::Less).is_some() {}
    items.next_if(|item| compare(item) == Ordering::Equal)
}

struct Planner<'a> {
    desired: &'a Desired,
    world: World<'a>,
    /// The ids of the objects that a decision is made about, in order.
    named: Vec<ResourceId>,
    kinds: HashMap<(&'a str, &'a str), Option<KindInfo>>,
    /// The objects of the cluster that no decision is made about.
    others: Vec<(&'a ResourceId, &'a Object)>,
    /// The other ids that git names.
    also_named: Vec<ResourceId>,
    /// Those that carry the mark of another sync set.
    of_others: BTreeSet<ResourceId>,
    /// How many of the objects that git names this sync set has created.
    ours: usize,
    steps: Vec<Arc<Step>>,
    findings: Vec<Finding>,
    /// The findings about annotations that cannot be read.
    unreadable: Vec<Finding>,
}

impl<'a> Planner<'a> {
    fn new(
        desired: &'a Desired,
        observed: &'a Observation<Observed>,
        options: &'a SyncOptions,
        definitions: Definitions,
    ) -> Self {
        let mut findings = desired.findings.clone();
        findings.extend(findings::incomplete(observed));
        let suspended = options.suspended.as_ref().or(desired.suspended.as_ref());
        findings.extend(suspended.map(findings::suspended));
        Self {
            desired,
            world: World { observed, options, definitions, autoscaled: Autoscaled::default(), suspended },
            named: Vec::new(),
            kinds: HashMap::new(),
            others: Vec::new(),
            also_named: Vec::new(),
            of_others: BTreeSet::new(),
            ours: 0,
            steps: Vec::new(),
            findings,
            unreadable: Vec::new(),
        }
    }

    /// Returns all that speaks for every object.
    fn context(&self) -> Context {
        let Observed { kinds, versions, unseen, default_namespace, fidelity, .. } =
            &self.world.observed.value;
        Context {
            options: self.world.options.clone(),
            suspended: self.world.suspended.cloned(),
            definitions: self.world.definitions.clone(),
            kinds: kinds.clone(),
            versions: versions.clone(),
            unseen: unseen.clone(),
            is_complete: self.world.observed.completeness.is_complete(),
            default_namespace: default_namespace.clone(),
            fidelity: *fidelity,
            is_partial: self.world.autoscaled.is_partial(),
        }
    }

    /// Returns `true` if a decision is made on what is so now; what speaks for every object is the
    /// same.
    fn is_still_so(&self, known: &Decided, desired: &DesiredObject, live: Option<&Object>) -> bool {
        let Observed { contests, objects, .. } = &self.world.observed.value;
        let id = &known.step.id;
        known.desired.is_same(&desired.object)
            && known.step.place.as_ref() == Some(&desired.place)
            && is_same(known.live.as_ref(), live)
            && known.contest.as_deref() == contests.get(id)
            && known.autoscaler.as_deref() == self.world.autoscaled.of(id)
            && is_same(known.past.as_ref(), known.record.as_deref().and_then(|record| objects.get(record)))
    }

    fn decide_anew(&self, id: &ResourceId, desired: &DesiredObject, live: Option<&Object>) -> Decided {
        let object = desired.object.value();
        let record = job::record_id(id, &object);
        let past = record.as_ref().and_then(|record| self.world.observed.value.objects.get(record)).cloned();
        let live_value = live.map(Object::value);
        let owned = |live: &Value| mark::read(live, self.world.options.sets(), false).owned;
        let is_ours = live_value.as_ref().map(owned) == Some(Owned::Created);
        let mut decision = Decision {
            world: &self.world,
            desired,
            object: &object,
            step: None,
            findings: Vec::new(),
            is_of_others: false,
        };
        decision.decide(id, live_value.as_ref(), past.as_ref());
        let Decision { step, findings, is_of_others, .. } = decision;
        let step =
            step.unwrap_or_else(|| desired_step(id, desired, Action::Fail, Reason::Rejected, String::new()));
        Decided {
            desired: desired.object.clone(),
            live: live.cloned(),
            contest: self.world.observed.value.contests.get(id).cloned().map(Box::new),
            autoscaler: self.world.autoscaled.of(id).cloned().map(Box::new),
            unreadable: findings::unreadable(id, desired, &object).collect(),
            record: record.map(Box::new),
            past,
            is_ours,
            is_of_others,
            step: Arc::new(step),
            findings,
        }
    }

    /// Takes a decision into the plan.
    fn take(&mut self, decided: &Decided) {
        self.named.push(decided.step.id.clone());
        self.also_named.extend(decided.record.as_deref().cloned());
        self.ours += usize::from(decided.is_ours);
        if decided.is_of_others {
            self.of_others.insert(decided.step.id.clone());
        }
        self.findings.extend(decided.findings.iter().cloned());
        self.unreadable.extend(decided.unreadable.iter().cloned());
        self.steps.push(decided.step.clone());
    }

    /// Returns the id of an object with its namespace resolved; `None`, after reporting it, if it
    /// has none.
    fn identify(&mut self, desired: &'a DesiredObject) -> Option<ResourceId> {
        let Some(written) = object::written_id(&desired.object) else {
            self.findings.push(Finding {
                code: Code::NotAnObject,
                subject: desired.place.path.to_string(),
                place: Some(desired.place.clone()),
                evidence: "it has no apiVersion, kind or metadata.name".to_owned(),
                remedy: "Give it all three, or move it out of the configured paths.".to_owned(),
            });
            return None;
        };
        let kind = (desired.object.api_version(), written.kind());
        let Some(known) = self.kind(kind) else {
            if self.world.options.excludes(kind.0, written) {
                return Some(written.clone());
            }
            self.unknown_kind(written.clone(), kind.0, desired);
            return None;
        };
        let default = self.world.observed.value.default_namespace.as_str();
        Some(written.in_namespace(known.namespaced.then(|| written.namespace().unwrap_or(default))))
    }

    /// Returns what is known of a kind.
    fn kind(&mut self, (api_version, kind): (&'a str, &'a str)) -> Option<KindInfo> {
        let (observed, definitions) = (&self.world.observed.value.kinds, &self.world.definitions.kinds);
        *self.kinds.entry((api_version, kind)).or_insert_with(|| {
            let key = (api_version.to_owned(), kind.to_owned());
            observed.get(&key).or_else(|| definitions.get(&key)).copied()
        })
    }

    fn unknown_kind(&mut self, id: ResourceId, api_version: &str, desired: &DesiredObject) {
        let message = format!(
            "{} of {api_version} is neither built in nor defined in git or in the cluster",
            id.kind()
        );
        self.findings.push(Finding {
            code: Code::UnknownKind,
            subject: id.to_string(),
            place: Some(desired.place.clone()),
            evidence: message.clone(),
            remedy:
                "Add its CustomResourceDefinition to git or to the cluster, or correct apiVersion and kind."
                    .to_owned(),
        });
        let step = desired_step(&id, desired, Action::Fail, Reason::UnknownKind, message);
        self.steps.push(Arc::new(step));
        self.also_named.push(id);
    }

    fn duplicate(&mut self, id: &ResourceId, objects: &[(ResourceId, &DesiredObject)]) {
        let mut places: Vec<_> = objects.iter().map(|(_, object)| &object.place).collect();
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
        for (_, object) in objects {
            let step = desired_step(id, object, Action::Fail, Reason::Duplicate, message.clone());
            self.steps.push(Arc::new(step));
            self.also_named.extend(job::record_id_of(id, &object.object));
        }
        self.also_named.push(id.clone());
    }

    fn finish(mut self, owned: &mut Memo<Owned>) -> SyncPlan {
        self.findings.extend(findings::other_sync_set(&self.of_others, &self.world.options.sync_set));
        // That of a workload is among the findings of what was read.
        let known: BTreeSet<&str> = self
            .findings
            .iter()
            .filter(|f| f.code == Code::InvalidPolicy)
            .map(|f| f.subject.as_str())
            .collect();
        let is_known = |finding: &Finding| {
            finding.evidence.starts_with("fluxcd.io/ignore:") && known.contains(finding.subject.as_str())
        };
        let mut unreadable = std::mem::take(&mut self.unreadable);
        unreadable.retain(|finding| !is_known(finding));
        self.findings.extend(unreadable);
        self.findings.sort();
        self.findings.dedup();
        let wanted = NamedByGit {
            decided: &self.named,
            others: &self.others,
            also: &self.also_named,
            ours: self.ours,
            findings: &self.findings,
            suspended: self.world.suspended,
        };
        let (steps, findings) = prune::prune(&wanted, self.world.observed, self.world.options, owned);
        self.steps.extend(steps.into_iter().map(Arc::new));
        self.steps.sort_by(|a, b| (a.stage, &a.id, &a.place).cmp(&(b.stage, &b.id, &b.place)));
        self.findings.extend(findings);
        self.findings.sort();
        SyncPlan { revision: self.desired.revision.clone(), steps: self.steps, findings: self.findings }
    }
}

mod decide;
mod update;

#[cfg(test)]
mod tests;
