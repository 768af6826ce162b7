//! Workloads.

use super::{HealthStatus::*, holds, object};
use crate::{
    backend::RolloutState,
    health::{HealthStatus, rollout_of},
};

const SEEN: &str = "spec: {replicas: 3}\nstatus: {observedGeneration: 2, ";

fn seen(status: &str) -> String {
    format!("{SEEN}{status}}}")
}

#[test]
fn deployments() {
    let rows = [
        ("{}".to_owned(), InProgress, "its controller has not reported on it yet", &[][..]),
        (
            "status: {observedGeneration: 1, replicas: 1, updatedReplicas: 1, availableReplicas: 1}".to_owned(),
            InProgress,
            "its controller has seen generation 1, and not yet 2",
            &[],
        ),
        (seen("replicas: 3, updatedReplicas: 1, availableReplicas: 3"), InProgress, "1 of 3 pods run the newest template", &[]),
        (seen("replicas: 4, updatedReplicas: 3, availableReplicas: 3"), InProgress, "1 pod of an older template still to end", &[]),
        (seen("replicas: 3, updatedReplicas: 3, availableReplicas: 1"), InProgress, "1 of 3 pods is available", &[]),
        (seen("replicas: 3, updatedReplicas: 3, availableReplicas: 3"), Current, "3 of 3 pods are available", &[]),
        ("spec: {replicas: 0}\nstatus: {observedGeneration: 2}".to_owned(), Current, "no pods are wanted", &[]),
        (
            seen("conditions: [{type: Progressing, status: 'False', reason: ProgressDeadlineExceeded, message: late}]"),
            Failed,
            "the rollout does not progress: 0 of 3 pods are available",
            &["deadline-exceeded"],
        ),
        (
            seen("conditions: [{type: ReplicaFailure, status: 'True', reason: FailedCreate, message: quota}]"),
            InProgress,
            "0 of 3 pods run the newest template",
            &["pods-refused"],
        ),
        (
            "spec: {replicas: 3, paused: true}\nstatus: {observedGeneration: 2, replicas: 3, availableReplicas: 3}".to_owned(),
            InProgress,
            "0 of 3 pods run the newest template",
            &["suspended"],
        ),
    ];
    for (fields, status, message, codes) in &rows {
        holds("apps/v1", "Deployment", &[(fields, *status, message, codes)]);
        // One rule says when a rollout is complete.
        let object = object("apps/v1", "Deployment", fields);
        assert_eq!(rollout_of(&object).state == RolloutState::Ready, *status == Current, "{fields}");
    }
}

#[test]
fn stateful_sets() {
    let partition =
        "spec: {replicas: 3, updateStrategy: {type: RollingUpdate, rollingUpdate: {partition: 2}}}\n";
    let on_delete = "spec: {replicas: 3, updateStrategy: {type: OnDelete}}\n";
    let rows: [(String, HealthStatus, &str, &[&str]); 9] = [
        ("{}".to_owned(), InProgress, "its controller has not reported on it yet", &[]),
        (
            seen("replicas: 2, readyReplicas: 2, updatedReplicas: 2"),
            InProgress,
            "2 of 3 pods are available",
            &[],
        ),
        (
            seen("replicas: 4, readyReplicas: 4, updatedReplicas: 4"),
            InProgress,
            "1 pod too many still to end",
            &[],
        ),
        (
            seen("replicas: 3, readyReplicas: 3, updatedReplicas: 1"),
            InProgress,
            "1 of 3 pods run the newest template",
            &[],
        ),
        (
            seen("replicas: 3, readyReplicas: 3, updatedReplicas: 3, availableReplicas: 2"),
            InProgress,
            "2 of 3 pods are available",
            &[],
        ),
        (
            seen("replicas: 3, readyReplicas: 3, updatedReplicas: 3"),
            Current,
            "3 of 3 pods are available",
            &[],
        ),
        (
            format!(
                "{partition}status: {{observedGeneration: 2, replicas: 3, readyReplicas: 3, updatedReplicas: 0}}"
            ),
            InProgress,
            "0 of 1 pod run the newest template",
            &[],
        ),
        (
            format!(
                "{partition}status: {{observedGeneration: 2, replicas: 3, readyReplicas: 3, updatedReplicas: 1}}"
            ),
            Current,
            "3 of 3 pods are available",
            &["partial-rollout"],
        ),
        (
            format!(
                "{on_delete}status: {{observedGeneration: 2, replicas: 3, readyReplicas: 3, updatedReplicas: 0}}"
            ),
            Current,
            "3 of 3 pods are available",
            &["partial-rollout"],
        ),
    ];
    for (fields, status, message, codes) in &rows {
        holds("apps/v1", "StatefulSet", &[(fields, *status, message, codes)]);
    }
    // Pods that are not ready are not excused by the strategy.
    let waiting = format!("{on_delete}status: {{observedGeneration: 2, replicas: 3, readyReplicas: 2}}");
    holds("apps/v1", "StatefulSet", &[(&waiting, InProgress, "2 of 3 pods are available", &[])]);
}

#[test]
fn daemon_sets() {
    let all = "observedGeneration: 2, desiredNumberScheduled: 2, currentNumberScheduled: 2";
    let rows: [(String, HealthStatus, &str, &[&str]); 7] = [
        (
            "status: {observedGeneration: 2}".to_owned(),
            InProgress,
            "its controller has not reported on it yet",
            &[],
        ),
        (
            "status: {observedGeneration: 2, desiredNumberScheduled: 2, currentNumberScheduled: 1}"
                .to_owned(),
            InProgress,
            "1 of 2 pods placed on nodes",
            &[],
        ),
        (
            format!("status: {{{all}, updatedNumberScheduled: 1, numberAvailable: 2}}"),
            InProgress,
            "1 of 2 pods run the newest template",
            &[],
        ),
        (
            format!("status: {{{all}, updatedNumberScheduled: 2, numberAvailable: 1}}"),
            InProgress,
            "1 of 2 pods is available",
            &[],
        ),
        (
            format!("status: {{{all}, updatedNumberScheduled: 2, numberAvailable: 2}}"),
            Current,
            "2 of 2 pods are available",
            &[],
        ),
        (
            format!("spec: {{updateStrategy: {{type: OnDelete}}}}\nstatus: {{{all}, numberAvailable: 2}}"),
            Current,
            "2 of 2 pods are available",
            &["partial-rollout"],
        ),
        (
            "status: {observedGeneration: 2, desiredNumberScheduled: 0}".to_owned(),
            Current,
            "no node is to run a pod of it",
            &[],
        ),
    ];
    for (fields, status, message, codes) in &rows {
        holds("apps/v1", "DaemonSet", &[(fields, *status, message, codes)]);
    }
}

#[test]
fn replica_sets() {
    for (api_version, kind) in [("apps/v1", "ReplicaSet"), ("v1", "ReplicationController")] {
        holds(
            api_version,
            kind,
            &[
                ("{}", InProgress, "its controller has not reported on it yet", &[]),
                (&seen("replicas: 3, availableReplicas: 1"), InProgress, "1 of 3 pods is available", &[]),
                (&seen("replicas: 4, availableReplicas: 4"), InProgress, "1 pod too many still to end", &[]),
                (&seen("replicas: 3, availableReplicas: 3"), Current, "3 of 3 pods are available", &[]),
                (
                    &seen("conditions: [{type: ReplicaFailure, status: 'True', message: quota}]"),
                    InProgress,
                    "0 of 3 pods are available",
                    &["pods-refused"],
                ),
            ],
        );
    }
}

#[test]
fn what_runs_to_its_end() {
    holds(
        "v1",
        "Pod",
        &[
            ("{}", InProgress, "its controller has not reported on it yet", &[]),
            ("status: {phase: Succeeded}", Current, "the pod has succeeded", &[]),
            (
                "status: {phase: Failed, reason: Evicted, message: low on memory}",
                Failed,
                "the pod has failed Evicted low on memory",
                &["pod-failed"],
            ),
            (
                "status: {phase: Running, conditions: [{type: Ready, status: 'True'}]}",
                Current,
                "the pod is ready",
                &[],
            ),
            (
                "status: {phase: Running, containerStatuses: [{name: a, ready: false, state: {running: {}}}]}",
                InProgress,
                "the pod runs and is not ready",
                &["not-ready"],
            ),
            (
                "status: {phase: Pending, conditions: [{type: PodScheduled, status: 'False', reason: Unschedulable}]}",
                InProgress,
                "the pod has not started",
                &["unschedulable"],
            ),
        ],
    );
    holds(
        "batch/v1",
        "Job",
        &[
            ("{}", InProgress, "its controller has not reported on it yet", &[]),
            (
                "status: {startTime: now, active: 1, failed: 2}",
                InProgress,
                "the Job runs: 1 active, 0 succeeded, 2 failed",
                &[],
            ),
            (
                "status: {succeeded: 1, conditions: [{type: Complete, status: 'True'}]}",
                Current,
                "the Job is complete: 1 pod succeeded",
                &[],
            ),
            ("spec: {suspend: true}", Current, "the Job is suspended", &["suspended"]),
            (
                "status: {conditions: [{type: Failed, status: 'True', reason: DeadlineExceeded, message: late}]}",
                Failed,
                "the Job has failed: DeadlineExceeded: late",
                &["deadline-exceeded"],
            ),
            (
                "status: {conditions: [{type: FailureTarget, status: 'True', reason: BackoffLimitExceeded}]}",
                Failed,
                "the Job has failed: BackoffLimitExceeded",
                &["condition"],
            ),
        ],
    );
    holds(
        "batch/v1",
        "CronJob",
        &[
            ("{}", Current, "the schedule is set", &[]),
            ("spec: {suspend: true}", Current, "the schedule is set", &["suspended"]),
        ],
    );
}
