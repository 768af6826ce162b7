//! Parts that the cases share: objects, and a sync as the deployer does it.

#![expect(clippy::expect_used, clippy::panic, reason = "a conformance suite reports by panicking")]

use serde_json::{Value, json};

use super::fixture::ClusterFixture;
use crate::{
    backend::{Observation, Observed},
    finding::Place,
    manifest::ResourceId,
    position::Position,
    sync::{self, Desired, DesiredObject, Outcome, Reason, SyncOptions, SyncReport, SyncSet},
};

/// One case: a fixture, with a sync set of the case's own.
pub(super) struct Bench<'a> {
    pub(super) fixture: &'a dyn ClusterFixture,
    pub(super) options: SyncOptions,
}

impl<'a> Bench<'a> {
    pub(super) fn new(fixture: &'a dyn ClusterFixture, case: &str) -> Self {
        let options = SyncOptions::new(SyncSet::new(format!("{}/{case}", fixture.namespace())));
        Self { fixture, options }
    }

    pub(super) fn pruning(fixture: &'a dyn ClusterFixture, case: &str) -> Self {
        let bench = Self::new(fixture, case);
        Self { options: SyncOptions { prune: true, ..bench.options }, ..bench }
    }

    pub(super) fn config_map(&self, name: &str, data: Value) -> Value {
        json!({"apiVersion": "v1", "kind": "ConfigMap",
               "metadata": {"namespace": self.fixture.namespace(), "name": name}, "data": data})
    }

    pub(super) fn deployment(&self, name: &str, image: &str) -> Value {
        let labels = json!({"app": name});
        json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"namespace": self.fixture.namespace(), "name": name},
            "spec": {"replicas": 2, "selector": {"matchLabels": labels.clone()},
                "template": {"metadata": {"labels": labels}, "spec": {
                    "initContainers": [{"name": "setup", "image": "setup:1"}],
                    "containers": [{"name": "web", "image": image,
                        "env": [{"name": "COLOUR", "value": "blue"}],
                        "ports": [{"containerPort": 80}]}]}}}})
    }

    pub(super) fn id(&self, kind: &str, name: &str) -> ResourceId {
        let group = if kind == "Deployment" { "apps" } else { "" };
        ResourceId::new(Some(self.fixture.namespace()), kind, name, group)
    }

    fn desired(&self, objects: &[Value]) -> Desired {
        let place = |line| Place::in_file("all.yaml", Position { line, column: 1 });
        let objects = objects.iter().zip(1..);
        let objects =
            objects.map(|(object, line)| DesiredObject { object: object.into(), place: place(line) });
        Desired { objects: objects.collect(), ..Desired::default() }
    }

    pub(super) async fn observe(&self, objects: &[Value]) -> Observation<Observed> {
        let scope = self.desired(objects).scope();
        let observed = self.fixture.cluster().observe(&scope).await.expect("the cluster can be observed");
        assert!(observed.completeness.is_complete(), "everything can be seen: {:?}", observed.completeness);
        observed
    }

    pub(super) async fn plan(&self, objects: &[Value]) -> sync::SyncPlan {
        sync::plan(&self.desired(objects), &self.observe(objects).await, &self.options)
    }

    pub(super) async fn sync(&self, objects: &[Value]) -> SyncReport {
        let plan = self.plan(objects).await;
        self.fixture.cluster().apply(&plan, &()).await.expect("the plan can be carried out")
    }

    /// Syncs and expects of one object this outcome for this reason with these fields.
    pub(super) async fn expect(
        &self,
        objects: &[Value],
        name: &str,
        outcome: Outcome,
        reason: Reason,
        fields: &[&str],
    ) {
        let report = self.sync(objects).await;
        let one = of(&report, name);
        let got = (one.outcome, one.reason, one.fields.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(got, (outcome, reason, fields.to_vec()), "{name}: {}", one.message);
    }

    pub(super) async fn get(&self, kind: &str, name: &str) -> Value {
        self.fixture
            .get(&self.id(kind, name))
            .await
            .unwrap_or_else(|| panic!("{kind} {name} is in the cluster"))
    }
}

/// Returns the report of one object.
pub(super) fn of<'r>(report: &'r SyncReport, name: &str) -> &'r sync::ResourceReport {
    report
        .resources
        .iter()
        .find(|r| r.id.name() == name)
        .unwrap_or_else(|| panic!("the report has {name}: {report:?}"))
}

pub(super) const IMAGE: &str = "spec.template.spec.containers[name=web].image";
