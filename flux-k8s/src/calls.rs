//! The calls of the [`Cluster`] trait, each carried out by a module of its own.

use std::sync::Arc;

use async_trait::async_trait;
use flux_core::{
    Footprint,
    backend::{Cluster, ClusterWorkload, Observation, Observed, Pod, PodQuery, Progress, Result, Scope},
    sync::{SyncPlan, SyncReport},
};

use crate::{
    cluster::KubeCluster,
    watch::{Selection, Watch, WatchKey},
};

#[async_trait]
impl Cluster for KubeCluster {
    async fn observe(&self, scope: &Scope) -> Result<Observation<Observed>> {
        self.observe_scope(scope).await.map_err(|failure| failure.error(&self.http.target))
    }

    async fn apply(&self, plan: &SyncPlan, progress: &dyn Progress) -> Result<SyncReport> {
        self.apply_plan(plan, progress).await
    }

    fn has_changed_since(&self, version: u64) -> bool {
        self.watches.changes.version() != version
    }

    fn footprint(&self) -> Vec<Footprint> {
        let (workloads, others) = self
            .watches
            .all(|_| true)
            .into_iter()
            .partition::<Vec<_>, _>(|(key, _)| matches!(key.selection, Selection::Workloads { .. }));
        let bytes = |watches: Vec<(WatchKey, Arc<Watch>)>| -> Vec<usize> {
            let of_watch = |(_, watch): (WatchKey, Arc<Watch>)| watch.with(|store| store.footprint());
            watches.into_iter().flat_map(of_watch).collect()
        };
        vec![
            Footprint::of("watched objects", bytes(others)),
            Footprint::of("watched workloads, slimmed", bytes(workloads)),
        ]
    }

    async fn changed(&self) {
        self.watches.changes.by_others().await;
    }

    async fn status_changed(&self, since: u64) -> u64 {
        self.watches.changes.since(since).await
    }

    async fn pods(&self, query: &PodQuery) -> Result<Observation<Vec<Pod>>> {
        self.observe_pods(query).await.map_err(|failure| failure.error(&self.http.target))
    }

    async fn workloads(&self, namespace: Option<&str>) -> Result<Observation<Vec<ClusterWorkload>>> {
        self.observe_workloads(namespace).await.map_err(|failure| failure.error(&self.http.target))
    }
}
