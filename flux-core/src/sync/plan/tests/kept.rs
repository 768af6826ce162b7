//! The law of plans that are joined from earlier decisions: each is the plan from nothing, over
//! random histories of git, of the cluster and of the options.

use std::collections::BTreeMap;

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::{
    plan::contest::Contest,
    policy::Suspension,
    sync::{Checked, Kept},
};

/// Something that happens between two plans.
#[derive(Clone, Debug)]
enum Happening {
    /// A place of git gets another document.
    Write(usize, usize),
    /// A place of git loses its document.
    Remove(usize),
    /// Somebody edits an object of the cluster.
    Edit(usize, u8),
    /// An object of the cluster goes.
    Delete(usize),
    /// Somebody creates an object.
    Create(usize),
    /// The options become others.
    Options(u8),
    /// The facts besides objects become others.
    Know(u8),
    /// The plan is carried out.
    Apply,
}

/// The documents that git may have: some speak for others.
fn documents() -> Vec<Value> {
    let deployment = |replicas: i64| {
        let mut object = object("apps/v1", "Deployment", "app");
        object["spec"] = json!({"replicas": replicas, "template": {"spec": {"containers": [{"name": "c", "image": "i:1"}]}}});
        object
    };
    let mut config = config_map("map");
    config["data"] = json!({"a": "1"});
    let mut other = config.clone();
    other["data"] = json!({"a": "2"});
    let mut scaler = object("autoscaling/v2", "HorizontalPodAutoscaler", "scaler");
    scaler["spec"] =
        json!({"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "app"}});
    let mut definition = object("apiextensions.k8s.io/v1", "CustomResourceDefinition", "widgets.example.com");
    definition["spec"] = json!({"group": "example.com", "scope": "Namespaced", "names": {"kind": "Widget", "plural": "widgets"},
        "versions": [{"name": "v1", "served": true}]});
    let mut cluster_wide = definition.clone();
    cluster_wide["spec"]["scope"] = "Cluster".into();
    let mut job = object("batch/v1", "Job", "job");
    job["spec"] = json!({"ttlSecondsAfterFinished": 5, "template": {"spec": {"containers": [{"name": "c", "image": "i:1"}]}}});
    let mut elsewhere = config_map("map");
    elsewhere["metadata"]["namespace"] = "elsewhere".into();
    vec![
        config.clone(),
        other,
        annotated(config.clone(), "fluxcd.io/ignore", "true"),
        annotated(config.clone(), "fluxcd.io/ignore", "perhaps"),
        annotated(config.clone(), "fluxcd.io/drift", "report"),
        annotated(config, "fluxcd.io/suspended", "true"),
        deployment(1),
        deployment(3),
        scaler,
        definition,
        cluster_wide,
        object("example.com/v1", "Widget", "widget"),
        job,
        elsewhere,
        object("v1", "Namespace", "elsewhere"),
        json!({"kind": "Nothing"}),
    ]
}

/// How many places git has.
const PLACES: usize = 6;

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let count = documents().len();
    let happening = prop_oneof![
        4 => (0..PLACES, 0..count).prop_map(|(place, document)| Happening::Write(place, document)),
        1 => (0..PLACES).prop_map(Happening::Remove),
        3 => (any::<usize>(), 0..4_u8).prop_map(|(n, what)| Happening::Edit(n, what)),
        1 => any::<usize>().prop_map(Happening::Delete),
        1 => (0..count).prop_map(Happening::Create),
        1 => (0..8_u8).prop_map(Happening::Options),
        1 => (0..6_u8).prop_map(Happening::Know),
        4 => Just(Happening::Apply),
    ];
    vec(happening, 1..14)
}

/// A cluster and a repository in the course of time.
struct World {
    cluster: MemoryCluster,
    git: BTreeMap<usize, DesiredObject>,
    suspended: Option<Suspension>,
    options: SyncOptions,
    facts: u8,
}

impl World {
    fn new() -> Self {
        let (cluster, git) = (MemoryCluster::new(), BTreeMap::new());
        Self { cluster, git, suspended: None, options: pruning(), facts: 0 }
    }

    fn happens(&mut self, happening: &Happening, plan: &SyncPlan) {
        let nth = |n: usize| {
            let objects = self.cluster.objects();
            objects.get(n % objects.len().max(1)).and_then(object::id_of)
        };
        match happening {
            Happening::Write(place, document) => {
                let line = u32::try_from(*place).unwrap() + 1;
                let place_in_file = Place::in_file("all.yaml", Position { line, column: 1 });
                let object = documents().swap_remove(*document).into();
                self.git.insert(*place, DesiredObject { object, place: place_in_file });
            }
            Happening::Remove(place) => drop(self.git.remove(place)),
            Happening::Edit(n, what) => {
                if let Some(id) = nth(*n) {
                    let edit = |object: &mut Value| match what {
                        0 => object["metadata"]["labels"]["by-hand"] = "yes".into(),
                        1 => object["data"]["a"] = "hand".into(),
                        2 => object["metadata"]["labels"] = json!({}),
                        _ => object["metadata"]["annotations"]["fluxcd.io/ignore"] = "true".into(),
                    };
                    self.cluster.edit_as("kubectl-edit", None, &id, edit).unwrap();
                }
            }
            Happening::Delete(n) => {
                if let Some(id) = nth(*n) {
                    self.cluster.delete(&id);
                }
            }
            Happening::Create(document) => drop(self.cluster.create(documents().swap_remove(*document))),
            Happening::Options(which) => match which {
                0 => self.options = pruning(),
                1 => self.options = options(),
                2 => self.options.sync_set = SyncSet::new("theirs"),
                3 => self.options.takes_over = vec![SyncSet::new("ours")],
                4 => self.options.namespaces = Some(vec!["default".to_owned()]),
                5 => self.options.report_drift = true,
                6 => self.suspended = Some(Suspension { by: None, reason: None }),
                _ => self.suspended = None,
            },
            Happening::Know(what) => self.facts = *what,
            Happening::Apply => drop(block_on(self.cluster.apply(plan, &())).unwrap()),
        }
    }

    fn desired(&self) -> Desired {
        let objects = self.git.values().cloned().collect();
        Desired { objects, suspended: self.suspended.clone(), ..Desired::default() }
    }

    fn observed(&self, desired: &Desired) -> Observation<Observed> {
        let mut observed = block_on(self.cluster.observe(&desired.scope())).unwrap();
        match self.facts {
            1 => observed.completeness = Completeness::Partial(vec!["something".to_owned()]),
            2 => {
                observed.completeness = Completeness::Partial(vec!["config maps".to_owned()]);
                observed.value.unseen = BTreeSet::from([(String::new(), "ConfigMap".to_owned())]);
            }
            3 => observed.value.fidelity = Fidelity::Normalised,
            4 => {
                let checksums = observed.value.objects.iter().map(|(id, live)| {
                    let checksum =
                        live.at("/metadata/annotations").unwrap_or_default()[CHECKSUM_ANNOTATION].clone();
                    let mut contest = Contest::new(checksum.as_str().unwrap_or_default());
                    contest
                        .fields
                        .insert("data.a".to_owned(), crate::plan::contest::digest(Some(&"hand".into())));
                    (id.clone(), contest)
                });
                observed.value.contests = checksums.collect();
            }
            _ => {}
        }
        observed
    }
}

proptest! {
    /// A plan that is joined from earlier decisions is the one that is made from nothing, and the
    /// check of it finds the same, also of a plan with a fault.
    #[test]
    fn a_plan_from_what_was_kept_is_the_plan_from_nothing(happenings in happenings()) {
        let (mut world, mut kept, mut checked) = (World::new(), Kept::default(), Checked::default());
        let mut last = SyncPlan::new(Vec::new());
        for happening in happenings {
            world.happens(&happening, &last);
            let desired = world.desired();
            let observed = world.observed(&desired);
            let options = world.options.clone();
            let joined = kept.plan(&desired, &observed, &options);
            let anew = super::super::plan(&desired, &observed, &options);
            prop_assert_eq!(serde_json::to_string(&joined).unwrap(), serde_json::to_string(&anew).unwrap());
            prop_assert_eq!(checked.check(&joined, &desired, &observed, &options), check(&anew, &desired, &observed, &options));
            let mut broken = joined.clone();
            if let Some(step) = broken.steps.first_mut() {
                Arc::make_mut(step).action = Action::Leave;
            }
            prop_assert_eq!(checked.check(&broken, &desired, &observed, &options), check(&broken, &desired, &observed, &options));
            last = joined;
        }
    }
}

#[test]
fn what_has_not_changed_is_not_decided_again() {
    let objects = [config_map("a"), config_map("b")];
    let cluster = synced(&objects);
    let desired = desired(&objects);
    let mut kept = Kept::default();
    let mut plan = || kept.plan(&desired, &block_on(cluster.observe(&desired.scope())).unwrap(), &options());
    let (first, second) = (plan(), plan());
    assert!(first.steps.iter().zip(&second.steps).all(|(a, b)| Arc::ptr_eq(a, b)));
    cluster.edit(&id_in(&cluster, "a"), |object| object["data"] = json!({"k": "v"})).unwrap();
    let third = plan();
    let is_same = |n: usize| Arc::ptr_eq(&second.steps[n], &third.steps[n]);
    assert!(!is_same(0) && is_same(1));
}
