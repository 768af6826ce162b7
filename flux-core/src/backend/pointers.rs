//! A pointer to a backend is a backend: `Arc<T>`, `Box<T>` and `&T` for each trait.

#![deny(clippy::missing_trait_methods)]

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{
    Change, Clock, Cluster, ClusterWorkload, Commit, ConfigRepo, ContentId, FileBody, Images, Observation,
    Observed, Pod, PodQuery, Progress, Range, Registry, Result, Revision, Scope, Tags, Tree,
};
use crate::{
    footprint::Footprint,
    image::{ImageName, Tag},
    plan::{
        sync::SyncPlan,
        sync_report::{ResourceReport, SyncReport},
    },
};

macro_rules! point {
    ([$($lifetime:lifetime)?] $pointer:ty) => {
        #[async_trait]
        impl<$($lifetime,)? T: ConfigRepo + ?Sized> ConfigRepo for $pointer {
            async fn head(&self) -> Result<Revision> {
                (**self).head().await
            }

            async fn tree(&self, at: &Revision) -> Result<Tree> {
                (**self).tree(at).await
            }

            async fn read(&self, ids: &[ContentId], limit: u64) -> Result<Vec<FileBody>> {
                (**self).read(ids, limit).await
            }

            async fn commit(&self, base: &Revision, change: &Change) -> Result<Revision> {
                (**self).commit(base, change).await
            }

            async fn history(&self, range: &Range) -> Result<Vec<Commit>> {
                (**self).history(range).await
            }
        }

        #[async_trait]
        impl<$($lifetime,)? T: Registry + ?Sized> Registry for $pointer {
            async fn tags(&self, name: &ImageName) -> Result<Observation<Tags>> {
                (**self).tags(name).await
            }

            async fn inspect(&self, name: &ImageName, tags: &[Tag]) -> Result<Observation<Images>> {
                (**self).inspect(name, tags).await
            }
        }

        #[async_trait]
        impl<$($lifetime,)? T: Cluster + ?Sized> Cluster for $pointer {
            async fn observe(&self, scope: &Scope) -> Result<Observation<Observed>> {
                (**self).observe(scope).await
            }

            async fn apply(&self, plan: &SyncPlan, progress: &dyn Progress) -> Result<SyncReport> {
                (**self).apply(plan, progress).await
            }

            fn has_changed_since(&self, version: u64) -> bool {
                (**self).has_changed_since(version)
            }

            fn footprint(&self) -> Vec<Footprint> {
                (**self).footprint()
            }

            async fn changed(&self) {
                (**self).changed().await;
            }

            async fn workloads(
                &self,
                namespace: Option<&str>,
            ) -> Result<Observation<Vec<ClusterWorkload>>> {
                (**self).workloads(namespace).await
            }

            async fn status_changed(&self, since: u64) -> u64 {
                (**self).status_changed(since).await
            }

            async fn pods(&self, query: &PodQuery) -> Result<Observation<Vec<Pod>>> {
                (**self).pods(query).await
            }
        }

        impl<$($lifetime,)? T: Progress + ?Sized> Progress for $pointer {
            fn resource(&self, report: &ResourceReport) {
                (**self).resource(report);
            }
        }

        impl<$($lifetime,)? T: Clock + ?Sized> Clock for $pointer {
            fn now(&self) -> Timestamp {
                (**self).now()
            }
        }
    };
}

point!([] Arc<T>);
point!([] Box<T>);
point!(['p] &'p T);
