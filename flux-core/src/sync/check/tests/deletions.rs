//! Deletions broken by hand.

use super::*;
use crate::{
    backend::Completeness,
    finding::{Code, Finding},
    position::Position,
};

#[test]
fn a_pruned_object_that_is_not_ours_is_found() {
    let world = World::new(&[config_map("stays")], &[config_map("by-hand")], &[config_map("stays")]);
    let pruned = world.broken(|plan| {
        let by_hand = world.observed.value.objects.keys().find(|id| id.name() == "by-hand").unwrap();
        let metadata = world.observed.value.objects[by_hand].at("/metadata").unwrap();
        let text = |key: &str| metadata[key].as_str().map(str::to_owned);
        let mut step = Step::clone(&plan.steps[0]);
        step.id = by_hand.clone();
        step.place = None;
        step.reason = Reason::NotInGit;
        step.stage = 13;
        step.action = Action::Prune {
            uid: text("uid"),
            resource_version: text("resourceVersion"),
            content: String::new(),
        };
        plan.steps.push(step.into());
    });
    assert_eq!(
        pruned,
        [
            "default:configmap/by-hand has a step, though neither git nor this sync set has to do with it.",
            "default:configmap/by-hand would be deleted, though it does not carry the mark of an object that this sync set created.",
        ]
    );
}

/// Returns the rules that a sound deletion breaks in another world than the one that it was planned
/// in.
fn prune_in(change: impl FnOnce(&mut World)) -> Vec<PruneRule> {
    let mut world = all_fates();
    let plan = world.plan();
    change(&mut world);
    let violations = world.check(&plan);
    let rule = |violation: &Violation| match violation {
        Violation::ForbiddenPrune { rule, .. } => Some(*rule),
        _ => None,
    };
    violations.iter().filter_map(rule).collect()
}

/// Changes the object of the cluster that is deleted.
fn gone(world: &mut World, change: impl FnOnce(&mut Value)) {
    let object = world.observed.value.objects.iter_mut().find(|(id, _)| id.name() == "gone").unwrap().1;
    object.change(change);
}

#[test]
fn a_deletion_in_doubt_is_found() {
    let partial = Completeness::Partial(vec!["secrets".to_owned()]);
    let broken = Finding {
        code: Code::InvalidYaml,
        subject: "b.yaml".to_owned(),
        place: None,
        evidence: String::new(),
        remedy: String::new(),
    };
    let place = Place::in_file("b.yaml", Position { line: 1, column: 1 });
    let add = |world: &mut World, object: Value| {
        world.desired.objects.push(DesiredObject { object: object.into(), place: place.clone() });
    };
    assert_eq!(prune_in(|_| ()), []);
    assert_eq!(prune_in(|w| w.options.prune = false), [PruneRule::Off]);
    assert_eq!(prune_in(|w| w.observed.completeness = partial), [PruneRule::ClusterInDoubt]);
    assert_eq!(prune_in(|w| w.desired.findings.push(broken)), [PruneRule::GitInDoubt]);
    assert_eq!(prune_in(|w| add(w, object("x.y/v1", "Widget", "w"))), [PruneRule::GitInDoubt]);
    assert_eq!(prune_in(|w| add(w, json!({"kind": "Nothing"}))), [PruneRule::GitInDoubt]);
    assert_eq!(prune_in(|w| add(w, config_map("gone"))), [PruneRule::InGit]);
    assert_eq!(prune_in(|w| w.desired.objects.clear()), [PruneRule::EmptyGit]);
    assert_eq!(prune_in(|w| w.options.namespaces = Some(Vec::new())), [PruneRule::Namespace]);
    assert_eq!(prune_in(|w| w.options.sync_set = SyncSet::new("other")), [PruneRule::NotOurs]);
}

#[test]
fn a_deletion_of_what_is_protected_is_found() {
    let metadata = |key: &'static str, value: Value| {
        move |w: &mut World| gone(w, move |object| object["metadata"][key] = value)
    };
    assert_eq!(prune_in(metadata("ownerReferences", json!([{"name": "w"}]))), [PruneRule::OwnedByOthers]);
    assert_eq!(prune_in(metadata("deletionTimestamp", json!("now"))), [PruneRule::OwnedByOthers]);
    assert_eq!(
        prune_in(metadata("annotations", json!({"fluxcd.io/ignore": "sync_only"}))),
        [PruneRule::Ignored]
    );
    assert_eq!(prune_in(metadata("resourceVersion", json!("999"))), [PruneRule::NoPrecondition]);
    let adopted = prune_in(|w| {
        gone(w, |object| {
            let mark = object["metadata"]["labels"][sync::MARK_LABEL].as_str().unwrap();
            object["metadata"]["labels"][sync::MARK_LABEL] = mark.replace("sha256", "adopted").into();
        });
    });
    assert_eq!(adopted, [PruneRule::NotOurs]);
}

#[test]
fn a_deletion_of_too_much_is_found() {
    let maps: Vec<Value> = (0..13).map(|n| config_map(&format!("m{n}"))).collect();
    let mut world = World::new(&maps, &[], &maps[..2]);
    world.options.prune_all = true;
    let plan = world.plan();
    world.options.prune_all = false;
    let violations = world.check(&plan);
    assert_eq!(violations.len(), 11);
    assert!(
        violations.iter().all(|v| matches!(v, Violation::ForbiddenPrune { rule: PruneRule::TooMany, .. })),
        "{violations:?}"
    );
}

#[test]
fn a_namespace_is_never_deleted() {
    let world = World::new(&[object("v1", "Namespace", "shop"), config_map("a")], &[], &[config_map("a")]);
    let pruned = world.broken(|plan| {
        let step = step(plan, "shop");
        let metadata = world.observed.value.objects[&step.id].at("/metadata").unwrap();
        let text = |key: &str| metadata[key].as_str().map(str::to_owned);
        step.action = Action::Prune {
            uid: text("uid"),
            resource_version: text("resourceVersion"),
            content: String::new(),
        };
        step.reason = Reason::NotInGit;
    });
    assert_eq!(pruned, ["<cluster>:namespace/shop would be deleted, though what it holds would go with it."]);
}
