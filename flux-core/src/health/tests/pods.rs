//! The evidence that pods give.

use serde_json::{Value, json};

use crate::{backend::Pod, health::pod_evidence};

fn pod(name: &str, status: Value) -> Pod {
    let containers = json!([{"name": "web", "image": "web:2"}]);
    Pod::of(&json!({"metadata": {"name": name}, "spec": {"containers": containers}, "status": status}))
}

fn container(state: Value) -> Value {
    json!({"phase": "Pending", "containerStatuses": [{"name": "web", "image": "web:2", "restartCount": 4,
        "ready": false, "state": state,
        "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled", "message": "hunter2"}}}]})
}

fn says(pods: &[Pod]) -> Vec<String> {
    pod_evidence(pods).iter().map(ToString::to_string).collect()
}

#[test]
fn each_cause_is_named() {
    let scheduler = "0/3 nodes are available: 3 Insufficient cpu. preemption: 0/3 nodes are available.";
    for (status, line) in [
        (
            container(
                json!({"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image \"web:2\""}}),
            ),
            "image-pull: pod a, container web: ImagePullBackOff of web:2: Back-off pulling image \"web:2\"",
        ),
        (
            container(json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}})),
            "crash-loop: pod a, container web: it ended with exit code 137 (OOMKilled); started again 4 times",
        ),
        (
            container(json!({"terminated": {"exitCode": 1, "reason": "Error", "message": "hunter2"}})),
            "crash-loop: pod a, container web: it ended with exit code 1; started again 4 times",
        ),
        (
            container(
                json!({"waiting": {"reason": "CreateContainerConfigError", "message": "secret \"db\" not found"}}),
            ),
            "cannot-start: pod a, container web: CreateContainerConfigError: secret \"db\" not found",
        ),
        (
            container(json!({"running": {}})),
            "not-ready: pod a, container web: it runs and is not ready: its startup or readiness probe has not succeeded; before, it ended with exit code 137 (OOMKilled), and it was started again 4 times",
        ),
        (
            json!({"phase": "Pending", "conditions": [
                {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": scheduler}]}),
            "unschedulable: pod a: 0/3 nodes are available: 3 Insufficient cpu. preemption: 0/3 nodes are available.",
        ),
        (
            json!({"phase": "Pending", "conditions": [{"type": "PodReadyToStartContainers", "status": "False",
                "reason": "X", "message": "volume \"data\" cannot be mounted"}],
                "containerStatuses": [{"name": "web", "state": {"waiting": {"reason": "ContainerCreating"}}}]}),
            "cannot-start: pod a: volume \"data\" cannot be mounted",
        ),
        (
            json!({"phase": "Failed", "reason": "Evicted", "message": "low on memory"}),
            "pod-failed: pod a: Evicted low on memory",
        ),
    ] {
        assert_eq!(says(&[pod("a", status)]), [line]);
    }
}

#[test]
fn an_init_container_that_fails_is_the_cause_and_not_those_that_wait_for_it() {
    let status = json!({"phase": "Pending",
        "initContainerStatuses": [{"name": "setup", "restartCount": 1,
            "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": {"exitCode": 2}}}],
        "containerStatuses": [{"name": "web", "state": {"waiting": {"reason": "PodInitializing"}}}]});
    assert_eq!(
        says(&[pod("a", status)]),
        ["crash-loop: pod a, init container setup: it ended with exit code 2; started again once"]
    );
}

#[test]
fn equal_causes_are_counted_and_healthy_pods_say_nothing() {
    let waiting = container(json!({"waiting": {"reason": "ErrImagePull", "message": "not found"}}));
    let ready = json!({"phase": "Running", "containerStatuses": [{"name": "web", "ready": true, "state": {"running": {}}}]});
    let pods =
        [pod("c", waiting.clone()), pod("a", waiting.clone()), pod("b", waiting.clone()), pod("d", ready)];
    assert_eq!(
        says(&pods),
        ["image-pull: pod a, container web: ErrImagePull of web:2: not found (and 2 more pods)"]
    );
    let going = Pod { is_deleting: true, ..pod("a", waiting) };
    assert_eq!(says(&[going]), [""; 0]);
}

#[test]
fn only_so_many_causes_are_shown() {
    let of = |n: usize| {
        let message = format!("no tag {n}");
        pod(&format!("p{n}"), container(json!({"waiting": {"reason": "ErrImagePull", "message": message}})))
    };
    assert_eq!(says(&(0..9).map(of).collect::<Vec<_>>()).len(), 5);
}
