//! The rules of single types that no table has: which values there may be, and which go together.
//!
//! They are those of the API server's validation. A rule reads what it needs and passes over what
//! is of another type: that is reported by the walk.

use serde_json::{Map, Value};

use super::{
    at::At,
    data,
    fault::{Faults, Path},
    others, pods, selectors, services,
};

type Rule = for<'a, 'v, 'f> fn(At<'a, 'v>, &'f mut Faults<'v>);

/// The rules by the names of types.
const RULES: &[(&str, Rule)] = &[
    ("apps.v1.DaemonSetSpec", selectors::of_pods),
    ("apps.v1.DeploymentSpec", selectors::of_pods),
    ("apps.v1.DeploymentStrategy", others::strategy),
    ("apps.v1.ReplicaSetSpec", selectors::of_pods),
    ("apps.v1.RollingUpdateDaemonSet", others::rolling_update),
    ("apps.v1.RollingUpdateDeployment", others::rolling_update),
    ("apps.v1.StatefulSetSpec", selectors::of_pods),
    ("autoscaling.v1.HorizontalPodAutoscalerSpec", others::scaling),
    ("autoscaling.v2.HorizontalPodAutoscalerSpec", others::scaling),
    ("batch.v1.CronJobSpec", others::schedule),
    ("batch.v1.JobSpec", selectors::of_jobs),
    ("core.v1.ConfigMap", data::config_map),
    ("core.v1.Container", pods::container),
    ("core.v1.ContainerPort", pods::container_port),
    ("core.v1.EnvFromSource", pods::env_from),
    ("core.v1.EnvVar", pods::env_var),
    ("core.v1.EnvVarSource", pods::env_source),
    ("core.v1.HTTPGetAction", pods::probed_port),
    ("core.v1.LifecycleHandler", pods::lifecycle_handler),
    ("core.v1.PodSpec", pods::pod),
    ("core.v1.PodTemplateSpec", selectors::template),
    ("core.v1.Probe", pods::probe),
    ("core.v1.ReplicationControllerSpec", selectors::of_controllers),
    ("core.v1.ResourceRequirements", pods::resources),
    ("core.v1.Secret", data::secret),
    ("core.v1.ServicePort", services::port),
    ("core.v1.ServiceSpec", services::service),
    ("core.v1.TCPSocketAction", pods::probed_port),
    ("core.v1.Volume", pods::volume),
    ("meta.v1.LabelSelector", selectors::labels),
    ("networking.v1.HTTPIngressPath", others::ingress_path),
    ("networking.v1.NetworkPolicyPort", others::policy_port),
    ("networking.v1.ServiceBackendPort", services::backend_port),
    ("policy.v1.PodDisruptionBudgetSpec", others::budget),
    ("rbac.v1.PolicyRule", others::access),
    ("rbac.v1.RoleRef", others::role_ref),
    ("rbac.v1.Subject", others::subject),
];

/// Holds an object against the rules of its type.
pub(super) fn check<'v>(of: &str, entries: &'v Map<String, Value>, path: &Path<'v>, faults: &mut Faults<'v>) {
    if let Ok(found) = RULES.binary_search_by(|(name, _)| name.cmp(&of))
        && let Some((_, rule)) = RULES.get(found)
    {
        rule(At { entries, path }, faults);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::table::builtin;

    #[test]
    fn rules_are_sorted_and_each_is_of_a_type() {
        assert!(RULES.is_sorted_by(|(a, _), (b, _)| a < b));
        for (name, _) in RULES {
            assert!(builtin().objects.iter().any(|object| object.name == *name), "{name}");
        }
    }
}
