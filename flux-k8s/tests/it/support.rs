//! Plans made by hand, and clusters whose requests are counted.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use flux_core::{
    backend::{Cluster as _, Observed, Scope, Wanted},
    manifest::ResourceId,
    sync::{Action, MARK_LABEL, Outcome, Reason, ResourceReport, Step, SyncPlan, SyncReport},
};
use flux_k8s::KubeCluster;
use flux_test_support::KubeServer;
use kube::{
    Config,
    client::{Body, ClientBuilder},
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::{Value, json};
use tower::util::MapRequestLayer;

pub(crate) async fn open(server: &KubeServer) -> KubeCluster {
    KubeCluster::builder().kubeconfig(server.kubeconfig()).open().await.unwrap()
}

/// A cluster, and the number of requests that it made other than watches.
pub(crate) async fn counted(server: &KubeServer) -> (KubeCluster, Arc<AtomicUsize>) {
    let kubeconfig = Kubeconfig::read_from(server.kubeconfig()).unwrap();
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    config.default_retry = false;
    config.proxy_url = None;
    let count = Arc::new(AtomicUsize::new(0));
    let counter = count.clone();
    let layer = MapRequestLayer::new(move |request: http::Request<Body>| {
        if !request.uri().query().unwrap_or_default().contains("watch=true") {
            counter.fetch_add(1, Ordering::SeqCst);
        }
        request
    });
    let client = ClientBuilder::try_from(config).unwrap().with_layer(&layer).build();
    (KubeCluster::from_client(client, "default"), count)
}

/// An object with the mark.
pub(crate) fn marked(mut object: Value) -> Value {
    object["metadata"]["labels"][MARK_LABEL] = json!("test");
    object
}

pub(crate) fn config_map(namespace: &str, name: &str, value: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": name, "namespace": namespace },
        "data": { "key": value },
    })
}

pub(crate) fn id(object: &Value) -> ResourceId {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let api_version = text("/apiVersion").unwrap();
    ResourceId {
        namespace: text("/metadata/namespace"),
        kind: text("/kind").unwrap(),
        name: text("/metadata/name").unwrap(),
        group: api_version.split_once('/').map_or("", |(group, _)| group).to_owned(),
    }
}

fn step(object: &Value, stage: u8, action: Action, reason: Reason) -> Step {
    Step::new(id(object), object["apiVersion"].as_str().unwrap(), stage, action, reason)
}

pub(crate) fn create(stage: u8, object: Value) -> Step {
    step(&object.clone(), stage, Action::Create { object: Arc::new(object) }, Reason::NotInCluster)
}

pub(crate) fn change(stage: u8, object: Value) -> Step {
    let action = Action::Apply { object: Arc::new(object.clone()), content_equal: false };
    step(&object, stage, action, Reason::ChangedInGit)
}

pub(crate) fn leave(object: &Value) -> Step {
    step(object, 0, Action::Leave, Reason::UpToDate)
}

/// Deletes an object as it was observed.
pub(crate) fn prune(observed: &Value) -> Step {
    let text = |key: &str| observed["metadata"][key].as_str().map(str::to_owned);
    let action = Action::Prune { uid: text("uid"), resource_version: text("resourceVersion") };
    step(observed, 0, action, Reason::NotInGit)
}

pub(crate) fn plan(steps: Vec<Step>) -> SyncPlan {
    SyncPlan::new(steps)
}

pub(crate) fn scope<'a>(objects: impl IntoIterator<Item = &'a Value>) -> Scope {
    let wanted = objects.into_iter().map(|object| {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        Wanted {
            api_version: text("/apiVersion").unwrap(),
            kind: text("/kind").unwrap(),
            namespace: text("/metadata/namespace"),
            name: text("/metadata/name").unwrap(),
        }
    });
    Scope { wanted: wanted.collect() }
}

/// Applies steps and expects that none fails.
pub(crate) async fn apply(cluster: &KubeCluster, steps: Vec<Step>) -> SyncReport {
    let report = cluster.apply(&plan(steps), &()).await.unwrap();
    assert!(report.resources.iter().all(|r| r.outcome != Outcome::Failed), "{report:#?}");
    report
}

/// The outcomes by name.
pub(crate) fn outcomes(report: &SyncReport) -> Vec<(&str, Outcome)> {
    report.resources.iter().map(|r| (r.id.name.as_str(), r.outcome)).collect()
}

pub(crate) fn of<'a>(report: &'a SyncReport, name: &str) -> &'a ResourceReport {
    report.resources.iter().find(|r| r.id.name == name).unwrap()
}

/// The names of what was observed in a namespace.
pub(crate) fn names(observed: &Observed, namespace: &str) -> Vec<String> {
    let here = observed.objects.keys().filter(|id| id.namespace.as_deref() == Some(namespace));
    here.map(|id| id.name.clone()).collect()
}

/// Polls until a condition holds; a watch delivers the changes of others within moments.
pub(crate) async fn eventually<T>(what: &str, mut holds: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..200 {
        if let Some(value) = holds().await {
            return value;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("within 10 s it did not come true that {what}");
}
