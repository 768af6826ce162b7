//! The options of a sync, and the annotations that stand for one object as they do for all.

use super::*;
use crate::policy::Suspension;

#[test]
fn a_set_that_is_taken_over_keeps_what_it_created_prunable() {
    let cluster = synced(&[config_map("kept"), config_map("gone")]);
    let renamed = SyncOptions {
        prune: true,
        takes_over: vec![SyncSet::new("ours")],
        ..SyncOptions::new(SyncSet::new("renamed"))
    };
    let plan = plan_on(&cluster, &[config_map("kept")], &renamed);
    let kept = step(&plan, "kept");
    assert!(matches!(kept.action, Action::Apply { content_equal: true, .. }), "{kept}");
    assert_eq!(owned(&sent(&plan, "kept"), &renamed.sync_set), Owned::Created);
    assert!(matches!(step(&plan, "gone").action, Action::Prune { .. }), "no gap");
    assert_eq!(plan.findings, []);
    block_on(cluster.apply(&plan, &())).unwrap();
    // From then on the former name is of no more use.
    let later = SyncOptions { takes_over: Vec::new(), ..renamed };
    assert_eq!(step(&plan_on(&cluster, &[config_map("kept")], &later), "kept").action, Action::Leave);
}

#[test]
fn objects_of_another_set_are_told_with_their_number() {
    let objects = [config_map("a"), config_map("b")];
    let cluster = synced(&objects);
    let other = SyncOptions::new(SyncSet::new("theirs"));
    let plan = plan_on(&cluster, &objects, &other);
    assert_eq!(codes(&plan), [Code::OtherSyncSet]);
    assert!(plan.findings[0].evidence.starts_with("2 of the objects"), "{}", plan.findings[0]);
}

#[test]
fn what_moves_between_sets_that_go_on_stays_prunable_and_nothing_else_is_touched() {
    let cluster = synced(&[config_map("moves"), config_map("stays")]);
    let theirs = SyncOptions { prune: true, ..SyncOptions::new(SyncSet::new("theirs")) };
    // Without a word about where it is from, it is adopted: its creator is remembered.
    let plan = plan_on(&cluster, &[config_map("moves")], &theirs);
    assert_eq!(owned(&sent(&plan, "moves"), &theirs.sync_set), Owned::Adopted);
    block_on(cluster.apply(&plan, &())).unwrap();
    // The former set, which no longer names it, leaves it.
    let former = plan_on(&cluster, &[config_map("stays")], &pruning());
    assert!(!former.steps.iter().any(|step| step.id.name() == "moves"), "{former}");
    // The word may come later.
    let informed = SyncOptions { moved_from: vec![SyncSet::new("ours")], ..theirs.clone() };
    let plan = plan_on(&cluster, &[config_map("moves")], &informed);
    assert_eq!(owned(&sent(&plan, "moves"), &theirs.sync_set), Owned::Created);
    assert!(!plan.steps.iter().any(|step| step.id.name() == "stays"), "{plan}");
    block_on(cluster.apply(&plan, &())).unwrap();
    assert_eq!(plan_on(&cluster, &[config_map("moves")], &informed).changes().count(), 0);
    let plan = plan_on(&cluster, &[config_map("another")], &theirs);
    assert!(matches!(step(&plan, "moves").action, Action::Prune { .. }), "{plan}");
}

#[test]
fn an_object_that_the_former_set_adopts_once_more_while_it_moves_stays_prunable() {
    let cluster = synced(&[config_map("moves")]);
    let to = SyncOptions {
        prune: true,
        moved_from: vec![SyncSet::new("ours")],
        ..SyncOptions::new(SyncSet::new("theirs"))
    };
    let objects = [config_map("moves")];
    for options in [&to, &pruning(), &to] {
        let plan = plan_on(&cluster, &objects, options);
        block_on(cluster.apply(&plan, &())).unwrap();
    }
    let kept = plan_on(&cluster, &[config_map("another")], &pruning());
    assert!(!kept.changes().any(|step| step.id.name() == "moves"), "no gap: {kept}");
    let plan = plan_on(&cluster, &[config_map("another")], &to);
    assert!(matches!(step(&plan, "moves").action, Action::Prune { .. }), "{plan}");
}

#[test]
fn a_mark_that_somebody_removed_is_put_back_as_it_was() {
    let cluster = synced(&[config_map("a")]);
    let id = id_in(&cluster, "a");
    cluster.edit(&id, |object| drop(object["metadata"].as_object_mut().unwrap().remove("labels"))).unwrap();
    let plan = plan_on(&cluster, &[config_map("a")], &options());
    assert_eq!(owned(&sent(&plan, "a"), &options().sync_set), Owned::Created);
    assert!(step(&plan, "a").message.contains("removed its mark"), "{plan}");
    block_on(cluster.apply(&plan, &())).unwrap();
    assert_eq!(plan_on(&cluster, &[config_map("a")], &options()).changes().count(), 0);
}

#[test]
fn what_is_suspended_is_left_and_says_by_whom_and_why() {
    let cluster = synced(&[config_map("a"), config_map("b"), config_map("goes")]);
    let changed = |name: &str| {
        let mut object = config_map(name);
        object["data"] = json!({"new": "1"});
        object
    };
    let suspended = |object: Value| {
        let object = annotated(object, "fluxcd.io/suspended", "true");
        let object = annotated(object, "fluxcd.io/suspended_user", "alice");
        annotated(object, "fluxcd.io/suspended_msg", "the database is moved")
    };
    let plan = plan_on(&cluster, &[suspended(changed("a")), changed("b")], &pruning());
    let (a, b) = (step(&plan, "a"), step(&plan, "b"));
    assert_eq!((&a.action, a.reason), (&Action::Skip, Reason::Suspended));
    assert_eq!(a.message, "alice suspended it: the database is moved");
    assert!(matches!(b.action, Action::Apply { .. }), "{b}");
    assert!(matches!(step(&plan, "goes").action, Action::Prune { .. }));

    // A value that cannot be read is a finding, and suspends it too; `false` does not.
    for (value, is_left) in [("yes", true), ("false", false)] {
        let plan = plan_on(&cluster, &[annotated(changed("a"), "fluxcd.io/suspended", value)], &options());
        assert_eq!(step(&plan, "a").reason == Reason::Suspended, is_left, "{value}");
        assert_eq!(codes(&plan).contains(&Code::InvalidPolicy), is_left, "{value}");
    }
    // In the cluster the word counts too, also for what git no longer names.
    let id = id_in(&cluster, "goes");
    let edit = |o: &mut Value| o["metadata"]["annotations"]["fluxcd.io/suspended"] = "true".into();
    cluster.edit(&id, edit).unwrap();
    let plan = plan_on(&cluster, &[config_map("a"), config_map("b")], &pruning());
    assert_eq!(step(&plan, "goes").reason, Reason::Suspended);

    // All of it: by the options, or by git.
    let by = Suspension { by: Some("bob".to_owned()), reason: None };
    let options = SyncOptions { suspended: Some(by.clone()), ..pruning() };
    let plan = plan_on(&cluster, &[changed("a"), config_map("new")], &options);
    assert!(plan.steps.iter().all(|step| step.reason == Reason::Suspended), "{plan}");
    assert_eq!(codes(&plan), [Code::Suspended]);
    assert!(plan.findings[0].evidence.ends_with("bob suspended it"), "{:?}", plan.findings);
}

#[test]
fn a_dry_run_of_pruning_says_what_would_go() {
    let cluster = synced(&[config_map("kept"), config_map("gone")]);
    let dry = SyncOptions { prune_dry_run: true, ..pruning() };
    let plan = plan_on(&cluster, &[config_map("kept")], &dry);
    let gone = step(&plan, "gone");
    assert_eq!((&gone.action, gone.reason), (&Action::Skip, Reason::PruneOff));
    assert!(gone.message.contains("would delete it"), "{gone}");
}

#[test]
fn what_may_be_deleted_to_be_made_anew_is_said_beforehand() {
    let cluster = synced(&[config_map("a"), config_map("b")]);
    let changed = |name: &str| {
        let mut object = config_map(name);
        object["data"] = json!({"new": "1"});
        object
    };
    let mut options = options();
    options.force.insert("default:configmap/a".to_owned());
    let objects = [changed("a"), annotated(changed("b"), "fluxcd.io/force", "true")];
    for name in ["a", "b"] {
        let plan = plan_on(&cluster, &objects, &options);
        let Action::Apply { options, .. } = &step(&plan, name).action else { panic!("{plan}") };
        assert!(options.replace.is_some() && step(&plan, name).message.contains("created anew"), "{plan}");
    }
    let plan = plan_on(&cluster, &[changed("a"), changed("b")], &SyncOptions::new(SyncSet::new("ours")));
    let Action::Apply { options, .. } = &step(&plan, "a").action else { panic!("{plan}") };
    assert_eq!(options.replace, None);
}

#[test]
fn drift_is_only_reported_where_an_option_or_an_annotation_says_so() {
    let plain = config_map("plain");
    let reported = annotated(config_map("reported"), "fluxcd.io/drift", "report");
    let repaired = annotated(config_map("repaired"), "fluxcd.io/drift", "repair");
    let objects = [plain, reported, repaired].map(|mut object| {
        object["data"] = json!({"key": "ours"});
        object
    });
    let cluster = synced(&objects);
    for name in ["plain", "reported", "repaired"] {
        cluster.edit(&id_in(&cluster, name), |o| o["data"]["key"] = "theirs".into()).unwrap();
    }
    for (option, skipped) in [(false, &["reported"][..]), (true, &["plain", "reported"])] {
        let plan = plan_on(&cluster, &objects, &SyncOptions { report_drift: option, ..options() });
        let is_skipped = |name: &&str| step(&plan, name).action == Action::Skip;
        let names: Vec<&str> =
            ["plain", "reported", "repaired"].into_iter().filter(|name| is_skipped(name)).collect();
        assert_eq!(names, skipped);
        assert!(plan.findings.iter().all(|finding| finding.code == Code::Drifted), "{plan}");
        assert!(plan.findings[0].evidence.contains("data.key (set by kubectl-edit)"), "{}", plan.findings[0]);
    }
}

#[test]
fn fields_that_an_annotation_leaves_to_others_are_sent_back_as_they_are() {
    let ignoring = |image: &str| {
        let mut object = annotated(deployment(2), "fluxcd.io/ignore-fields", "/spec/replicas");
        object["spec"]["template"]["spec"]["containers"][0]["image"] = image.into();
        object
    };
    let cluster = synced(&[ignoring("web:1")]);
    cluster.edit(&id_in(&cluster, "web"), |o| o["spec"]["replicas"] = 6.into()).unwrap();
    let plan = plan_on(&cluster, &[ignoring("web:1")], &options());
    assert_eq!(step(&plan, "web").action, Action::Leave);
    let plan = plan_on(&cluster, &[ignoring("web:2")], &options());
    assert_eq!(sent(&plan, "web")["spec"]["replicas"], 6);
    assert_eq!(fields(&plan, "web").len(), 1, "{plan}");
}
