//! Plans of the planner with one thing broken by hand: the checker finds each.

mod deletions;

use std::sync::Arc;

use futures::executor::block_on;
use serde_json::{Value, json};

use super::*;
use crate::manifest::ResourceId;
use crate::{
    backend::{Cluster, Revision},
    finding::Place,
    memory::MemoryCluster,
    position::Position,
    sync::{self, Action, DesiredObject, Reason, Step, SyncSet},
};

/// A cluster to which `before` was synced, and what git says now.
struct World {
    desired: Desired,
    observed: Observation<Observed>,
    options: SyncOptions,
}

fn desired(objects: &[Value]) -> Desired {
    let place = |line| Place::in_file("all.yaml", Position { line, column: 1 });
    let objects = objects.iter().zip(1..);
    let objects = objects.map(|(object, line)| DesiredObject { object: object.into(), place: place(line) });
    Desired { revision: Some(Revision::new("abc")), objects: objects.collect(), ..Desired::default() }
}

impl World {
    fn new(before: &[Value], by_hand: &[Value], now: &[Value]) -> Self {
        let options = SyncOptions { prune: true, ..SyncOptions::new(SyncSet::new("shop")) };
        let cluster = MemoryCluster::new();
        let first = desired(before);
        let observed = block_on(cluster.observe(&first.scope())).unwrap();
        block_on(cluster.apply(&sync::plan(&first, &observed, &options), &())).unwrap();
        for object in by_hand {
            cluster.create(object.clone()).unwrap();
        }
        let desired = desired(now);
        let mut observed = block_on(cluster.observe(&desired.scope())).unwrap();
        // What carries no mark is not observed unless git names it; a plan that names it all the
        // same is to be caught.
        for object in cluster.objects() {
            let id = sync::object::id_of(&object).unwrap();
            observed.value.objects.insert(id, object.into());
        }
        Self { desired, observed, options }
    }

    fn plan(&self) -> SyncPlan {
        let plan = sync::plan(&self.desired, &self.observed, &self.options);
        assert_eq!(self.check(&plan), [], "the planner's own plan is sound");
        plan
    }

    fn check(&self, plan: &SyncPlan) -> Vec<Violation> {
        check(plan, &self.desired, &self.observed, &self.options)
    }

    /// Returns the sentences about the plan with one thing broken.
    fn broken(&self, change: impl FnOnce(&mut SyncPlan)) -> Vec<String> {
        let mut plan = self.plan();
        change(&mut plan);
        self.check(&plan).iter().map(ToString::to_string).collect()
    }
}

fn object(api_version: &str, kind: &str, name: &str) -> Value {
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}})
}

fn config_map(name: &str) -> Value {
    object("v1", "ConfigMap", name)
}

fn with_data(name: &str, value: &str) -> Value {
    let mut object = config_map(name);
    object["data"] = json!({"colour": value});
    object
}

fn web() -> Value {
    let mut web = object("apps/v1", "Deployment", "web");
    web["spec"] =
        json!({"replicas": 2, "template": {"spec": {"containers": [{"name": "web", "image": "web:1"}]}}});
    web
}

fn step<'p>(plan: &'p mut SyncPlan, name: &str) -> &'p mut Step {
    Arc::make_mut(plan.steps.iter_mut().find(|step| step.id.name() == name).unwrap())
}

/// One object of each fate: left, changed, created, deleted.
fn all_fates() -> World {
    World::new(
        &[with_data("left", "blue"), with_data("changed", "blue"), config_map("gone")],
        &[],
        &[with_data("left", "blue"), with_data("changed", "red"), config_map("new"), web()],
    )
}

#[test]
fn every_fate_is_sound_as_planned() {
    let plan = all_fates().plan();
    let actions: Vec<String> = plan.steps.iter().map(ToString::to_string).collect();
    assert_eq!(
        actions,
        [
            "apply default:configmap/changed (changed-in-git): data.colour",
            "leave default:configmap/left (up-to-date)",
            "create default:configmap/new (not-in-cluster)",
            "create default:deployment/web (not-in-cluster)",
            "prune default:configmap/gone (not-in-git)",
        ]
    );
}

#[test]
fn a_forgotten_step_is_found() {
    let world = all_fates();
    let without = |name: &'static str| move |plan: &mut SyncPlan| plan.steps.retain(|s| s.id.name() != name);
    assert_eq!(
        world.broken(without("new")),
        ["default:configmap/new is described at all.yaml:3:1 and has no step."]
    );
    assert_eq!(
        world.broken(without("gone")),
        [
            "default:configmap/gone is managed by this sync set, git no longer describes it, and it has no step."
        ]
    );
}

#[test]
fn a_step_too_many_is_found() {
    let world = all_fates();
    let twice = world.broken(|plan| {
        let again = plan.steps[0].clone();
        plan.steps.insert(0, again);
    });
    assert_eq!(twice, ["default:configmap/changed has more than one step."]);
    let foreign = world.broken(|plan| {
        let mut step = Step::clone(&plan.steps[1]);
        step.id = ResourceId::new(step.id.namespace(), step.id.kind(), "foreign", step.id.group());
        plan.steps.insert(1, step.into());
    });
    assert_eq!(
        foreign,
        ["default:configmap/foreign has a step, though neither git nor this sync set has to do with it."]
    );
}

#[test]
fn swapped_stages_are_found() {
    let world = World::new(
        &[config_map("gone")],
        &[],
        &[object("v1", "Namespace", "default"), config_map("settings"), web()],
    );
    let stages = |change: &dyn Fn(&mut SyncPlan)| {
        world.broken(|plan| {
            change(plan);
            plan.steps.sort_by_key(|step| step.stage);
        })
    };
    assert_eq!(
        stages(&|plan| step(plan, "settings").stage = 9),
        [
            "The step of default:deployment/web is not in a later stage than that of default:configmap/settings, which has to come first."
        ]
    );
    assert_eq!(
        stages(&|plan| step(plan, "default").stage = 3),
        [
            "The step of default:configmap/settings is not in a later stage than that of <cluster>:namespace/default, which has to come first.",
            "The step of default:deployment/web is not in a later stage than that of <cluster>:namespace/default, which has to come first.",
        ]
    );
    assert_eq!(
        stages(&|plan| step(plan, "gone").stage = 0),
        [
            "The step of default:configmap/gone is not in a later stage than that of default:deployment/web, which has to come first."
        ]
    );
    assert_eq!(
        world.broken(|plan| plan.steps.swap(0, 2)),
        [
            "The step of default:configmap/settings stands behind one of a later stage.",
            "The step of <cluster>:namespace/default stands behind one of a later stage.",
        ]
    );
}

#[test]
fn a_definition_after_its_objects_is_found() {
    let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {"group": "example.com", "scope": "Cluster", "names": {"kind": "Widget"}, "versions": [{"name": "v1"}]}});
    let world = World::new(&[], &[], &[definition, object("example.com/v1", "Widget", "w")]);
    let late = world.broken(|plan| {
        step(plan, "widgets.example.com").stage = 7;
        plan.steps.sort_by_key(|step| step.stage);
    });
    assert_eq!(late.len(), 1, "{late:?}");
    assert!(late[0].contains("<cluster>:widget/w") && late[0].contains("has to come first"), "{late:?}");
}

#[test]
fn what_is_sent_is_what_git_says() {
    let world = all_fates();
    let sent = |name: &'static str, change: &dyn Fn(&mut Value)| {
        world.broken(|plan| match &mut step(plan, name).action {
            Action::Create { object, .. } | Action::Apply { object, .. } => object.change(change),
            other => panic!("{other:?}"),
        })
    };
    assert_eq!(
        sent("web", &|o| o["spec"]["replicas"] = 7.into()),
        ["default:deployment/web would be sent with something else than git says at `spec.replicas`."]
    );
    assert_eq!(
        sent("new", &|o| o["metadata"]["namespace"] = "kube-system".into()),
        ["default:configmap/new would be sent with something else than git says at `metadata.namespace`."]
    );
    let mark = "would be sent with a mark or a checksum that it must not have.";
    for change in ["labels", "annotations"].map(|field| move |o: &mut Value| o["metadata"][field] = json!({}))
    {
        assert_eq!(sent("new", &change), [format!("default:configmap/new {mark}")]);
    }
}

#[test]
fn an_object_that_was_there_before_is_never_claimed() {
    let world = World::new(&[], &[config_map("theirs")], &[config_map("theirs")]);
    let claimed = world.broken(|plan| match &mut step(plan, "theirs").action {
        Action::Apply { object, .. } => {
            object.change(|object| {
                let mark = &mut object["metadata"]["labels"][sync::MARK_LABEL];
                *mark = mark.as_str().unwrap().replace("adopted", "sha256").into();
            });
        }
        other => panic!("{other:?}"),
    });
    assert_eq!(
        claimed,
        ["default:configmap/theirs would be sent with a mark or a checksum that it must not have."]
    );
}

#[test]
fn a_step_that_is_left_or_changed_for_nothing_is_found() {
    let world = all_fates();
    let left = world.broken(|plan| {
        let step = step(plan, "changed");
        (step.action, step.reason) = (Action::Leave, Reason::UpToDate);
    });
    assert_eq!(
        left,
        ["default:configmap/changed is left as it is, though it is not as git says at `data.colour`."]
    );
    let drifted = world.broken(|plan| {
        let step = step(plan, "changed");
        (step.reason, step.fields) = (Reason::Drifted, Vec::new());
    });
    assert_eq!(drifted, ["default:configmap/changed is to be changed, and no field is named that differs."]);
    let created = world.broken(|plan| {
        let changed = step(plan, "changed");
        let Action::Apply { object, .. } = &changed.action else { panic!() };
        changed.action = Action::Create { object: object.clone(), mark_if_created: None };
        changed.reason = Reason::NotInCluster;
    });
    assert_eq!(created, ["default:configmap/changed would be created, and the cluster has it."]);
}

#[test]
fn what_must_not_be_touched_is_not() {
    let mut world = all_fates();
    let plan = world.plan();
    world.options.namespaces = Some(vec!["other".to_owned()]);
    let found = world.check(&plan);
    let rule = |violation: &Violation| match violation {
        Violation::Untouchable { id, rule } => Some((id.name().to_owned(), *rule)),
        _ => None,
    };
    let names: Vec<_> = found.iter().filter_map(rule).collect();
    let expected = ["changed", "new", "web"].map(|name| (name.to_owned(), Protection::Namespace));
    assert_eq!(names, expected);

    for (key, value, rule) in [
        (
            "metadata",
            json!({"name": "new", "annotations": {"fluxcd.io/ignore": "true"}}),
            Protection::Ignored,
        ),
        ("sops", json!({"mac": "ENC[…]"}), Protection::Encrypted),
    ] {
        let mut world = all_fates();
        let plan = world.plan();
        world.desired.objects[2].object.change(|object| object[key] = value);
        assert!(
            world
                .check(&plan)
                .iter()
                .any(|v| matches!(v, Violation::Untouchable { rule: r, .. } if *r == rule))
        );
    }
}

#[test]
fn a_skip_without_a_true_reason_is_found() {
    let world = all_fates();
    for reason in
        [Reason::Ignored, Reason::Encrypted, Reason::NamespaceNotAllowed, Reason::PruneOff, Reason::UpToDate]
    {
        let skipped = world.broken(|plan| {
            let step = step(plan, "new");
            (step.action, step.reason) = (Action::Skip, reason);
        });
        assert!(
            skipped.contains(&format!(
                "The reason `{reason}` does not explain what is done about default:configmap/new."
            )),
            "{skipped:?}"
        );
    }
}

#[test]
fn a_lost_finding_and_another_revision_are_found() {
    let broken = json!({"kind": "Nothing"});
    let world = World::new(&[], &[], &[config_map("a"), broken]);
    assert_eq!(
        world.broken(|plan| plan.findings.clear()),
        ["The finding not-an-object about all.yaml:2:1 is missing from the plan."]
    );
    assert_eq!(
        world.broken(|plan| plan.revision = Some(Revision::new("def"))),
        ["The plan is for def, and abc was read."]
    );
}
