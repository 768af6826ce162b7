//! The other built-in kinds.

use super::{HealthStatus::*, health_of, holds, of};
use crate::{health::RULES, manifest::scope_of};

#[test]
fn what_is_not_there_or_being_deleted() {
    assert_eq!(health_of(None).status, NotFound);
    let deleted = "metadata: {deletionTimestamp: now, finalizers: [example.com/hold, b]}";
    holds("v1", "ConfigMap", &[(deleted, Terminating, "it is being deleted", &["finalizers"])]);
    let health = of("apps/v1", "Deployment", deleted);
    assert_eq!(health.evidence[0].to_string(), "finalizers: it waits for example.com/hold, b");
}

#[test]
fn a_namespace_says_what_holds_its_deletion_up() {
    let namespace = "metadata: {deletionTimestamp: now}\nspec: {finalizers: [kubernetes]}\nstatus: {phase: Terminating, conditions: [
        {type: NamespaceDeletionDiscoveryFailure, status: 'True', reason: DiscoveryFailed, message: 'metrics.k8s.io/v1beta1: stale'},
        {type: NamespaceContentRemaining, status: 'True', reason: SomeResourcesRemain, message: 'Some resources are remaining: configmaps. has 1 resource instances'},
        {type: NamespaceFinalizersRemaining, status: 'True', reason: SomeFinalizersRemain, message: 'Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances'},
        {type: NamespaceDeletionContentFailure, status: 'False', reason: ContentDeleted}]}";
    let health = of("v1", "Namespace", namespace);
    assert_eq!(health.status, Terminating);
    let evidence: Vec<String> = health.evidence.iter().map(ToString::to_string).collect();
    assert_eq!(
        evidence,
        [
            "condition: DiscoveryFailed: metrics.k8s.io/v1beta1: stale",
            "condition: SomeResourcesRemain: Some resources are remaining: configmaps. has 1 resource instances",
            "finalizers: SomeFinalizersRemain: Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances",
        ]
    );
    holds("v1", "Namespace", &[("status: {phase: Active}", Current, "the Namespace is active", &[])]);
}

#[test]
fn definitions_and_api_services() {
    holds(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        &[
            ("{}", InProgress, "its controller has not reported on it yet", &[]),
            (
                "status: {conditions: [{type: NamesAccepted, status: 'False', reason: PluralConflict, message: taken}]}",
                Failed,
                "the names of the kind are not accepted",
                &["condition"],
            ),
            (
                "status: {conditions: [{type: NamesAccepted, status: 'True'}, {type: Established, status: 'False', reason: Installing}]}",
                InProgress,
                "the kind is not established yet",
                &[],
            ),
            (
                "status: {conditions: [{type: Established, status: 'False', reason: NotAccepted}]}",
                Failed,
                "the kind cannot be established",
                &["condition"],
            ),
            (
                "status: {conditions: [{type: Established, status: 'True'}]}",
                Current,
                "the kind is established",
                &[],
            ),
        ],
    );
    holds(
        "apiregistration.k8s.io/v1",
        "APIService",
        &[
            ("{}", InProgress, "its controller has not reported on it yet", &[]),
            (
                "status: {conditions: [{type: Available, status: 'True'}]}",
                Current,
                "the API is available",
                &[],
            ),
            (
                "status: {conditions: [{type: Available, status: 'False', reason: FailedDiscoveryCheck}]}",
                InProgress,
                "the API is not available",
                &["condition"],
            ),
        ],
    );
}

#[test]
fn storage() {
    let unbound = "the claim is not bound; a class with WaitForFirstConsumer binds it when a pod uses it";
    holds(
        "v1",
        "PersistentVolumeClaim",
        &[
            ("{}", InProgress, "its controller has not reported on it yet", &[]),
            ("status: {phase: Pending}", InProgress, unbound, &[]),
            ("status: {phase: Lost}", Failed, "the claim has lost its volume", &[]),
            ("status: {phase: Bound}", Current, "the claim is bound", &[]),
            (
                "status: {phase: Bound, conditions: [{type: FileSystemResizePending, status: 'True', message: wait}]}",
                Current,
                "the claim is bound",
                &["condition"],
            ),
        ],
    );
    holds(
        "v1",
        "PersistentVolume",
        &[
            ("status: {phase: Pending}", InProgress, "the volume is not available yet", &[]),
            ("status: {phase: Available}", Current, "the volume is available", &[]),
            ("status: {phase: Bound}", Current, "the volume is bound", &[]),
            (
                "status: {phase: Released}",
                Current,
                "the volume is released: its claim is gone, and nothing can claim it",
                &[],
            ),
            (
                "status: {phase: Failed, message: no plugin}",
                Failed,
                "the volume could not be reclaimed: no plugin",
                &[],
            ),
        ],
    );
}

#[test]
fn addresses() {
    holds(
        "v1",
        "Service",
        &[
            ("spec: {type: ClusterIP}", Current, "the Service needs no address from outside", &[]),
            (
                "spec: {type: LoadBalancer}",
                InProgress,
                "the load balancer has no address yet",
                &["no-address"],
            ),
            (
                "spec: {type: LoadBalancer}\nstatus: {loadBalancer: {ingress: [{hostname: lb.example.com}]}}",
                Current,
                "the load balancer has the address lb.example.com",
                &[],
            ),
        ],
    );
    holds(
        "networking.k8s.io/v1",
        "Ingress",
        &[
            ("{}", Current, "the Ingress has no address", &["no-address"]),
            (
                "status: {loadBalancer: {ingress: [{ip: 192.0.2.1}]}}",
                Current,
                "the Ingress has the address 192.0.2.1",
                &[],
            ),
        ],
    );
}

#[test]
fn what_is_current_and_yet_worth_a_word() {
    let budget = |rest: &str| format!("status: {{observedGeneration: 2, expectedPods: 3, {rest}}}");
    holds(
        "policy/v1",
        "PodDisruptionBudget",
        &[
            ("{}", InProgress, "its controller has not reported on it yet", &[]),
            (
                &budget("currentHealthy: 3, desiredHealthy: 2, disruptionsAllowed: 1"),
                Current,
                "1 of 3 pods may be evicted at once",
                &[],
            ),
            (
                &budget("currentHealthy: 3, desiredHealthy: 3, disruptionsAllowed: 0"),
                Current,
                "3 pods are healthy, as many as the budget wants at least",
                &["no-disruption"],
            ),
            (
                &budget("currentHealthy: 1, desiredHealthy: 2"),
                Current,
                "1 of at least 2 pods are healthy",
                &["no-disruption"],
            ),
            (
                &budget("conditions: [{type: DisruptionAllowed, status: 'False', reason: SyncFailed}]"),
                InProgress,
                "the budget cannot be computed",
                &["condition"],
            ),
        ],
    );
    holds(
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        &[
            ("{}", Current, "the autoscaler is set", &[]),
            (
                "status: {conditions: [{type: ScalingActive, status: 'True'}]}",
                Current,
                "the autoscaler is set",
                &[],
            ),
            (
                "status: {conditions: [{type: ScalingActive, status: 'False', reason: FailedGetResourceMetric, message: no metrics}]}",
                Current,
                "the autoscaler is set, and does not scale",
                &["autoscaler-inactive"],
            ),
        ],
    );
}

#[test]
fn configuration_is_current_at_once() {
    for (api_version, kind) in [
        ("v1", "ConfigMap"),
        ("v1", "Secret"),
        ("v1", "ServiceAccount"),
        ("v1", "LimitRange"),
        ("v1", "ResourceQuota"),
        ("rbac.authorization.k8s.io/v1", "ClusterRole"),
        ("networking.k8s.io/v1", "NetworkPolicy"),
        ("storage.k8s.io/v1", "StorageClass"),
        ("scheduling.k8s.io/v1", "PriorityClass"),
    ] {
        assert!(scope_of(api_version, kind).is_some(), "{kind} is built in");
        assert_eq!(of(api_version, kind, "{}").status, Current, "{kind}");
    }
}

#[test]
fn the_table_has_each_kind_once_in_order() {
    let kinds: Vec<_> = RULES.iter().map(|(group, kind, _)| (*group, *kind)).collect();
    assert!(kinds.is_sorted() && kinds.windows(2).all(|two| two[0] != two[1]), "{kinds:?}");
}

#[test]
fn an_object_of_any_shape_has_a_health() {
    for (group, kind, _) in RULES {
        let api_version = if group.is_empty() { "v1".to_owned() } else { format!("{group}/v1") };
        for fields in [
            "{}",
            "status: 1",
            "status: {conditions: 1, phase: 2}",
            "status: {conditions: [1, {}]}",
            "spec: []\nstatus: []",
        ] {
            let health = of(&api_version, kind, fields);
            assert!(!health.message.is_empty(), "{kind} {fields}");
        }
    }
}
