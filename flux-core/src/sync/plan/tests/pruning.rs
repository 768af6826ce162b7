//! The rules of deletions, one by one.

use super::*;
use crate::position::Position;

/// Returns a cluster with `stays` and `goes`, both created by a sync; `goes` as changed by the
/// function.
fn cluster_with(goes: &Value, change: impl FnOnce(&mut Value)) -> MemoryCluster {
    let cluster = synced(&[config_map("stays"), goes.clone()]);
    let mut file = cluster.objects();
    change(file.iter_mut().find(|o| o["metadata"]["name"] == "goes").unwrap());
    MemoryCluster::from_objects(file).unwrap()
}

fn verdict(cluster: &MemoryCluster, options: &SyncOptions) -> (Reason, bool) {
    let plan = plan_on(cluster, &[config_map("stays")], options);
    let step = step(&plan, "goes");
    (step.reason, matches!(step.action, Action::Prune { .. }))
}

#[test]
fn an_object_is_pruned_with_what_was_seen_as_condition() {
    let cluster = cluster_with(&config_map("goes"), |_| ());
    let live = cluster.get(&id_in(&cluster, "goes")).unwrap();
    let plan = plan_on(&cluster, &[config_map("stays")], &pruning());
    let text = |key: &str| live["metadata"][key].as_str().map(str::to_owned);
    assert_eq!(
        step(&plan, "goes").action,
        Action::Prune {
            uid: text("uid"),
            resource_version: text("resourceVersion"),
            content: content_digest(&live)
        }
    );
    assert_eq!(plan.steps.last().unwrap().id.name(), "goes", "pruning comes last");
}

#[test]
fn each_object_has_its_own_reasons_to_stay() {
    let owner = |o: &mut Value| {
        o["metadata"]["ownerReferences"] = json!([{"kind": "Widget", "name": "w", "uid": "1"}]);
    };
    let ignore = |value: &'static str| {
        move |o: &mut Value| o["metadata"]["annotations"]["fluxcd.io/ignore"] = value.into()
    };
    let prune = |value: &'static str| {
        move |o: &mut Value| o["metadata"]["annotations"]["fluxcd.io/prune"] = value.into()
    };
    let table: Vec<(&str, Value, Box<dyn FnOnce(&mut Value)>, Reason)> = vec![
        ("has an owner", config_map("goes"), Box::new(owner), Reason::NotCreatedByFlux),
        ("ignored", config_map("goes"), Box::new(ignore("true")), Reason::Ignored),
        ("sync_only", config_map("goes"), Box::new(ignore("sync_only")), Reason::Ignored),
        ("not to be pruned", config_map("goes"), Box::new(prune("false")), Reason::Ignored),
        ("perhaps not to be pruned", config_map("goes"), Box::new(prune("disabled")), Reason::Ignored),
        (
            "on its way",
            config_map("goes"),
            Box::new(|o| o["metadata"]["deletionTimestamp"] = "now".into()),
            Reason::NotInGit,
        ),
        ("a namespace", object("v1", "Namespace", "goes"), Box::new(|_| ()), Reason::PruneHeldBack),
        (
            "a bound volume",
            object("v1", "PersistentVolume", "goes"),
            Box::new(|o| o["status"] = json!({"phase": "Bound"})),
            Reason::PruneHeldBack,
        ),
    ];
    for (name, goes, change, reason) in table {
        assert_eq!(verdict(&cluster_with(&goes, change), &pruning()), (reason, false), "{name}");
    }
    let namespace = cluster_with(&object("v1", "Namespace", "goes"), prune("true"));
    assert_eq!(verdict(&namespace, &pruning()), (Reason::NotInGit, true), "a namespace goes when asked");
    let volume = cluster_with(&object("v1", "PersistentVolume", "goes"), |_| ());
    assert_eq!(verdict(&volume, &pruning()), (Reason::NotInGit, true), "an unbound volume goes");
    let cluster = cluster_with(&config_map("goes"), |_| ());
    assert_eq!(verdict(&cluster, &options()), (Reason::PruneOff, false));
    let elsewhere = SyncOptions { namespaces: Some(Vec::new()), ..pruning() };
    assert_eq!(verdict(&cluster, &elsewhere), (Reason::NamespaceNotAllowed, false));
}

#[test]
fn what_holds_others_goes_only_with_all_of_them() {
    let inside = |name: &str| {
        let mut object = config_map(name);
        object["metadata"]["namespace"] = "shop".into();
        object
    };
    let namespace = annotated(object("v1", "Namespace", "shop"), "fluxcd.io/prune", "true");
    let cluster = synced(&[namespace, inside("a"), inside("b"), config_map("kept")]);
    let plan_for = |objects: &[Value]| plan_on(&cluster, objects, &pruning());
    // Git still names an object in it.
    let plan = plan_for(&[config_map("kept"), inside("a")]);
    let step_of = |plan: &SyncPlan| step(plan, "shop").reason;
    assert_eq!(step_of(&plan), Reason::PruneHeldBack);
    assert!(step(&plan, "shop").message.starts_with("shop:configmap/a would go with it"), "{plan}");
    // One in it is to stay by its annotation.
    let id = id_in(&cluster, "b");
    let suspend = |o: &mut Value| o["metadata"]["annotations"]["fluxcd.io/suspended"] = "true".into();
    cluster.edit(&id, suspend).unwrap();
    assert_eq!(step_of(&plan_for(&[config_map("kept")])), Reason::PruneHeldBack);
    let resume = |o: &mut Value| o["metadata"]["annotations"]["fluxcd.io/suspended"] = "false".into();
    cluster.edit(&id, resume).unwrap();
    let plan = plan_for(&[config_map("kept")]);
    assert!(matches!(step(&plan, "shop").action, Action::Prune { .. }), "{plan}");
}

#[test]
fn what_is_on_its_way_names_the_finalizers_that_it_waits_for() {
    let cluster = cluster_with(&config_map("goes"), |o| {
        o["metadata"]["deletionTimestamp"] = "now".into();
        o["metadata"]["finalizers"] = json!(["example.com/a", "example.com/b"]);
    });
    let plan = plan_on(&cluster, &[config_map("stays")], &pruning());
    let waits = "it is being deleted; it waits for example.com/a, example.com/b";
    assert_eq!(step(&plan, "goes").message, waits);
}

#[test]
fn an_object_whose_mark_was_changed_is_not_ours() {
    let cluster =
        cluster_with(&config_map("goes"), |o| o["metadata"]["labels"][MARK_LABEL] = "sha256.x".into());
    assert!(
        !plan_on(&cluster, &[config_map("stays")], &pruning()).steps.iter().any(|s| s.id.name() == "goes")
    );
}

#[test]
fn the_same_object_under_another_group_is_not_pruned() {
    let ingress = |version: &str| object(version, "Ingress", "web");
    let cluster = synced(&[ingress("extensions/v1beta1")]);
    let mut twice = cluster.objects();
    let mut modern = twice[0].clone();
    modern["apiVersion"] = "networking.k8s.io/v1".into();
    twice.push(modern);
    let cluster = MemoryCluster::from_objects(twice).unwrap();
    let plan = plan_on(&cluster, &[ingress("networking.k8s.io/v1")], &pruning());
    assert_eq!(plan.steps.len(), 1, "{plan:?}");
}

#[test]
fn nothing_is_pruned_on_doubt() {
    let cluster = cluster_with(&config_map("goes"), |_| ());
    let stays = [config_map("stays")];
    let broken = Finding {
        code: Code::InvalidYaml,
        subject: "b.yaml".to_owned(),
        place: Some(Place::in_file("b.yaml", Position { line: 3, column: 1 })),
        evidence: String::new(),
        remedy: String::new(),
    };
    let sound = (desired(&stays), observe(&cluster, &stays));
    let with = |change: &dyn Fn(&mut (Desired, Observation<Observed>))| {
        let mut doubtful = sound.clone();
        change(&mut doubtful);
        let plan = plan(&doubtful.0, &doubtful.1, &pruning());
        let held = codes(&plan).contains(&Code::PruneHeldBack);
        (step(&plan, "goes").reason, held)
    };
    let held = (Reason::PruneHeldBack, true);
    assert_eq!(with(&|_| ()), (Reason::NotInGit, false));
    assert_eq!(with(&|w| w.0.findings.push(broken.clone())), held, "a broken file");
    assert_eq!(
        with(&|w| w.0.findings.push(Finding { code: Code::Encrypted, ..broken.clone() })),
        (Reason::NotInGit, false),
        "a warning is no doubt"
    );
    assert_eq!(with(&|w| w.0.objects.clear()), held, "an empty repository");
    assert_eq!(
        with(&|w| w.1.completeness = Completeness::Partial(vec!["x".to_owned()])),
        held,
        "a partial look"
    );
    let stale = Completeness::Stale { age: SignedDuration::from_secs(1), reason: "x".to_owned() };
    assert_eq!(with(&|w| w.1.completeness = stale.clone()), held, "an old look");
    let unknown = desired(&[object("x.y/v1", "Z", "z")]).objects;
    assert_eq!(with(&|w| w.0.objects.extend(unknown.clone())), held, "an unknown kind");
}

#[test]
fn pruning_more_than_half_and_more_than_ten_needs_permission() {
    let maps = |n: usize| (0..n).map(|n| config_map(&format!("m{n:02}"))).collect::<Vec<_>>();
    for (had, has, pruned) in [(12, 2, 10), (13, 2, 0), (22, 11, 11), (23, 11, 0)] {
        let plan = plan_on(&synced(&maps(had)), &maps(has), &pruning());
        let count = plan.steps.iter().filter(|s| matches!(s.action, Action::Prune { .. })).count();
        assert_eq!(count, pruned, "{has} left of {had}");
    }
    let all = SyncOptions { prune_all: true, ..pruning() };
    let plan = plan_on(&synced(&maps(13)), &maps(2), &all);
    assert_eq!(plan.steps.iter().filter(|s| matches!(s.action, Action::Prune { .. })).count(), 11);
}

#[test]
fn what_refers_to_others_is_pruned_before_them() {
    let cluster = synced(&[config_map("stays"), config_map("goes"), deployment(1)]);
    let plan = plan_on(&cluster, &[config_map("stays")], &pruning());
    let names: Vec<&str> = plan.steps.iter().map(|s| s.id.name()).collect();
    assert_eq!(names, ["stays", "web", "goes"]);
}
