//! The workloads that run, and how far their rollouts are.

use flux_core::backend::{Cluster as _, ClusterWorkload, RolloutState};
use flux_k8s::KubeCluster;
use serde_json::{Value, json};

use crate::support::{apply, change, create, eventually, marked, open};

fn deployment(namespace: &str, image: &str) -> Value {
    marked(json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "web", "namespace": namespace },
        "spec": {
            "replicas": 2,
            "progressDeadlineSeconds": 2,
            "selector": { "matchLabels": { "app": "web" } },
            "template": {
                "metadata": { "labels": { "app": "web" } },
                "spec": {
                    "containers": [{ "name": "web", "image": image }],
                    "initContainers": [{ "name": "init", "image": "init:1" }],
                },
            },
        },
    }))
}

async fn web(cluster: &KubeCluster, namespace: &str) -> ClusterWorkload {
    let mut workloads = cluster.workloads(Some(namespace)).await.unwrap().value;
    assert_eq!(workloads.len(), 1, "{workloads:?}");
    workloads.remove(0)
}

#[tokio::test]
async fn a_rollout_is_followed_until_it_is_complete() {
    let Some(server) = flux_test_support::kube() else { return };
    let namespace = server.namespace("rollout");
    let cluster = open(&server).await;
    apply(&cluster, vec![create(0, deployment(&namespace, "web:1"))]).await;
    let ready = async |image: &str| {
        eventually("the rollout is complete", async || {
            let web = web(&cluster, &namespace).await;
            assert_eq!(web.containers[0].image, image, "our own apply is seen at once");
            (web.rollout.state == RolloutState::Ready).then_some(web)
        })
        .await
    };
    let web = ready("web:1").await;
    assert_eq!(web.id.to_string(), format!("{namespace}:deployment/web"));
    let names: Vec<&str> = web.containers.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["web", "init"]);
    assert_eq!((web.rollout.desired, web.rollout.updated, web.rollout.available), (2, 2, 2));

    apply(&cluster, vec![change(0, deployment(&namespace, "web:2"))]).await;
    ready("web:2").await;
}

#[tokio::test]
async fn a_rollout_that_is_stuck_says_why() {
    let Some(server) = flux_test_support::kube() else { return };
    let namespace = server.namespace("stuck");
    let cluster = open(&server).await;
    apply(&cluster, vec![create(0, deployment(&namespace, "web:broken"))]).await;
    let web = eventually("the rollout is given up", async || {
        let web = web(&cluster, &namespace).await;
        (web.rollout.state == RolloutState::Error).then_some(web)
    })
    .await;
    assert!(web.rollout.messages.iter().any(|m| m.contains("progress")), "{:?}", web.rollout);
    assert_eq!(web.rollout.available, 0);
}

#[tokio::test]
async fn workloads_of_all_kinds_are_read_in_one_namespace_and_in_all() {
    let Some(server) = flux_test_support::kube() else { return };
    let namespace = server.namespace("kinds");
    let cluster = open(&server).await;
    let pod = json!({ "metadata": { "labels": { "app": "x" } }, "spec": { "containers": [{ "name": "x", "image": "x:1" }] } });
    let selector = json!({ "matchLabels": { "app": "x" } });
    let object = |api: &str, kind: &str, spec: Value| {
        create(
            0,
            json!({ "apiVersion": api, "kind": kind, "metadata": { "name": "x", "namespace": namespace }, "spec": spec }),
        )
    };
    let mut job = pod.clone();
    job["spec"]["restartPolicy"] = json!("Never");
    apply(
        &cluster,
        vec![
            object("apps/v1", "DaemonSet", json!({ "selector": selector, "template": pod })),
            object("apps/v1", "Deployment", json!({ "selector": selector, "template": pod, "replicas": 0 })),
            object(
                "apps/v1",
                "StatefulSet",
                json!({ "selector": selector, "template": pod, "serviceName": "x" }),
            ),
            object(
                "batch/v1",
                "CronJob",
                json!({ "schedule": "0 0 1 1 *", "jobTemplate": { "spec": { "template": job } } }),
            ),
        ],
    )
    .await;
    for within in [Some(namespace.as_str()), None] {
        let seen = cluster.workloads(within).await.unwrap();
        assert!(seen.completeness.is_complete());
        let here: Vec<_> = seen.value.iter().filter(|w| w.id.namespace() == namespace).collect();
        let kinds: Vec<&str> = here.iter().map(|w| w.id.kind()).collect();
        assert_eq!(kinds, ["cronjob", "daemonset", "deployment", "statefulset"]);
        assert!(here.iter().all(|w| w.containers[0].image == "x:1"));
    }
    eventually("all are ready", async || {
        let workloads = cluster.workloads(Some(&namespace)).await.unwrap().value;
        workloads.iter().all(|w| w.rollout.state == RolloutState::Ready).then_some(())
    })
    .await;
}
