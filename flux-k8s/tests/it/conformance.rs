//! The conformance suite of clusters, on a real API server.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use flux_core::{
    backend::{Cluster, Scope, Wanted},
    manifest::ResourceId,
    testing::cluster::ClusterFixture,
};
use flux_k8s::KubeCluster;
use flux_test_support::KubeServer;
use serde_json::{Value, json};

use crate::support::open;

struct Fixture {
    server: KubeServer,
    cluster: Arc<KubeCluster>,
    namespace: String,
}

impl Fixture {
    fn kubectl(&self, verb: &[&str], id: &ResourceId, rest: &[&str]) -> Result<String, String> {
        let mut args = vec!["-n", &self.namespace];
        args.extend(verb);
        args.extend([id.kind(), id.name()]);
        args.extend(rest);
        self.server.try_kubectl(&args)
    }

    /// Waits until the cluster under test sees an object as the server has it.
    async fn has_seen(&self, id: &ResourceId) {
        let version = |object: &Value| -> u64 {
            object["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap()
        };
        let is = self.get(id).await.as_ref().map(version);
        let api_version = if id.group().is_empty() { "v1".to_owned() } else { format!("{}/v1", id.group()) };
        let wanted = Wanted { api_version: api_version.into(), id: id.clone() };
        let scope = Scope { wanted: [wanted].into(), ..Scope::default() };
        for _ in 0..200 {
            let seen = self.cluster.observe(&scope).await.unwrap().value;
            let seen = seen.objects.get(id).map(|object| version(&object.value()));
            // Controllers may have changed it once more.
            if seen.is_some() == is.is_some() && seen >= is {
                return;
            }
            self.pause().await;
        }
        panic!("a change by hand of {id} is not seen");
    }
}

#[async_trait]
impl ClusterFixture for Fixture {
    fn cluster(&self) -> Arc<dyn Cluster> {
        self.cluster.clone()
    }

    fn namespace(&self) -> &str {
        &self.namespace
    }

    async fn get(&self, id: &ResourceId) -> Option<Value> {
        let text = self
            .kubectl(&["get"], id, &["-o", "json", "--show-managed-fields", "--ignore-not-found"])
            .unwrap();
        serde_json::from_str(&text).ok()
    }

    async fn create_by_hand(&self, object: Value) {
        let id = crate::support::id(&object);
        self.server.kubectl_with(&["create", "-f", "-"], &object.to_string());
        self.has_seen(&id).await;
    }

    async fn edit_by_hand(&self, id: &ResourceId, patch: Value) {
        let patch = patch.to_string();
        let args = ["--type=merge", "--field-manager=kubectl-edit", "-p", &patch];
        self.kubectl(&["patch"], id, &args).unwrap();
        self.has_seen(id).await;
    }

    async fn delete_by_hand(&self, id: &ResourceId) {
        self.kubectl(&["delete"], id, &["--wait"]).unwrap();
        self.has_seen(id).await;
    }

    async fn scale_by_controller(&self, id: &ResourceId, replicas: i64) {
        let patch = json!({ "spec": { "replicas": replicas } }).to_string();
        let args = [
            "--subresource=scale",
            "--type=merge",
            "--field-manager=horizontal-pod-autoscaler",
            "-p",
            &patch,
        ];
        self.kubectl(&["patch"], id, &args).unwrap();
        self.has_seen(id).await;
    }

    async fn set_status_by_controller(&self, id: &ResourceId, status: Value) {
        let patch = json!({ "status": status }).to_string();
        let args = ["--subresource=status", "--type=merge", "--field-manager=kubelet", "-p", &patch];
        self.kubectl(&["patch"], id, &args).unwrap();
        self.has_seen(id).await;
    }

    async fn pause(&self) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

flux_core::testing::cluster_conformance!(async || {
    let server = flux_test_support::kube()?;
    let namespace = server.namespace("conformance");
    let cluster = Arc::new(open(&server).await);
    Some(Fixture { server, cluster, namespace })
});
