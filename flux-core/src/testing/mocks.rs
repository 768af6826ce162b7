//! Mocks of the three traits: for errors that a real server does not produce on demand, and for
//! counting calls.
//!
//! The methods that take borrowed data of their own lifetimes are mocked with owned arguments:
//! expect `observe`, `apply`, `workloads` and `pods` of [`MockCluster`] with a [`Scope`], a
//! [`SyncPlan`], an owned namespace and a [`PodQuery`].

use async_trait::async_trait;
use mockall::mock;

use crate::{
    backend::{
        Change, Cluster, ClusterWorkload, Commit, ConfigRepo, ContentId, FileBody, Images, Observation,
        Observed, Pod, PodQuery, Progress, Registry, Result, Revision, Scope, Tags, Tree,
    },
    image::{ImageName, Tag},
    sync::{SyncPlan, SyncReport},
};

mock! {
    /// A mock of [`ConfigRepo`].
    #[derive(Debug)]
    pub ConfigRepo {}

    #[async_trait]
    impl ConfigRepo for ConfigRepo {
        async fn head(&self) -> Result<Revision>;
        async fn tree(&self, at: &Revision) -> Result<Tree>;
        async fn read(&self, ids: &[ContentId], limit: u64) -> Result<Vec<FileBody>>;
        async fn commit(&self, base: &Revision, change: &Change) -> Result<Revision>;
        async fn history(&self, range: &crate::backend::Range) -> Result<Vec<Commit>>;
    }
}

mock! {
    /// A mock of [`Registry`].
    #[derive(Debug)]
    pub Registry {}

    #[async_trait]
    impl Registry for Registry {
        async fn tags(&self, name: &ImageName) -> Result<Observation<Tags>>;
        async fn inspect(&self, name: &ImageName, tags: &[Tag]) -> Result<Observation<Images>>;
    }
}

mock! {
    /// A mock of [`Cluster`].
    #[derive(Debug)]
    pub Cluster {
        /// Answers [`Cluster::observe`].
        pub fn observe(&self, scope: Scope) -> Result<Observation<Observed>>;
        /// Answers [`Cluster::apply`].
        pub fn apply(&self, plan: SyncPlan) -> Result<SyncReport>;
        /// Answers [`Cluster::workloads`].
        pub fn workloads(&self, namespace: Option<String>) -> Result<Observation<Vec<ClusterWorkload>>>;
        /// Answers [`Cluster::pods`].
        pub fn pods(&self, query: PodQuery) -> Result<Observation<Vec<Pod>>>;
    }
}

#[async_trait]
impl Cluster for MockCluster {
    async fn observe(&self, scope: &Scope) -> Result<Observation<Observed>> {
        Self::observe(self, scope.clone())
    }

    async fn apply(&self, plan: &SyncPlan, progress: &dyn Progress) -> Result<SyncReport> {
        let report = Self::apply(self, plan.clone())?;
        report.resources.iter().for_each(|resource| progress.resource(resource));
        Ok(report)
    }

    /// A mock reports no changes.
    async fn changed(&self) {
        std::future::pending::<()>().await;
    }

    async fn workloads(&self, namespace: Option<&str>) -> Result<Observation<Vec<ClusterWorkload>>> {
        Self::workloads(self, namespace.map(str::to_owned))
    }

    /// A mock reports no changes.
    async fn status_changed(&self, _: u64) -> u64 {
        std::future::pending().await
    }

    async fn pods(&self, query: &PodQuery) -> Result<Observation<Vec<Pod>>> {
        Self::pods(self, query.clone())
    }
}
