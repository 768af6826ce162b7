//! The built-in kinds of Kubernetes, and their scopes.

use serde::{Deserialize, Serialize};

use crate::api_version::group_of;

/// The scope of a kind: namespaced or cluster-scoped.
///
/// Exhaustive: Kubernetes has these two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Scope {
    /// Each object has a namespace.
    Namespaced,
    /// The objects have no namespace.
    Cluster,
}

/// Returns the scope of a built-in kind; `None` for kinds that a CustomResourceDefinition defines.
///
/// The version within the API group does not matter: a kind never changes its scope.
///
/// ```
/// use flux_core::manifest::{Scope, scope_of};
///
/// assert_eq!(scope_of("apps/v1", "Deployment"), Some(Scope::Namespaced));
/// assert_eq!(scope_of("v1", "Namespace"), Some(Scope::Cluster));
/// assert_eq!(scope_of("example.com/v1", "Deployment"), None);
/// ```
pub fn scope_of(api_version: &str, kind: &str) -> Option<Scope> {
    let name = group_of(api_version);
    let group = GROUPS.iter().find(|group| group.name == name)?;
    if group.namespaced.contains(&kind) {
        Some(Scope::Namespaced)
    } else {
        group.cluster.contains(&kind).then_some(Scope::Cluster)
    }
}

struct Group {
    name: &'static str,
    namespaced: &'static [&'static str],
    cluster: &'static [&'static str],
}

/// The kinds that Kubernetes 1.36 serves.
const GROUPS: &[Group] = &[
    Group {
        name: "",
        namespaced: &[
            "Binding",
            "ConfigMap",
            "Endpoints",
            "Event",
            "LimitRange",
            "PersistentVolumeClaim",
            "Pod",
            "PodTemplate",
            "ReplicationController",
            "ResourceQuota",
            "Secret",
            "Service",
            "ServiceAccount",
        ],
        cluster: &["ComponentStatus", "Namespace", "Node", "PersistentVolume"],
    },
    Group {
        name: "admissionregistration.k8s.io",
        namespaced: &[],
        cluster: &[
            "MutatingAdmissionPolicy",
            "MutatingAdmissionPolicyBinding",
            "MutatingWebhookConfiguration",
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicyBinding",
            "ValidatingWebhookConfiguration",
        ],
    },
    Group { name: "apiextensions.k8s.io", namespaced: &[], cluster: &["CustomResourceDefinition"] },
    Group { name: "apiregistration.k8s.io", namespaced: &[], cluster: &["APIService"] },
    Group {
        name: "apps",
        namespaced: &["ControllerRevision", "DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"],
        cluster: &[],
    },
    Group { name: "authentication.k8s.io", namespaced: &[], cluster: &["SelfSubjectReview", "TokenReview"] },
    Group {
        name: "authorization.k8s.io",
        namespaced: &["LocalSubjectAccessReview"],
        cluster: &["SelfSubjectAccessReview", "SelfSubjectRulesReview", "SubjectAccessReview"],
    },
    Group { name: "autoscaling", namespaced: &["HorizontalPodAutoscaler"], cluster: &[] },
    Group { name: "batch", namespaced: &["CronJob", "Job"], cluster: &[] },
    Group {
        name: "certificates.k8s.io",
        namespaced: &["PodCertificateRequest"],
        cluster: &["CertificateSigningRequest", "ClusterTrustBundle"],
    },
    Group { name: "coordination.k8s.io", namespaced: &["Lease", "LeaseCandidate"], cluster: &[] },
    Group { name: "discovery.k8s.io", namespaced: &["EndpointSlice"], cluster: &[] },
    Group { name: "events.k8s.io", namespaced: &["Event"], cluster: &[] },
    Group {
        name: "flowcontrol.apiserver.k8s.io",
        namespaced: &[],
        cluster: &["FlowSchema", "PriorityLevelConfiguration"],
    },
    Group { name: "internal.apiserver.k8s.io", namespaced: &[], cluster: &["StorageVersion"] },
    Group {
        name: "networking.k8s.io",
        namespaced: &["Ingress", "NetworkPolicy"],
        cluster: &["IPAddress", "IngressClass", "ServiceCIDR"],
    },
    Group { name: "node.k8s.io", namespaced: &[], cluster: &["RuntimeClass"] },
    Group { name: "policy", namespaced: &["PodDisruptionBudget"], cluster: &[] },
    Group {
        name: "rbac.authorization.k8s.io",
        namespaced: &["Role", "RoleBinding"],
        cluster: &["ClusterRole", "ClusterRoleBinding"],
    },
    Group {
        name: "resource.k8s.io",
        namespaced: &["ResourceClaim", "ResourceClaimTemplate"],
        cluster: &["DeviceClass", "DeviceTaintRule", "ResourcePoolStatusRequest", "ResourceSlice"],
    },
    Group { name: "scheduling.k8s.io", namespaced: &["PodGroup", "Workload"], cluster: &["PriorityClass"] },
    Group {
        name: "storage.k8s.io",
        namespaced: &["CSIStorageCapacity"],
        cluster: &["CSIDriver", "CSINode", "StorageClass", "VolumeAttachment", "VolumeAttributesClass"],
    },
    Group { name: "storagemigration.k8s.io", namespaced: &[], cluster: &["StorageVersionMigration"] },
    // No longer served, but still in repositories.
    Group {
        name: "extensions",
        namespaced: &["DaemonSet", "Deployment", "Ingress", "NetworkPolicy", "ReplicaSet"],
        cluster: &["PodSecurityPolicy"],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_kind_has_one_scope() {
        for group in GROUPS {
            let both = group.namespaced.iter().find(|kind| group.cluster.contains(kind));
            assert_eq!(both, None, "in {}", group.name);
        }
    }

    #[test]
    fn the_version_plays_no_part_and_the_group_does() {
        assert_eq!(scope_of("batch/v1beta1", "CronJob"), Some(Scope::Namespaced));
        assert_eq!(scope_of("rbac.authorization.k8s.io/v1", "ClusterRole"), Some(Scope::Cluster));
        assert_eq!(scope_of("v1", "Deployment"), None);
        assert_eq!(scope_of("", ""), None);
    }
}
