//! Custom kinds.

use super::{HealthStatus::*, holds};

#[test]
fn a_kind_that_is_not_known_goes_by_its_conditions() {
    holds(
        "example.com/v1",
        "Widget",
        &[
            ("{}", Current, "it has no condition that speaks against it", &[]),
            (
                "status: {observedGeneration: 1, conditions: [{type: Ready, status: 'True'}]}",
                InProgress,
                "its controller has seen generation 1, and not yet 2",
                &[],
            ),
            (
                "status: {observedGeneration: 2, conditions: [{type: Ready, status: 'True'}]}",
                Current,
                "it is ready",
                &[],
            ),
            (
                "status: {conditions: [{type: Ready, status: 'True', observedGeneration: 1}]}",
                InProgress,
                "its condition Ready is not of generation 2 yet",
                &[],
            ),
            (
                "status: {conditions: [{type: Ready, status: 'False', reason: Broken, message: no}]}",
                InProgress,
                "it is not ready: Broken: no",
                &["condition"],
            ),
            (
                "status: {conditions: [{type: Ready, status: Unknown}]}",
                InProgress,
                "it is not ready: Ready is Unknown",
                &["condition"],
            ),
            (
                "status: {conditions: [{type: Ready, status: 'True'}, {type: Reconciling, status: 'True', reason: Go}]}",
                InProgress,
                "it is reconciling: Go",
                &[],
            ),
            (
                "status: {conditions: [{type: Stalled, status: 'True', reason: Stuck}, {type: Reconciling, status: 'True'}]}",
                Failed,
                "it is stalled: Stuck",
                &["condition"],
            ),
        ],
    );
}

#[test]
fn argo_rollouts() {
    holds(
        "argoproj.io/v1alpha1",
        "Rollout",
        &[
            ("{}", InProgress, "its controller has not reported on it yet", &[]),
            (
                "status: {observedGeneration: '1', phase: Healthy}",
                InProgress,
                "its controller has seen generation 1, and not yet 2",
                &[],
            ),
            ("status: {observedGeneration: '2', phase: Healthy}", Current, "the rollout is complete", &[]),
            (
                "status: {observedGeneration: '2', phase: Paused, message: CanaryPauseStep}",
                InProgress,
                "the rollout is paused: CanaryPauseStep",
                &["suspended"],
            ),
            (
                "status: {phase: Degraded, message: ProgressDeadlineExceeded}",
                Failed,
                "the rollout is degraded: ProgressDeadlineExceeded",
                &[],
            ),
            (
                "status: {phase: Progressing, message: more replicas}",
                InProgress,
                "the rollout goes on: more replicas",
                &[],
            ),
        ],
    );
}

#[test]
fn knative_and_keda() {
    holds(
        "serving.knative.dev/v1",
        "Service",
        &[
            ("{}", InProgress, "its controller has not reported on it yet", &[]),
            (
                "status: {conditions: [{type: Ready, status: Unknown, reason: Deploying}]}",
                InProgress,
                "it is not ready: Deploying",
                &["condition"],
            ),
            (
                "status: {conditions: [{type: Ready, status: 'False', reason: RevisionFailed}]}",
                Failed,
                "it is not ready: RevisionFailed",
                &["condition"],
            ),
            ("status: {conditions: [{type: Ready, status: 'True'}]}", Current, "it is ready", &[]),
        ],
    );
    holds(
        "keda.sh/v1alpha1",
        "ScaledObject",
        &[
            ("{}", InProgress, "its controller has not reported on it yet", &[]),
            (
                "status: {conditions: [{type: Ready, status: 'True'}, {type: Active, status: 'False'}]}",
                Current,
                "it is ready",
                &[],
            ),
            (
                "status: {conditions: [{type: Ready, status: 'True'}, {type: Fallback, status: 'True', reason: F}]}",
                Current,
                "it is ready",
                &["autoscaler-inactive"],
            ),
            (
                "status: {conditions: [{type: Ready, status: 'False', reason: ScaledObjectCheckFailed}]}",
                InProgress,
                "it is not ready: ScaledObjectCheckFailed",
                &["condition"],
            ),
        ],
    );
}

#[test]
fn cert_manager() {
    holds(
        "cert-manager.io/v1",
        "Certificate",
        &[
            ("{}", InProgress, "its controller has not reported on it yet", &[]),
            ("status: {conditions: [{type: Ready, status: 'True'}]}", Current, "it is ready", &[]),
            (
                "status: {conditions: [{type: Ready, status: 'False', reason: DoesNotExist}, {type: Issuing, status: 'True'}]}",
                InProgress,
                "it is not ready: DoesNotExist",
                &["condition"],
            ),
            (
                "status: {conditions: [{type: Ready, status: 'False', reason: DoesNotExist}, {type: Issuing, status: 'False', reason: Failed, message: refused}]}",
                Failed,
                "the certificate could not be issued: Failed: refused",
                &["condition"],
            ),
        ],
    );
    holds(
        "cert-manager.io/v1",
        "ClusterIssuer",
        &[
            ("{}", InProgress, "its controller has not reported on it yet", &[]),
            ("status: {conditions: [{type: Ready, status: 'True'}]}", Current, "it is ready", &[]),
        ],
    );
    holds(
        "cert-manager.io/v1",
        "CertificateRequest",
        &[
            (
                "status: {conditions: [{type: Denied, status: 'True', reason: Policy}]}",
                Failed,
                "the request is refused: Policy",
                &["condition"],
            ),
            (
                "status: {conditions: [{type: Ready, status: 'False', reason: Pending}]}",
                InProgress,
                "it is not ready: Pending",
                &["condition"],
            ),
        ],
    );
}

#[test]
fn flux_in_both_versions() {
    for (api_version, kind) in
        [("helm.toolkit.fluxcd.io/v2", "HelmRelease"), ("kustomize.toolkit.fluxcd.io/v1", "Kustomization")]
    {
        holds(
            api_version,
            kind,
            &[
                ("{}", InProgress, "its controller has not reported on it yet", &[]),
                ("spec: {suspend: true}", Current, "it is suspended", &["suspended"]),
                (
                    "status: {observedGeneration: 2, conditions: [{type: Ready, status: 'True'}]}",
                    Current,
                    "it is ready",
                    &[],
                ),
                (
                    "status: {conditions: [{type: Ready, status: 'False', reason: InstallFailed, message: x}]}",
                    Failed,
                    "it is not ready: InstallFailed: x",
                    &["condition"],
                ),
                (
                    "status: {conditions: [{type: Ready, status: 'False', reason: InstallFailed}, {type: Reconciling, status: 'True', reason: Retry}]}",
                    InProgress,
                    "it is reconciling: Retry",
                    &[],
                ),
                (
                    "status: {conditions: [{type: Ready, status: 'False', reason: DependencyNotReady}]}",
                    InProgress,
                    "it is not ready: DependencyNotReady",
                    &["condition"],
                ),
                (
                    "status: {conditions: [{type: Stalled, status: 'True', reason: RetriesExceeded}]}",
                    Failed,
                    "it is stalled: RetriesExceeded",
                    &["condition"],
                ),
            ],
        );
    }
    holds(
        "helm.fluxcd.io/v1",
        "HelmRelease",
        &[
            ("{}", InProgress, "its controller has not reported on it yet", &[]),
            (
                "status: {observedGeneration: 1, phase: Succeeded}",
                InProgress,
                "its controller has seen generation 1, and not yet 2",
                &[],
            ),
            ("status: {observedGeneration: 2, phase: Succeeded}", Current, "the release has succeeded", &[]),
            ("status: {phase: Upgrading}", InProgress, "the release goes on: Upgrading", &[]),
            ("status: {phase: ChartFetchFailed}", Failed, "the release has failed: ChartFetchFailed", &[]),
            (
                "status: {phase: Failed, conditions: [{type: Released, status: 'False', reason: HelmUpgradeFailed}]}",
                Failed,
                "the release has failed: HelmUpgradeFailed",
                &["condition"],
            ),
            (
                "status: {phase: RolledBack, conditions: [{type: RolledBack, status: 'True', reason: HelmRolledBack}]}",
                Failed,
                "the release was rolled back: HelmRolledBack",
                &["condition"],
            ),
        ],
    );
}
