//! The evidence from the pods of workloads that are not healthy, asked for on demand.

use std::collections::BTreeMap;

use futures::{StreamExt as _, stream};
use serde_json::Value;

use crate::{
    backend::{Cluster, LabelSelector, Pod, PodQuery},
    health::{Evidence, EvidenceCode, Health, HealthStatus, pod_evidence},
    manifest::ResourceId,
};

/// How many questions for pods are under way at once.
const AT_ONCE: usize = 4;

/// The evidence of pods, by workload.
#[derive(Default)]
pub(super) struct PodEvidence {
    known: BTreeMap<ResourceId, Known>,
    /// How often pods were asked for.
    round: u64,
}

struct Known {
    evidence: Vec<Evidence>,
    /// The round in which it was asked for.
    round: u64,
}

/// The groups and kinds whose selector selects pods.
const KINDS: [(&str, &str); 9] = [
    ("", "ReplicationController"),
    ("apps", "DaemonSet"),
    ("apps", "Deployment"),
    ("apps", "ReplicaSet"),
    ("apps", "StatefulSet"),
    ("argoproj.io", "Rollout"),
    ("batch", "Job"),
    ("extensions", "DaemonSet"),
    ("extensions", "Deployment"),
];

/// Returns the question for the pods of an object; `None` if it has none.
fn query(id: &ResourceId, object: &Value) -> Option<PodQuery> {
    if !KINDS.contains(&(id.group(), id.kind())) {
        return None;
    }
    Some(PodQuery {
        namespace: id.namespace().map(str::to_owned)?,
        selector: LabelSelector::of_workload(object)?,
    })
}

impl PodEvidence {
    /// Asks for the pods of up to `most` of these workloads, first of those that were not asked for
    /// longest.
    pub(super) async fn ask(&mut self, cluster: &dyn Cluster, of: Vec<(&ResourceId, &Value)>, most: usize) {
        self.round += 1;
        let mut queries: Vec<(&ResourceId, &Value, PodQuery)> =
            of.into_iter().filter_map(|(id, object)| Some((id, object, query(id, object)?))).collect();
        queries.sort_by_key(|(id, ..)| self.known.get(*id).map_or(0, |known| known.round));
        queries.truncate(most);
        let asked = queries.into_iter().map(|(id, object, query)| async move {
            let evidence = match cluster.pods(&query).await {
                Ok(pods) => pod_evidence(&newest(pods.value, object)),
                Err(error) => unseen(error.to_string()),
            };
            (id.clone(), evidence)
        });
        // Collected first: a stream over a borrowing iterator is not `Send`.
        let asked: Vec<_> = asked.collect();
        let mut answers = stream::iter(asked).buffer_unordered(AT_ONCE);
        while let Some((id, evidence)) = answers.next().await {
            self.known.insert(id, Known { evidence, round: self.round });
        }
    }

    /// Returns the health with what the pods of the workload say, if it is not healthy.
    pub(super) fn add_to(&self, id: &ResourceId, health: Health, object: Option<&Value>) -> Health {
        let is_unhealthy = matches!(health.status, HealthStatus::InProgress | HealthStatus::Failed);
        match self.known.get(id).filter(|_| is_unhealthy && object.is_some()) {
            Some(known) => health.with_all(known.evidence.iter().cloned()),
            None => health,
        }
    }
}

fn unseen(message: String) -> Vec<Evidence> {
    Health::new(HealthStatus::Unknown, "").with(EvidenceCode::PodsUnseen, message).evidence
}

/// Returns the pods that have the images of the newest template, if any have: those of an older one
/// do not say why the newest is not healthy.
fn newest(pods: Vec<Pod>, object: &Value) -> Vec<Pod> {
    let template = &object["spec"]["template"]["spec"];
    let images: BTreeMap<&str, &str> = ["initContainers", "containers"]
        .into_iter()
        .flat_map(|list| template[list].as_array().into_iter().flatten())
        .filter_map(|container| Some((container["name"].as_str()?, container["image"].as_str()?)))
        .collect();
    let is_newest =
        |pod: &Pod| pod.containers.iter().all(|c| images.get(&*c.name).is_none_or(|image| *image == c.image));
    match pods.iter().any(is_newest) {
        true => pods.into_iter().filter(is_newest).collect(),
        false => pods,
    }
}
