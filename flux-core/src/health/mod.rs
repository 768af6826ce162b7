//! The health of objects in the cluster: pure, from their JSON alone.
//!
//! [`health_of`] gives every object one of kstatus's statuses, with a sentence and the facts behind
//! it. Built-in kinds and some custom ones have a rule of their own, in one table; the others go by
//! their conditions, as kstatus asks of controllers. Where the pods of a workload are known,
//! [`pod_evidence`] says what is wrong with them.
//!
//! Source of the rules: the documentation of kstatus (sigs.k8s.io/cli-utils/pkg/kstatus) and what
//! its functions do. Where a rule differs, its doc says so.

mod cluster;
mod custom;
mod jobs;
mod known;
mod model;
mod object;
mod pods;
mod resources;
mod rollout;
#[cfg(test)]
mod tests;
mod verdict;
mod words;
mod workloads;

use serde_json::Value;

pub use model::{Evidence, EvidenceCode, Health, HealthStatus};
pub use pods::evidence as pod_evidence;
pub use rollout::rollout_of;
pub use verdict::{WaitOutcome, WaitState, verdict};
pub use words::harmless;

use crate::api_version::group_of;

/// The rule of a kind, for an object that is not being deleted, whose newest generation was seen.
type Rule = fn(&Value) -> Health;

/// The rules by group and kind; an empty kind stands for all of the group.
const RULES: &[(&str, &str, Rule)] = &[
    ("", "Namespace", cluster::namespace),
    ("", "PersistentVolume", resources::volume),
    ("", "PersistentVolumeClaim", resources::claim),
    ("", "Pod", jobs::pod),
    ("", "ReplicationController", workloads::replica_set),
    ("", "Service", resources::service),
    ("apiextensions.k8s.io", "CustomResourceDefinition", cluster::definition),
    ("apiregistration.k8s.io", "APIService", cluster::api_service),
    ("apps", "DaemonSet", workloads::daemon_set),
    ("apps", "Deployment", workloads::deployment),
    ("apps", "ReplicaSet", workloads::replica_set),
    ("apps", "StatefulSet", workloads::stateful_set),
    ("argoproj.io", "Rollout", known::rollout),
    ("autoscaling", "HorizontalPodAutoscaler", resources::autoscaler),
    ("batch", "CronJob", jobs::cron_job),
    ("batch", "Job", jobs::job),
    ("cert-manager.io", "Certificate", known::certificate),
    ("cert-manager.io", "CertificateRequest", known::certificate_request),
    ("cert-manager.io", "ClusterIssuer", known::ready_or_unseen),
    ("cert-manager.io", "Issuer", known::ready_or_unseen),
    ("extensions", "DaemonSet", workloads::daemon_set),
    ("extensions", "Deployment", workloads::deployment),
    ("extensions", "Ingress", resources::ingress),
    ("extensions", "ReplicaSet", workloads::replica_set),
    ("helm.fluxcd.io", "HelmRelease", known::helm_operator),
    ("helm.toolkit.fluxcd.io", "HelmRelease", known::toolkit),
    ("keda.sh", "ScaledJob", known::keda),
    ("keda.sh", "ScaledObject", known::keda),
    ("kustomize.toolkit.fluxcd.io", "Kustomization", known::toolkit),
    ("networking.k8s.io", "Ingress", resources::ingress),
    ("policy", "PodDisruptionBudget", resources::disruption_budget),
    ("serving.knative.dev", "", known::knative),
    ("source.toolkit.fluxcd.io", "", known::toolkit),
];

/// Returns the health of an object as the cluster has it; `None` is one that it does not have.
///
/// In this order: what is not there is `NotFound`; what is being deleted is `Terminating`; what its
/// controller has not seen in its newest generation, or calls `Reconciling`, is `InProgress`, and
/// what it calls `Stalled` has `Failed`. Then the rule of its kind decides, or else its condition
/// `Ready`, which is `InProgress` unless it is true. What has none of this is `Current`.
///
/// ```
/// use flux_core::health::{HealthStatus, health_of};
/// use serde_json::json;
///
/// let status = json!({"observedGeneration": 1, "replicas": 3, "updatedReplicas": 3,
///     "availableReplicas": 1});
/// let web = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"generation": 1},
///     "spec": {"replicas": 3}, "status": status});
/// let health = health_of(Some(&web));
/// assert_eq!(health.status, HealthStatus::InProgress);
/// assert_eq!(health.message, "1 of 3 pods is available");
/// ```
pub fn health_of(object: Option<&Value>) -> Health {
    let Some(object) = object.filter(|object| object.is_object()) else {
        return Health::new(HealthStatus::NotFound, "the cluster does not have it");
    };
    if object.pointer("/metadata/deletionTimestamp").is_some_and(|time| !time.is_null()) {
        return cluster::terminating(object);
    }
    if let Some(health) = known::suspended_toolkit(object).or_else(|| custom::generic(object)) {
        return health;
    }
    rule_of(object).map_or_else(|| custom::by_ready(object), |rule| rule(object))
}

fn rule_of(object: &Value) -> Option<Rule> {
    let group = group_of(object::text(object, "apiVersion"));
    let kind = object::text(object, "kind");
    let rule = RULES.iter().find(|(of, name, _)| *of == group && (*name == kind || name.is_empty()));
    rule.map(|(_, _, rule)| *rule)
}
