//! The health of what is synced, on a real API server with its controllers and scheduler.
//!
//! The kubelet is simulated: a container whose image has `:broken` in its name waits for its image
//! for ever, all others are ready at once.

use std::{
    sync::{Mutex, atomic::Ordering},
    time::Duration,
};

use async_trait::async_trait;
use flux_core::{
    backend::{Cluster as _, layers::Sleeper},
    deployer::{HealthProgress, WaitOptions, WaitReport},
    health::{Health, HealthStatus, WaitOutcome, health_of},
    manifest::ResourceId,
    sync::SyncOptions,
};
use flux_k8s::KubeCluster;
use serde_json::{Value, json};

use crate::support::{Team, counted, eventually, id, scope};

#[derive(Debug)]
struct Time;

#[async_trait]
impl Sleeper for Time {
    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// Keeps the statuses of the objects as they are reported.
#[derive(Default)]
struct Log(Mutex<Vec<(String, HealthStatus)>>);

impl Log {
    /// Waits until an object was reported with a status.
    async fn has(&self, name: &str, status: HealthStatus) {
        let line = (name.to_owned(), status);
        let has = async || self.0.lock().unwrap().contains(&line).then_some(());
        eventually("the status is reported", has).await;
    }
}

impl HealthProgress for Log {
    fn health(&self, id: &ResourceId, health: &Health) {
        self.0.lock().unwrap().push((id.name().to_owned(), health.status));
    }
}

fn within(seconds: u64) -> WaitOptions {
    WaitOptions {
        timeout: Duration::from_secs(seconds),
        head_interval: None,
        pod_interval: Duration::from_millis(300),
        ..WaitOptions::default()
    }
}

/// Commits objects, syncs, and waits.
async fn wait(team: &Team, objects: &[Value], options: &WaitOptions, log: &Log) -> WaitReport {
    team.commit(objects);
    let report = team.sync().await;
    team.deployer.wait_for_sync(&report, &team.options, options, &Time, log).await.unwrap()
}

fn workload(team: &Team, kind: &str, pod: &Value, more: &Value) -> Value {
    let labels = json!({ "app": "web" });
    let mut spec = json!({ "template": { "metadata": { "labels": labels }, "spec": pod } });
    if kind != "Job" {
        spec["selector"] = json!({ "matchLabels": labels });
    }
    for (key, value) in more.as_object().unwrap() {
        spec[key] = value.clone();
    }
    let api_version = if kind == "Job" { "batch/v1" } else { "apps/v1" };
    json!({ "apiVersion": api_version, "kind": kind, "metadata": { "name": "web", "namespace": team.namespace }, "spec": spec })
}

fn pod(image: &str) -> Value {
    json!({ "containers": [{ "name": "web", "image": image }] })
}

/// Returns the evidence of the only object that is not current.
fn evidence(report: &WaitReport) -> Vec<String> {
    let unhealthy: Vec<_> = report.unhealthy().collect();
    let [(_, health)] = &unhealthy[..] else { panic!("{report:#?}") };
    health.evidence.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_rollout_is_shown_until_it_is_complete() {
    let Some(server) = flux_test_support::kube() else { return };
    let team = Team::new(server, "healthy").await;
    let log = Log::default();
    let web = workload(&team, "Deployment", &pod("web:1"), &json!({ "replicas": 3 }));
    let report = wait(&team, &[web], &within(60), &log).await;
    assert_eq!(report.outcome, WaitOutcome::Healthy, "{report:#?}");
    let statuses: Vec<HealthStatus> =
        log.0.into_inner().unwrap().into_iter().map(|(_, status)| status).collect();
    assert_eq!(statuses.first(), Some(&HealthStatus::InProgress));
    assert_eq!(statuses.last(), Some(&HealthStatus::Current));
}

#[tokio::test]
async fn an_image_that_cannot_be_pulled_is_named_and_the_deadline_of_the_rollout_ends_the_wait() {
    let Some(server) = flux_test_support::kube() else { return };
    let team = Team::new(server, "image-pull").await;
    let pull = "container web: ImagePullBackOff of web:broken: Back-off pulling image \"web:broken\"";
    let web = workload(&team, "Deployment", &pod("web:broken"), &json!({ "replicas": 2 }));
    let report = wait(&team, &[web], &within(3), &Log::default()).await;
    assert_eq!(report.outcome, WaitOutcome::TimedOut);
    let [one] = &evidence(&report)[..] else { panic!("{report:#?}") };
    assert!(
        one.starts_with("image-pull: pod web-") && one.contains(pull) && one.ends_with("(and 1 more pod)"),
        "{one}"
    );

    let more = json!({ "replicas": 2, "progressDeadlineSeconds": 1 });
    let web = workload(&team, "Deployment", &pod("web:broken"), &more);
    let report = wait(&team, &[web], &within(60), &Log::default()).await;
    assert_eq!(report.outcome, WaitOutcome::Failed);
    let [deadline, image] = &evidence(&report)[..] else { panic!("{report:#?}") };
    assert!(deadline.starts_with("deadline-exceeded: ProgressDeadlineExceeded: "), "{deadline}");
    assert!(image.contains(pull), "{image}");
}

#[tokio::test]
async fn a_pod_that_fits_nowhere_is_reported_in_the_words_of_the_scheduler() {
    let Some(server) = flux_test_support::kube() else { return };
    let team = Team::new(server, "unschedulable").await;
    let mut pod = pod("web:1");
    pod["containers"][0]["resources"] = json!({ "requests": { "cpu": "1000000" } });
    for kind in ["Deployment", "StatefulSet"] {
        let more = if kind == "StatefulSet" { json!({ "serviceName": "web" }) } else { json!({}) };
        let report = wait(&team, &[workload(&team, kind, &pod, &more)], &within(4), &Log::default()).await;
        assert_eq!(report.outcome, WaitOutcome::TimedOut);
        let [one] = &evidence(&report)[..] else { panic!("{report:#?}") };
        assert!(one.starts_with("unschedulable: pod web-") && one.contains("Insufficient cpu"), "{one}");
    }
}

#[tokio::test]
async fn a_job_fails_by_its_deadline_and_another_completes() {
    let Some(server) = flux_test_support::kube() else { return };
    let team = Team::new(server, "job").await;
    let mut broken = pod("web:broken");
    broken["restartPolicy"] = json!("Never");
    let job = workload(&team, "Job", &broken, &json!({ "activeDeadlineSeconds": 1 }));
    let report = wait(&team, &[job], &within(60), &Log::default()).await;
    assert_eq!(report.outcome, WaitOutcome::Failed);
    let first = evidence(&report).into_iter().next().unwrap();
    assert!(first.starts_with("deadline-exceeded: DeadlineExceeded: "), "{first}");

    let mut good = broken;
    good["containers"][0]["image"] = json!("web:1");
    let mut job = workload(&team, "Job", &good, &json!({}));
    job["metadata"]["name"] = json!("good");
    let report = wait(&team, &[job], &within(60), &Log::default()).await;
    assert_eq!(report.outcome, WaitOutcome::Healthy, "{report:#?}");

    // One that its own time limit takes away has ended as it was seen last; it may be gone before
    // that was seen.
    for (name, limit) in [("short", 30), ("at-once", 0)] {
        let mut job = workload(&team, "Job", &good, &json!({ "ttlSecondsAfterFinished": limit }));
        job["metadata"]["name"] = json!(name);
        let report = wait(&team, &[job], &within(60), &Log::default()).await;
        let unseen = report.healths.values().any(|health| health.message.contains("was not seen"));
        let expected = if unseen { WaitOutcome::Failed } else { WaitOutcome::Healthy };
        assert_eq!(report.outcome, expected, "{report:#?}");
        assert!(!unseen || limit == 0, "{report:#?}");
    }
}

#[tokio::test]
async fn a_definition_is_waited_for_with_the_objects_of_its_kind() {
    let Some(server) = flux_test_support::kube() else { return };
    let team = Team::new(server, "definition").await;
    let group = format!("{}.example.com", team.namespace);
    let schema = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    let definition = json!({ "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": format!("widgets.{group}") },
        "spec": { "group": group, "scope": "Namespaced", "names": { "kind": "Widget", "plural": "widgets" },
            "versions": [{ "name": "v1", "served": true, "storage": true, "subresources": { "status": {} },
                "schema": { "openAPIV3Schema": schema } }] } });
    let widget = json!({ "apiVersion": format!("{group}/v1"), "kind": "Widget",
        "metadata": { "name": "w", "namespace": team.namespace }, "spec": { "size": 1 } });
    let objects = [definition.clone(), widget.clone()];
    let report = wait(&team, &objects, &within(60), &Log::default()).await;
    assert_eq!(report.outcome, WaitOutcome::Healthy, "{report:#?}");

    // Its controller, here the test, says that it is not ready, and then that it is.
    let status = |ready: &str| {
        let status =
            json!({ "status": { "conditions": [{ "type": "Ready", "status": ready, "reason": "Here" }] } });
        let resource = format!("widgets.{group}");
        team.kubectl(&[
            "patch",
            &resource,
            "w",
            "--subresource=status",
            "--type=merge",
            "-p",
            &status.to_string(),
        ]);
    };
    status("False");
    team.seen(&widget).await;
    let (log, options) = (Log::default(), within(60));
    let controller = async {
        log.has("w", HealthStatus::InProgress).await;
        status("True");
    };
    let (report, ()) = futures::join!(wait(&team, &objects, &options, &log), controller);
    assert_eq!(report.outcome, WaitOutcome::Healthy, "a change of the status alone wakes the wait");
    let widget: Vec<_> = log.0.into_inner().unwrap().into_iter().filter(|(name, _)| name == "w").collect();
    let statuses: Vec<_> = widget.iter().map(|(_, status)| *status).collect();
    assert_eq!(statuses, [HealthStatus::InProgress, HealthStatus::Current]);
    team.kubectl(&["delete", "crd", &format!("widgets.{group}"), "--wait=false"]);
}

#[tokio::test]
async fn a_namespace_that_cannot_go_names_the_finalizers_that_hold_it() {
    let Some(server) = flux_test_support::kube() else { return };
    let team = Team::new(server, "terminating").await;
    let held = json!({ "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": "held", "namespace": team.namespace, "finalizers": ["example.com/hold"] } });
    team.kubectl_with(&["create", "-f", "-"], &held);
    team.kubectl(&["delete", "namespace", &team.namespace, "--wait=false"]);
    let namespace =
        json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": team.namespace } });
    let mut health = Health::new(HealthStatus::Unknown, "");
    // Its controller takes some seconds to say what is left.
    for _ in 0..600 {
        let seen = team.cluster.observe(&scope([&namespace])).await.unwrap();
        health = health_of(seen.value.objects.get(&id(&namespace)).map(flux_core::Object::value).as_ref());
        if health.evidence.iter().any(|one| one.message.contains("example.com/hold")) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(health.status, HealthStatus::Terminating);
    let evidence: Vec<String> = health.evidence.iter().map(ToString::to_string).collect();
    let says =
        |code: &str, words: &str| evidence.iter().any(|one| one.starts_with(code) && one.contains(words));
    assert!(says("finalizers", "example.com/hold in 1 resource instances"), "{evidence:#?}");
    assert!(says("condition", "configmaps. has 1 resource instances"), "{evidence:#?}");
    let free = json!({ "metadata": { "finalizers": null } }).to_string();
    team.kubectl(&["patch", "configmap", "held", "--type=merge", "-p", &free]);
}

#[tokio::test]
async fn what_is_pruned_is_waited_for_until_it_is_gone() {
    let Some(server) = flux_test_support::kube() else { return };
    let team = Team::new(server, "pruned").await;
    let map = |name: &str| json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name, "namespace": team.namespace } });
    team.settle(&[map("stays"), map("goes")]).await;
    let finalizers = |finalizers: Value| {
        let patch = json!({ "metadata": { "finalizers": finalizers } }).to_string();
        team.kubectl(&["patch", "configmap", "goes", "--type=merge", "-p", &patch]);
    };
    finalizers(json!(["example.com/hold"]));
    team.seen(&map("goes")).await;
    let (log, options) = (Log::default(), within(60));
    let controller = async {
        log.has("goes", HealthStatus::Terminating).await;
        finalizers(Value::Null);
    };
    let stays = [map("stays")];
    let (report, ()) = futures::join!(wait(&team, &stays, &options, &log), controller);
    assert_eq!(report.outcome, WaitOutcome::Healthy, "{report:#?}");
    let log = log.0.into_inner().unwrap();
    assert!(log.contains(&("goes".to_owned(), HealthStatus::Terminating)), "{log:?}");
    assert!(log.contains(&("goes".to_owned(), HealthStatus::Current)), "{log:?}");
}

#[tokio::test]
async fn a_crash_loop_is_told_by_its_exit_code_and_not_by_what_the_container_said() {
    let Some(server) = flux_test_support::kube() else { return };
    let team = Team::new(server, "crash-loop").await;
    // Nobody schedules it, so that nobody else sets its status.
    let mut alone = pod("web:1");
    alone["schedulerName"] = json!("nobody");
    let web = workload(&team, "Deployment", &alone, &json!({ "replicas": 1 }));
    let options = within(4);
    let kubelet = async {
        let name = eventually("there is a pod", async || {
            let name = team.kubectl(&["get", "pods", "-o", "jsonpath={.items[*].metadata.name}"]);
            (!name.is_empty()).then_some(name)
        })
        .await;
        let status = json!({ "status": { "phase": "Running", "containerStatuses": [{
            "name": "web", "image": "web:1", "imageID": "", "ready": false, "restartCount": 5,
            "state": { "waiting": { "reason": "CrashLoopBackOff", "message": "back-off 2m40s" } },
            "lastState": { "terminated": { "exitCode": 3, "reason": "Error", "message": "password hunter2 is wrong" } } }] } });
        let status = status.to_string();
        team.kubectl(&["patch", "pod", &name, "--subresource=status", "--type=merge", "-p", &status]);
    };
    let (log, objects) = (Log::default(), [web]);
    let (report, ()) = futures::join!(wait(&team, &objects, &options, &log), kubelet);
    let [one] = &evidence(&report)[..] else { panic!("{report:#?}") };
    assert!(one.ends_with("container web: it ended with exit code 3; started again 5 times"), "{one}");
    assert!(one.starts_with("crash-loop: pod web-"), "{one}");
}

#[tokio::test]
async fn a_wait_in_which_nothing_changes_asks_for_pods_and_for_nothing_else() {
    let Some(server) = flux_test_support::kube() else { return };
    let (cluster, requests) = counted(&server).await;
    let team = Team::with_cluster(server, "quiet", cluster);
    let map = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "m", "namespace": team.namespace } });
    let web = workload(&team, "Deployment", &pod("web:broken"), &json!({ "replicas": 1 }));
    let objects = [web, map];
    team.commit(&objects);
    let report = team.sync().await;
    let short = WaitOptions { pod_interval: Duration::from_secs(60), ..within(2) };
    let wait = async || {
        let before = requests.load(Ordering::SeqCst);
        let report = team.deployer.wait_for_sync(&report, &team.options, &short, &Time, &()).await.unwrap();
        assert_eq!(report.outcome, WaitOutcome::TimedOut);
        requests.load(Ordering::SeqCst) - before
    };
    wait().await;
    assert_eq!(wait().await, 1, "one question for pods, when the time is over");
}

#[tokio::test]
async fn without_the_right_to_list_pods_all_else_is_known() {
    let Some(server) = flux_test_support::kube() else { return };
    let namespace = server.namespace("restricted-health");
    let builder = KubeCluster::builder().kubeconfig(server.restricted_kubeconfig());
    let cluster = builder.limited_to([namespace.clone()]).open().await.unwrap();
    let mut team = Team::with_cluster(server, "restricted-other", cluster);
    team.namespace.clone_from(&namespace);
    team.options = SyncOptions { namespaces: Some(vec![namespace]), ..team.options.clone() };
    let web = workload(&team, "Deployment", &pod("web:broken"), &json!({ "replicas": 1 }));
    team.commit(std::slice::from_ref(&web));
    let mut role = json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
        "metadata": { "name": "sync", "namespace": team.namespace }, "rules": team.rules().await });
    team.kubectl_with(&["create", "-f", "-"], &role);
    let user = format!("--user={}", team.server.restricted_user());
    team.kubectl(&["create", "rolebinding", "sync", "--role=sync", &user]);
    let report = wait(&team, std::slice::from_ref(&web), &within(2), &Log::default()).await;
    let [one] = &evidence(&report)[..] else { panic!("{report:#?}") };
    assert!(one.starts_with("pods-unseen: ") && one.contains(team.server.restricted_user()), "{one}");

    let pods = json!({ "apiGroups": [""], "resources": ["pods"], "verbs": ["list"] });
    role["rules"].as_array_mut().unwrap().push(pods);
    team.kubectl_with(&["apply", "--server-side", "--force-conflicts", "-f", "-"], &role);
    eventually("the right is known", async || {
        let report = wait(&team, std::slice::from_ref(&web), &within(1), &Log::default()).await;
        evidence(&report)[0].starts_with("image-pull: ").then_some(())
    })
    .await;
}
