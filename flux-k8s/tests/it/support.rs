//! Plans made by hand, and clusters whose requests are counted.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use flux_core::{
    backend::{Cluster as _, Observed, Scope, Wanted},
    deployer::Deployer,
    manifest::ResourceId,
    memory::{MemoryRegistry, MemoryRepo},
    sync::{
        Action, MARK_LABEL, Outcome, Reason, ResourceReport, Step, SyncOptions, SyncPlan, SyncReport, SyncSet,
    },
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
    (KubeCluster::from_client(client), count)
}

/// An object with the mark.
pub(crate) fn marked(mut object: Value) -> Value {
    object["metadata"]["labels"][MARK_LABEL] = json!("test");
    object
}

/// A team: a repository in memory, and a deployer between it and a real API server.
pub(crate) struct Team {
    pub(crate) server: KubeServer,
    pub(crate) namespace: String,
    pub(crate) cluster: Arc<KubeCluster>,
    pub(crate) options: SyncOptions,
    repo: MemoryRepo,
    pub(crate) deployer: Deployer,
}

impl Team {
    pub(crate) async fn new(server: KubeServer, name: &str) -> Self {
        let cluster = open(&server).await;
        Self::with_cluster(server, name, cluster)
    }

    pub(crate) fn with_cluster(server: KubeServer, name: &str, cluster: KubeCluster) -> Self {
        let namespace = server.namespace(name);
        Self::of(server, namespace, cluster)
    }

    /// A team with a namespace that is there already.
    pub(crate) fn of(server: KubeServer, namespace: String, cluster: KubeCluster) -> Self {
        let cluster = Arc::new(cluster);
        let repo = MemoryRepo::new([("all.yaml", "")]);
        let deployer = deployer(&repo, cluster.clone());
        let options = SyncOptions { prune: true, ..SyncOptions::new(SyncSet::new(namespace.clone())) };
        Self { server, namespace, cluster, options, repo, deployer }
    }

    /// Returns a deployer between the same repository and another cluster.
    pub(crate) fn deployer_with(&self, cluster: KubeCluster) -> Deployer {
        deployer(&self.repo, Arc::new(cluster))
    }

    /// Commits the objects as all that git has.
    pub(crate) fn commit(&self, objects: &[Value]) {
        let documents: Vec<String> = objects.iter().map(ToString::to_string).collect();
        self.repo.push_file("all.yaml", documents.join("\n---\n"), "Change");
    }

    pub(crate) async fn plan(&self) -> SyncPlan {
        self.deployer.plan_sync(&self.options).await.unwrap()
    }

    /// Returns the rules of the least Role for what git has, as a manifest has them.
    pub(crate) async fn rules(&self) -> Vec<Value> {
        let rules = self.deployer.access(&self.options).await.unwrap();
        let rules = rules.iter().filter(|rule| rule.namespace.as_deref() == Some(&self.namespace));
        rules
            .map(|rule| json!({"apiGroups": [rule.api_group], "resources": [rule.resource], "verbs": rule.verbs}))
            .collect()
    }

    /// Syncs, and expects that nothing fails.
    pub(crate) async fn sync(&self) -> SyncReport {
        let report = self.deployer.sync(&self.options, &()).await.unwrap();
        assert!(report.resources.iter().all(|r| r.outcome != Outcome::Failed), "{report}");
        report
    }

    /// Syncs, whatever becomes of it.
    pub(crate) async fn try_sync(&self) -> SyncReport {
        self.deployer.sync(&self.options, &()).await.unwrap()
    }

    /// Commits objects, syncs, and expects that a second sync has nothing to send.
    pub(crate) async fn settle(&self, objects: &[Value]) -> SyncReport {
        self.commit(objects);
        let report = self.sync().await;
        let again = self.plan().await;
        assert_eq!(again.changes().map(ToString::to_string).collect::<Vec<_>>(), [""; 0], "after {report}");
        report
    }

    /// Waits until the cluster's watches have delivered the object as the API server has it.
    pub(crate) async fn seen(&self, object: &Value) {
        let key = id(object);
        let scope = scope([object]);
        eventually("the watch has caught up", async || {
            let live = self.live(object);
            let observed = self.cluster.observe(&scope).await.unwrap().value;
            let version = |object: &Value| object["metadata"]["resourceVersion"].clone();
            observed
                .objects
                .get(&key)
                .is_some_and(|seen| version(&seen.value()) == version(&live))
                .then_some(())
        })
        .await;
    }

    /// Waits until the cluster's watches have let go of an object that lost its mark.
    pub(crate) async fn seen_without_mark(&self, object: &Value) {
        let key = id(object);
        let scope = scope([object]);
        eventually("the watch has seen that the mark is gone", async || {
            let observed = self.cluster.observe(&scope).await.unwrap().value;
            let object = observed.objects.get(&key)?;
            object.value()["metadata"]["labels"].get(MARK_LABEL).is_none().then_some(())
        })
        .await;
    }

    /// Runs kubectl in the namespace.
    #[track_caller]
    pub(crate) fn kubectl(&self, args: &[&str]) -> String {
        self.server.kubectl(&[&["-n", &self.namespace], args].concat())
    }

    /// Runs kubectl in the namespace with an object on its standard input.
    #[track_caller]
    pub(crate) fn kubectl_with(&self, args: &[&str], object: &Value) -> String {
        self.server.kubectl_with(&[&["-n", &self.namespace], args].concat(), &object.to_string())
    }

    /// Returns an object as the API server has it.
    #[track_caller]
    pub(crate) fn live(&self, object: &Value) -> Value {
        let id = id(object);
        let kind = if id.group().is_empty() {
            id.kind().to_owned()
        } else {
            format!("{}.{}", id.kind(), id.group())
        };
        let text = self.kubectl(&["get", &kind, id.name(), "-o", "json", "--show-managed-fields"]);
        serde_json::from_str(&text).unwrap()
    }

    /// Edits an object as `kubectl edit` does: `script` is one of sed, over the YAML.
    pub(crate) fn kubectl_edit(&self, object: &Value, script: &str) {
        let id = id(object);
        self.server.kubectl_edit(&["-n", &self.namespace, "edit", id.kind(), id.name()], script);
    }
}

fn deployer(repo: &MemoryRepo, cluster: Arc<KubeCluster>) -> Deployer {
    Deployer::new(Arc::new(repo.clone()), Arc::new(MemoryRegistry::new()), cluster)
}

pub(crate) fn config_map(namespace: &str, name: &str, value: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": name, "namespace": namespace },
        "data": { "key": value },
    })
}

pub(crate) fn id(object: &Value) -> ResourceId {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let api_version = text("/apiVersion").unwrap();
    ResourceId::new(
        text("/metadata/namespace"),
        text("/kind").unwrap(),
        text("/metadata/name").unwrap(),
        api_version.split_once('/').map_or("", |(group, _)| group),
    )
}

fn step(object: &Value, stage: u8, action: Action, reason: Reason) -> Step {
    Step::new(id(object), object["apiVersion"].as_str().unwrap(), stage, action, reason)
}

pub(crate) fn create(stage: u8, object: Value) -> Step {
    step(
        &object.clone(),
        stage,
        Action::Create { object: object.into(), mark_if_created: None },
        Reason::NotInCluster,
    )
}

pub(crate) fn change(stage: u8, object: Value) -> Step {
    let action = Action::Apply { object: (&object).into(), content_equal: false, options: Box::default() };
    step(&object, stage, action, Reason::ChangedInGit)
}

pub(crate) fn leave(object: &Value) -> Step {
    step(object, 0, Action::Leave, Reason::UpToDate)
}

/// Deletes an object as it was observed.
pub(crate) fn prune(observed: &Value) -> Step {
    let text = |key: &str| observed["metadata"][key].as_str().map(str::to_owned);
    let action =
        Action::Prune { uid: text("uid"), resource_version: text("resourceVersion"), content: String::new() };
    step(observed, 0, action, Reason::NotInGit)
}

pub(crate) fn plan(steps: Vec<Step>) -> SyncPlan {
    SyncPlan::new(steps)
}

pub(crate) fn scope<'a>(objects: impl IntoIterator<Item = &'a Value>) -> Scope {
    let wanted = objects
        .into_iter()
        .map(|object| Wanted { api_version: object["apiVersion"].as_str().unwrap().into(), id: id(object) });
    Scope { wanted: wanted.collect(), ..Scope::default() }
}

/// Applies steps and expects that none fails.
pub(crate) async fn apply(cluster: &KubeCluster, steps: Vec<Step>) -> SyncReport {
    let report = cluster.apply(&plan(steps), &()).await.unwrap();
    assert!(report.resources.iter().all(|r| r.outcome != Outcome::Failed), "{report:#?}");
    report
}

/// The outcomes by name.
pub(crate) fn outcomes(report: &SyncReport) -> Vec<(&str, Outcome)> {
    report.resources.iter().map(|r| (r.id.name(), r.outcome)).collect()
}

pub(crate) fn of<'a>(report: &'a SyncReport, name: &str) -> &'a ResourceReport {
    report.resources.iter().find(|r| r.id.name() == name).unwrap()
}

/// The names of what was observed in a namespace.
pub(crate) fn names(observed: &Observed, namespace: &str) -> Vec<String> {
    let here = observed.objects.keys().filter(|id| id.namespace() == Some(namespace));
    here.map(|id| id.name().to_owned()).collect()
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
