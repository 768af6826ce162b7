//! In which order objects are applied and pruned: v1's ranks by kind, with what its users missed.
//!
//! Names, definitions and accounts come before what refers to them; custom resources come after the
//! workloads that may serve them; webhooks come last, so that they cannot refuse what makes them
//! answer. Pruning goes the other way, after everything has been applied.

use crate::schema::lists::is_builtin_group;

/// Kinds of the built-in groups by rank.
///
/// A kind in no row, such as that of a custom resource, has the rank [`OTHER`].
const RANKS: &[(u8, &[&str])] = &[
    (0, &["Namespace", "CustomResourceDefinition"]),
    (
        1,
        &[
            "ServiceAccount",
            "ClusterRole",
            "Role",
            "PersistentVolume",
            "Service",
            "StorageClass",
            "PriorityClass",
            "IngressClass",
            "RuntimeClass",
        ],
    ),
    (
        2,
        &[
            "ResourceQuota",
            "LimitRange",
            "Secret",
            "ConfigMap",
            "RoleBinding",
            "ClusterRoleBinding",
            "PersistentVolumeClaim",
            "Ingress",
            "NetworkPolicy",
        ],
    ),
    (
        3,
        &[
            "DaemonSet",
            "Deployment",
            "ReplicationController",
            "ReplicaSet",
            "Job",
            "CronJob",
            "StatefulSet",
            "Pod",
        ],
    ),
    (
        LAST,
        &[
            "APIService",
            "ValidatingWebhookConfiguration",
            "MutatingWebhookConfiguration",
            "ValidatingAdmissionPolicyBinding",
            "MutatingAdmissionPolicyBinding",
        ],
    ),
];

const OTHER: u8 = 4;
const LAST: u8 = 5;

/// The first stage in which anything is deleted.
const PRUNE: u8 = 10;

fn rank(group: &str, kind: &str) -> u8 {
    if !is_builtin_group(group) {
        return OTHER;
    }
    RANKS.iter().find(|(_, kinds)| kinds.contains(&kind)).map_or(OTHER, |(rank, _)| *rank)
}

/// Returns the stage in which an object of a kind is applied.
pub(super) fn apply_stage(group: &str, kind: &str) -> u8 {
    rank(group, kind)
}

/// Returns the stage in which an object of a kind is pruned.
pub(super) fn prune_stage(group: &str, kind: &str) -> u8 {
    PRUNE + LAST - rank(group, kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_referred_to_comes_first() {
        let order = [
            ("", "Namespace"),
            ("", "ServiceAccount"),
            ("", "ConfigMap"),
            ("apps", "Deployment"),
            ("autoscaling", "HorizontalPodAutoscaler"),
            ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
        ];
        for pair in order.windows(2) {
            let [(g1, k1), (g2, k2)] = pair else { unreachable!() };
            assert!(apply_stage(g1, k1) < apply_stage(g2, k2), "{k1} is applied before {k2}");
            assert!(prune_stage(g1, k1) > prune_stage(g2, k2), "{k1} is pruned after {k2}");
        }
    }

    #[test]
    fn definitions_come_before_custom_resources_whatever_their_kind_is_called() {
        let definition = apply_stage("apiextensions.k8s.io", "CustomResourceDefinition");
        assert_eq!(definition, 0);
        assert_eq!(apply_stage("serving.knative.dev", "Service"), OTHER);
        assert_eq!(apply_stage("example.com", "Namespace"), OTHER);
    }

    #[test]
    fn nothing_is_pruned_before_everything_is_applied() {
        assert!(prune_stage("admissionregistration.k8s.io", "ValidatingWebhookConfiguration") > LAST);
    }
}
