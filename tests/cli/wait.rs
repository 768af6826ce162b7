//! `fluxctl sync --wait` and `fluxctl release --watch`, on a cluster that is kept in a file.

use std::fs;

use serde_json::{Value, json};

use crate::shop::Shop;

/// A shop of one Deployment, whose status the file of the cluster has.
struct Waiting {
    shop: Shop,
}

const WEB: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\nspec:\n  replicas: 2\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec: {containers: [{name: web, image: 'weaveworksdemos/cart:0.3.0'}]}\n";

impl Waiting {
    fn new() -> Self {
        let waiting = Self { shop: Shop::with(vec![("web.yaml".to_owned(), WEB.to_owned())]) };
        waiting.run(&["sync"]).exits(0);
        waiting
    }

    fn run(&self, words: &[&str]) -> crate::ran::Ran {
        let file = self.shop.path("cluster.json");
        self.shop.fluxctl(&[&["--cluster", file.to_str().expect("text")], words].concat())
    }

    /// Lets the controller of the Deployment, and the kubelet, have reported.
    fn report(&self, status: &Value, pod: Option<Value>) {
        let path = self.shop.path("cluster.json");
        let text = fs::read_to_string(&path).expect("the file is there");
        let mut list: Value = serde_json::from_str(&text).expect("JSON");
        list["items"][0]["status"] = status.clone();
        list["items"].as_array_mut().expect("a list").extend(pod);
        fs::write(path, list.to_string()).expect("the file is written");
    }
}

fn rolled_out() -> Value {
    json!({"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2})
}

fn stuck() -> Value {
    json!({"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "conditions": [
        {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded",
         "message": "ReplicaSet \"web-1\" has timed out progressing."}]})
}

const DIGEST: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000001";

fn pod() -> Value {
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "web-1-a", "namespace": "shop", "labels": {"app": "web"}},
        "spec": {"containers": [{"name": "web", "image": "weaveworksdemos/cart:0.3.0", "env": [{"name": "P", "value": "hunter2"}]}]},
        "status": {"phase": "Pending", "containerStatuses": [{
            "name": "web", "image": "weaveworksdemos/cart:0.3.0", "restartCount": 0,
            "imageID": format!("docker.io/weaveworksdemos/cart@{DIGEST}"),
            "state": {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}}}]}})
}

#[test]
fn what_is_healthy_ends_the_wait_at_once() {
    let waiting = Waiting::new();
    waiting.report(&rolled_out(), None);
    let ran = waiting.run(&["sync", "--wait"]).exits(0);
    let last = ran.stdout.lines().last().unwrap_or_default().to_owned();
    assert_eq!((last.as_str(), ran.stderr.as_str()), ("Healthy: the object is current", ""));
    let json = waiting.run(&["sync", "--wait", "-o", "json"]).exits(0).json();
    let web = json!({"id": "shop:deployment/web", "status": "Current",
        "message": "2 of 2 pods are available", "evidence": []});
    assert_eq!(json["health"], json!({"outcome": "healthy", "newer": null, "resources": [web]}));
    assert!(waiting.run(&["sync", "-o", "json"]).exits(0).json().get("health").is_none());
}

#[test]
fn a_failure_is_shown_with_its_evidence_and_exits_with_1() {
    let waiting = Waiting::new();
    waiting.report(&stuck(), Some(pod()));
    let ran = waiting.run(&["sync", "--wait"]).exits(1);
    let revision = ran.stdout.split_whitespace().skip_while(|word| *word != "to").nth(1).expect("a revision");
    let stderr = ran.stderr.replace(revision.trim_end_matches(';'), "REVISION");
    insta::assert_snapshot!(stderr, @r#"
    shop:deployment/web: Failed: the rollout does not progress: 0 of 2 pods are available
        deadline-exceeded: ProgressDeadlineExceeded: ReplicaSet "web-1" has timed out progressing.
    shop:deployment/web: Failed: the rollout does not progress: 0 of 2 pods are available
        deadline-exceeded: ProgressDeadlineExceeded: ReplicaSet "web-1" has timed out progressing.
        image-pull: pod web-1-a, container web: ImagePullBackOff of weaveworksdemos/cart:0.3.0: Back-off pulling image
    error: REVISION is not healthy: 1 of 1 objects is not current
      shop:deployment/web: Failed: the rollout does not progress: 0 of 2 pods are available
        deadline-exceeded: ProgressDeadlineExceeded: ReplicaSet "web-1" has timed out progressing.
        image-pull: pod web-1-a, container web: ImagePullBackOff of weaveworksdemos/cart:0.3.0: Back-off pulling image
    "#);
    let json = waiting.run(&["sync", "--wait", "-o", "json"]).exits(1).json();
    assert_eq!(json["health"]["outcome"], "failed");
    let codes: Vec<&Value> = json["health"]["resources"][0]["evidence"]
        .as_array()
        .expect("evidence")
        .iter()
        .map(|one| &one["code"])
        .collect();
    assert_eq!(codes, ["deadline-exceeded", "image-pull"]);
}

#[test]
fn the_deadline_ends_the_wait() {
    let waiting = Waiting::new();
    waiting.report(&json!({"observedGeneration": 1, "replicas": 2, "updatedReplicas": 1}), None);
    let ran = waiting.run(&["sync", "--wait", "--timeout", "1s"]).exits(1);
    assert!(
        ran.stderr.contains("did not become healthy within 1s: 1 of 1 objects is not current"),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr.starts_with("shop:deployment/web: InProgress: 1 of 2 pods run the newest template\n"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_release_that_nobody_syncs_says_which_image_the_cluster_has() {
    let waiting = Waiting::new();
    waiting.report(&rolled_out(), None);
    let words = [
        "release",
        "-w",
        "shop:deployment/web",
        "-i",
        "weaveworksdemos/cart:0.2.0",
        "--watch",
        "--timeout",
        "1s",
        "-o",
        "json",
    ];
    let json = waiting.run(&words).exits(1).json();
    assert!(json["revision"].is_string(), "the commit stands");
    let web = &json["health"]["resources"][0];
    assert_eq!((&json["health"]["outcome"], &web["status"]), (&"timed-out".into(), &"InProgress".into()));
    assert_eq!(
        web["evidence"],
        json!([{"code": "other-image", "subject": "container web",
            "message": "the cluster has weaveworksdemos/cart:0.3.0, and weaveworksdemos/cart:0.2.0 was released"}])
    );
    // After the sync, and its rollout, it is healthy.
    waiting.run(&["sync"]).exits(0);
    let released = [
        "release",
        "-w",
        "shop:deployment/web",
        "-i",
        "weaveworksdemos/cart:0.3.0",
        "--watch",
        "--timeout",
        "1s",
    ];
    let ran = waiting.run(&released).exits(1);
    assert!(ran.stdout.contains("Commit pushed:"), "{}", ran.stdout);
    assert!(ran.stderr.contains("is a sync under way?"), "{}", ran.stderr);
}

#[test]
fn a_dry_run_cannot_be_waited_for() {
    let waiting = Waiting::new();
    waiting.run(&["sync", "--wait", "--dry-run"]).exits(2);
    waiting.run(&["release", "--automated", "--watch", "--dry-run"]).exits(2);
}

#[test]
fn the_digests_that_run_are_listed_where_they_are_asked_for() {
    let waiting = Waiting::new();
    waiting.report(&rolled_out(), Some(pod()));
    let container = |words: &[&str]| {
        let words = [&["list-workloads", "-o", "json"], words].concat();
        waiting.run(&words).exits(0).json()[0]["containers"][0].clone()
    };
    let mut plain = json!({"name": "web", "image": "weaveworksdemos/cart:0.3.0"});
    assert_eq!(container(&[]), plain);
    plain["running"] = json!([{"digest": DIGEST, "pods": 1}]);
    assert_eq!(container(&["--digests"]), plain);
    let table = waiting.run(&["list-workloads", "--digests"]).exits(0).stdout;
    assert!(table.lines().next().is_some_and(|line| line.ends_with("RUNNING")), "{table}");
    assert!(table.contains(&format!("{DIGEST} (1)")), "{table}");
}

#[test]
fn the_role_of_a_wait_may_list_pods() {
    let waiting = Waiting::new();
    let pods = |words: &[&str]| {
        let words = [&["rbac", "-o", "json"], words].concat();
        let list = waiting.run(&words).exits(0).json();
        let rules = list["items"][0]["rules"].as_array().expect("rules").clone();
        rules.into_iter().find(|rule| rule["resources"] == json!(["pods"]))
    };
    assert_eq!(pods(&[]), None);
    assert_eq!(pods(&["--wait"]), Some(json!({"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]})));
}
