//! The fixture that the suite is run on.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use crate::{backend::Cluster, manifest::ResourceId};

/// A cluster under test, and hands that change it behind the back of the [`Cluster`].
///
/// A change by hand has been seen by the cluster under test when the method returns: a backend that
/// watches waits for it.
#[async_trait]
pub trait ClusterFixture: Send + Sync {
    /// Returns the cluster under test.
    ///
    /// It is allowed everything that the suite does.
    fn cluster(&self) -> Arc<dyn Cluster>;

    /// Returns a namespace that exists and that nothing else uses.
    fn namespace(&self) -> &str;

    /// Returns the object as the server has it.
    async fn get(&self, id: &ResourceId) -> Option<Value>;

    /// Creates an object, as `kubectl create` does.
    async fn create_by_hand(&self, object: Value);

    /// Changes an object by a JSON merge patch, as field manager `kubectl-edit`.
    async fn edit_by_hand(&self, id: &ResourceId, patch: Value);

    /// Deletes an object; returns when it is gone.
    async fn delete_by_hand(&self, id: &ResourceId);

    /// Sets the replicas of a Deployment through its `scale` subresource, as a controller does.
    async fn scale_by_controller(&self, id: &ResourceId, replicas: i64);

    /// Sets the status of an object through its `status` subresource, as a controller does.
    async fn set_status_by_controller(&self, id: &ResourceId, status: Value);

    /// Waits a moment, in which controllers get on with their work.
    async fn pause(&self);
}
