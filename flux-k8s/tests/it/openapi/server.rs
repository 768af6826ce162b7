//! Asking a real API server whether it would take an object.

use flux_test_support::KubeServer;
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
    core::{DynamicObject, GroupVersionKind},
    discovery::{ApiResource, pinned_kind},
};
use serde_json::Value;
use std::{collections::HashMap, sync::Mutex};

/// A server, and a namespace of its own for dry runs.
pub(super) struct Server {
    client: Client,
    pub(super) namespace: String,
    /// The resources of kinds, as they are asked for.
    resources: Mutex<HashMap<GroupVersionKind, (ApiResource, bool)>>,
}

impl Server {
    pub(super) async fn of(kube: &KubeServer) -> Self {
        let kubeconfig = Kubeconfig::read_from(kube.kubeconfig()).unwrap();
        let mut config =
            Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
        config.default_retry = false;
        config.proxy_url = None;
        let client = Client::try_from(config).unwrap();
        Self { client, namespace: kube.namespace("checked"), resources: Mutex::default() }
    }

    /// Applies an object on the server's side as a sync does, in a dry run; returns the refusal.
    pub(super) async fn refuses(&self, object: &Value) -> Option<String> {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let (group, version) = text("/apiVersion").split_once('/').unwrap_or(("", text("/apiVersion")));
        let kind = GroupVersionKind::gvk(group, version, text("/kind"));
        let known = self.resources.lock().unwrap().get(&kind).cloned();
        let (resource, namespaced) = match known {
            Some(known) => known,
            None => {
                let Ok((resource, capabilities)) = pinned_kind(&self.client, &kind).await else {
                    return Some(format!("there is no {kind:?}"));
                };
                let namespaced = capabilities.scope == kube::discovery::Scope::Namespaced;
                self.resources.lock().unwrap().insert(kind, (resource.clone(), namespaced));
                (resource, namespaced)
            }
        };
        let api: Api<DynamicObject> = match namespaced {
            true => Api::namespaced_with(self.client.clone(), &self.namespace, &resource),
            false => Api::all_with(self.client.clone(), &resource),
        };
        let params = PatchParams { dry_run: true, ..PatchParams::apply("flux").validation_strict().force() };
        match api.patch(text("/metadata/name"), &params, &Patch::Apply(object)).await {
            Ok(_) => None,
            Err(kube::Error::Api(status)) => Some(status.message.clone()),
            Err(other) => Some(other.to_string()),
        }
    }
}
