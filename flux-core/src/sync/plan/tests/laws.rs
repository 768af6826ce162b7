//! The laws of the planner, over random histories of one cluster: syncs, hand edits, autoscalers.

use proptest::{collection::vec, prelude::*, sample::subsequence};

use super::*;
use crate::{schema::lists::Schema, sync::compare::Compare};

/// An event in the life of a cluster before it is looked at.
#[derive(Clone, Debug)]
enum Event {
    Sync(Vec<Value>),
    CreateByHand(Value),
    Edit(usize, Edit),
    Delete(usize),
}

#[derive(Clone, Debug)]
enum Edit {
    Set(&'static str, &'static str),
    Unset(&'static str),
    Label,
    Unmark,
    Scale(i64),
    Image,
    DropContainer,
    Args,
}

impl Edit {
    fn make(&self, object: &mut Value) {
        let deployment = object["kind"] == "Deployment";
        match self {
            Self::Set(key, value) if !deployment => object["data"][*key] = (*value).into(),
            Self::Unset(key) => {
                if let Some(data) = object.get_mut("data").and_then(Value::as_object_mut) {
                    data.remove(*key);
                }
            }
            Self::Label => object["metadata"]["labels"]["by-hand"] = "yes".into(),
            Self::Unmark => {
                if let Some(labels) = object["metadata"]["labels"].as_object_mut() {
                    labels.remove(MARK_LABEL);
                }
            }
            Self::Scale(replicas) if deployment => object["spec"]["replicas"] = (*replicas).into(),
            Self::Image | Self::Args | Self::DropContainer if deployment => {
                let containers = object["spec"]["template"]["spec"]["containers"].as_array_mut().unwrap();
                match (self, containers.first_mut()) {
                    (Self::Image, Some(first)) => first["image"] = "hand:1".into(),
                    (Self::Args, Some(first)) => first["args"] = json!(["--by", "hand"]),
                    (Self::DropContainer, Some(_)) => drop(containers.remove(0)),
                    _ => {}
                }
            }
            _ => {}
        }
    }
}

fn config_maps() -> impl Strategy<Value = Value> {
    let data = proptest::collection::btree_map(prop_oneof!["a", "b", "c"], prop_oneof!["1", "2"], 0..3);
    (0..3_u8, data).prop_map(|(n, data)| {
        let mut object = config_map(&format!("map{n}"));
        object["data"] = json!(data);
        object
    })
}

fn deployments() -> impl Strategy<Value = Value> {
    let container = |name: &'static str| {
        (1..3_u8, proptest::option::of(vec("-[ab]", 0..3)), any::<bool>()).prop_map(
            move |(tag, args, env)| {
                let mut container =
                    json!({"name": name, "image": format!("{name}:{tag}"), "ports": [{"containerPort": 80}]});
                if let Some(args) = args {
                    container["args"] = json!(args);
                }
                if env {
                    container["env"] = json!([{"name": "A", "value": "1"}]);
                }
                container
            },
        )
    };
    let containers = (container("web"), container("side"), any::<bool>())
        .prop_map(|(web, side, both)| if both { vec![side, web] } else { vec![web] });
    (0..2_u8, proptest::option::of(1..4_i64), containers).prop_map(|(n, replicas, containers)| {
        let mut object = object("apps/v1", "Deployment", &format!("app{n}"));
        object["spec"] = json!({"template": {"spec": {"containers": containers}}});
        if let Some(replicas) = replicas {
            object["spec"]["replicas"] = replicas.into();
        }
        object
    })
}

fn manifest() -> impl Strategy<Value = Value> {
    prop_oneof![config_maps(), deployments()]
}

/// Returns the objects of git, each once.
fn manifests() -> impl Strategy<Value = Vec<Value>> {
    vec(manifest(), 0..6).prop_map(|objects| {
        let mut seen = BTreeSet::new();
        objects.into_iter().filter(|o| seen.insert(object::id_of(o))).collect()
    })
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let edit = prop_oneof![
        (prop_oneof![Just("a"), Just("b")], prop_oneof![Just("1"), Just("hand")])
            .prop_map(|(k, v)| Edit::Set(k, v)),
        prop_oneof![Just("a"), Just("b")].prop_map(Edit::Unset),
        Just(Edit::Label),
        Just(Edit::Unmark),
        (1..5_i64).prop_map(Edit::Scale),
        Just(Edit::Image),
        Just(Edit::DropContainer),
        Just(Edit::Args),
    ];
    let event = prop_oneof![
        3 => manifests().prop_map(Event::Sync),
        1 => manifest().prop_map(Event::CreateByHand),
        3 => (any::<usize>(), edit).prop_map(|(n, edit)| Event::Edit(n, edit)),
        1 => any::<usize>().prop_map(Event::Delete),
    ];
    vec(event, 0..8)
}

/// Returns the cluster after these events, and the ids of what a sync created in it, however often.
fn cluster_after(events: &[Event]) -> (MemoryCluster, BTreeSet<ResourceId>) {
    let cluster = MemoryCluster::new();
    let mut created = BTreeSet::new();
    for event in events {
        let nth = |n: usize| {
            let objects = cluster.objects();
            objects.get(n % objects.len().max(1)).and_then(object::id_of)
        };
        match event {
            Event::Sync(objects) => {
                let report = sync(&cluster, objects, &pruning());
                let made = report.resources.into_iter().filter(|r| r.outcome == Outcome::Created);
                created.extend(made.map(|r| r.id.clone()));
            }
            Event::CreateByHand(object) => {
                if let Ok(id) = cluster.create(object.clone()) {
                    created.remove(&id);
                }
            }
            Event::Edit(n, edit) => {
                if let Some(id) = nth(*n) {
                    let (manager, subresource) = match edit {
                        Edit::Scale(4) => ("kube-controller-manager", Some("scale")),
                        _ => ("kubectl-edit", None),
                    };
                    cluster.edit_as(manager, subresource, &id, |object| edit.make(object)).unwrap();
                }
            }
            Event::Delete(n) => {
                if let Some(id) = nth(*n) {
                    cluster.delete(&id);
                    created.remove(&id);
                }
            }
        }
    }
    (cluster, created)
}

fn bytes(plan: &SyncPlan) -> String {
    serde_json::to_string(plan).unwrap()
}

proptest! {
    /// Law 1: the same input in any order gives the same bytes.
    #[test]
    fn order_does_not_matter(
        events in events(),
        (objects, shuffled) in vec(manifest(), 0..6).prop_flat_map(|o| (Just(o.clone()), Just(o).prop_shuffle())),
    ) {
        let (cluster, _) = cluster_after(&events);
        let observed = observe(&cluster, &objects);
        // Places go with the objects.
        let sorted = desired(&objects);
        let mut other = desired(&objects);
        let mut rest = shuffled;
        other.objects.sort_by_key(|o| {
            let at = rest.iter().position(|r| o.object == *r).unwrap_or(0);
            if let Some(taken) = rest.get_mut(at) { *taken = Value::Null; }
            at
        });
        prop_assert_eq!(bytes(&plan(&sorted, &observed, &pruning())), bytes(&plan(&other, &observed, &pruning())));
        other.objects.reverse();
        prop_assert_eq!(bytes(&plan(&sorted, &observed, &pruning())), bytes(&plan(&other, &observed, &pruning())));
    }

    /// Law 10: what a plan did needs not be done again, whether values are compared or ownership.
    #[test]
    fn a_second_sync_has_nothing_to_do(events in events(), objects in manifests()) {
        let (cluster, _) = cluster_after(&events);
        let report = sync(&cluster, &objects, &pruning());
        prop_assert!(report.resources.iter().all(|r| r.outcome != Outcome::Failed), "{:?}", report);
        let mut observed = observe(&cluster, &objects);
        for fidelity in [Fidelity::Exact, Fidelity::Normalised] {
            observed.value.fidelity = fidelity;
            let again = plan(&desired(&objects), &observed, &pruning());
            prop_assert!(!again.steps.iter().any(|step| step.is_sent()), "{fidelity:?}: {again:?}");
        }
        let before = cluster.objects();
        sync(&cluster, &objects, &pruning());
        prop_assert_eq!(cluster.objects(), before);
    }

    /// After a sync, the cluster says what git says wherever git says something, but for what an
    /// autoscaler decides.
    #[test]
    fn the_cluster_says_what_git_says(events in events(), objects in manifests()) {
        let (cluster, _) = cluster_after(&events);
        sync(&cluster, &objects, &pruning());
        let observed = observe(&cluster, &objects);
        for object in &objects {
            let mut id = object::id_of(object).unwrap();
            id = id.in_namespace(Some("default"));
            let live = &observed.value.objects[&id].value();
            let compare = Compare { schema: Schema::of_group(id.group()), rewritten: false, defaults: false };
            let scaled = Managers::read(live).scaled();
            let differ = compare.objects(object, live, None).into_iter().filter(|p| !scaled.contains(p)).count();
            prop_assert_eq!(differ, 0, "{} {}", object, live);
        }
    }

    /// Drift that ownership finds is a difference that values show, too; and only what was seen by
    /// neither is left.
    #[test]
    fn ownership_and_values_agree_on_what_drifted(events in events(), objects in manifests(), n in any::<usize>(), hand in "[12]") {
        let (cluster, _) = cluster_after(&events);
        sync(&cluster, &objects, &pruning());
        let Some(target) = cluster.objects().get(n % objects.len().max(1)).and_then(object::id_of) else { return Ok(()) };
        cluster.edit(&target, |o| Edit::Set("a", if hand == "1" { "1" } else { "2" }).make(o)).unwrap();
        cluster.edit(&target, |o| Edit::Image.make(o)).unwrap();
        let mut observed = observe(&cluster, &objects);
        let seen = |observed: &Observation<Observed>| -> Vec<_> {
            plan(&desired(&objects), observed, &options()).steps.into_iter().map(|s| (s.id.clone(), s.reason, s.fields.clone())).collect()
        };
        let exact = seen(&observed);
        observed.value.fidelity = Fidelity::Normalised;
        prop_assert_eq!(exact, seen(&observed));
    }

    /// Law 7: nothing is pruned that a sync did not create.
    #[test]
    fn only_what_was_created_is_pruned(events in events(), objects in manifests()) {
        let (cluster, created) = cluster_after(&events);
        let plan = plan_on(&cluster, &objects, &pruning());
        for step in plan.steps.iter().filter(|s| matches!(s.action, Action::Prune { .. })) {
            prop_assert!(created.contains(&step.id), "{step:?}");
        }
    }

    /// Law 7: nothing is pruned on doubt, whatever of the cluster was seen.
    #[test]
    fn nothing_is_pruned_when_anything_is_in_doubt(
        events in events(),
        objects in manifests(),
        seen in any::<prop::sample::Index>(),
        doubt in 0..4_u8,
    ) {
        let (cluster, _) = cluster_after(&events);
        let mut observed = observe(&cluster, &objects);
        let mut desired = desired(&objects);
        let keep = seen.index(observed.value.objects.len() + 1);
        observed.value.objects = observed.value.objects.into_iter().take(keep).collect();
        match doubt {
            0 => observed.completeness = Completeness::Partial(vec!["something".to_owned()]),
            1 => observed.completeness = Completeness::Stale { age: SignedDuration::ZERO, reason: "x".to_owned() },
            2 => desired.objects.clear(),
            _ => desired.findings.push(Finding {
                code: Code::InvalidYaml, subject: "x".to_owned(), place: None, evidence: String::new(), remedy: String::new(),
            }),
        }
        let all = SyncOptions { prune_all: true, ..pruning() };
        let plan = plan(&desired, &observed, &all);
        prop_assert_eq!(plan.steps.iter().filter(|s| matches!(s.action, Action::Prune { .. })).count(), 0);
        // And what was not seen is not taken for ours.
        if doubt < 2 {
            for step in &plan.steps {
                if let Action::Create { object, .. } = &step.action {
                    prop_assert_eq!(owned(&object.value(), &all.sync_set), Owned::Adopted);
                }
            }
        }
    }

    /// Law 6: what is wrong with one object changes nothing about the others.
    #[test]
    fn a_broken_object_changes_nothing_about_the_others(
        events in events(),
        objects in manifests(),
        broken in subsequence(vec![
            json!({"apiVersion": "x.y/v1", "kind": "Unknown", "metadata": {"name": "u"}}),
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "l", "labels": 1}}),
            json!({"kind": "Nothing"}),
            json!(null),
        ], 1..4),
    ) {
        let (cluster, _) = cluster_after(&events);
        let sound = plan_on(&cluster, &objects, &options());
        let mut more = objects;
        more.extend(broken);
        let with = plan_on(&cluster, &more, &options());
        for step in &sound.steps {
            prop_assert!(with.steps.contains(step), "{step:?}");
        }
        prop_assert!(!with.findings.is_empty());
    }
}
