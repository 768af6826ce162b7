//! The suite on the cluster in memory, and on what is laid around it.

#![expect(clippy::expect_used, reason = "a conformance suite reports by panicking")]

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use serde_json::{Value, json};

use super::fixture::ClusterFixture;
use crate::{backend::Cluster, manifest::ResourceId, memory::MemoryCluster};

/// The fixture of [`MemoryCluster`], and of a layer around it.
pub struct MemoryFixture {
    memory: Arc<MemoryCluster>,
    cluster: Arc<dyn Cluster>,
}

impl MemoryFixture {
    /// Makes the fixture of the cluster in memory itself.
    pub fn new() -> Self {
        Self::around(|cluster| cluster)
    }

    /// Makes the fixture of something around the cluster in memory.
    pub fn around(wrap: impl FnOnce(Arc<MemoryCluster>) -> Arc<dyn Cluster>) -> Self {
        let memory = Arc::new(MemoryCluster::new());
        Self { cluster: wrap(Arc::clone(&memory)), memory }
    }
}

impl Default for MemoryFixture {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryFixture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryFixture").field("cluster", &self.cluster).finish()
    }
}

/// Changes a value by a JSON merge patch (RFC 7386).
fn merge_patch(value: &mut Value, patch: &Value) {
    let Value::Object(fields) = patch else {
        *value = patch.clone();
        return;
    };
    if !value.is_object() {
        *value = json!({});
    }
    for (key, patch) in fields {
        match (value.as_object_mut(), patch) {
            (Some(object), Value::Null) => drop(object.remove(key)),
            (Some(object), patch) => merge_patch(object.entry(key.as_str()).or_insert(Value::Null), patch),
            (None, _) => {}
        }
    }
}

#[async_trait]
impl ClusterFixture for MemoryFixture {
    fn cluster(&self) -> Arc<dyn Cluster> {
        Arc::clone(&self.cluster)
    }

    fn namespace(&self) -> &str {
        "conformance"
    }

    async fn get(&self, id: &ResourceId) -> Option<Value> {
        self.memory.get(id)
    }

    async fn create_by_hand(&self, object: Value) {
        self.memory.create(object).expect("the object can be created");
    }

    async fn edit_by_hand(&self, id: &ResourceId, patch: Value) {
        self.memory.edit(id, |object| merge_patch(object, &patch)).expect("the object is there");
    }

    async fn delete_by_hand(&self, id: &ResourceId) {
        assert!(self.memory.delete(id), "{id} is there");
    }

    async fn scale_by_controller(&self, id: &ResourceId, replicas: i64) {
        let scale = |object: &mut Value| object["spec"]["replicas"] = replicas.into();
        let scaled = self.memory.edit_as("kube-controller-manager", Some("scale"), id, scale);
        scaled.expect("the object is there");
    }

    async fn set_status_by_controller(&self, id: &ResourceId, status: Value) {
        let set = |object: &mut Value| object["status"] = status.clone();
        self.memory.edit_as("kubelet", Some("status"), id, set).expect("the object is there");
    }

    async fn pause(&self) {}
}

#[cfg(test)]
mod tests {
    crate::cluster_conformance!(async || Some(super::MemoryFixture::new()));
}
