//! Observes the workloads that run.

use flux_core::{
    Object,
    backend::{ClusterWorkload, Observation},
};
use kube::core::ApiResource;

use crate::{
    cluster::KubeCluster,
    failure::Failure,
    gaps::Gaps,
    watch::{Selection, WatchKey, healths},
    workload::workload,
};

/// The kinds of workloads: group, version, kind, plural.
const KINDS: [(&str, &str, &str, &str); 4] = [
    ("apps", "v1", "Deployment", "deployments"),
    ("apps", "v1", "DaemonSet", "daemonsets"),
    ("apps", "v1", "StatefulSet", "statefulsets"),
    ("batch", "v1", "CronJob", "cronjobs"),
];

/// The kinds of workloads.
pub(crate) fn kinds() -> impl Iterator<Item = ApiResource> {
    KINDS.into_iter().map(|(group, version, kind, plural)| ApiResource {
        group: group.to_owned(),
        version: version.to_owned(),
        api_version: format!("{group}/{version}"),
        kind: kind.to_owned(),
        plural: plural.to_owned(),
    })
}

impl KubeCluster {
    /// The workloads of a namespace or of all.
    pub(crate) async fn observe_workloads(
        &self,
        namespace: Option<&str>,
    ) -> Result<Observation<Vec<ClusterWorkload>>, Failure> {
        let mut watches = Vec::new();
        let namespaces: Vec<Option<String>> = match namespace {
            Some(namespace) => vec![Some(namespace.to_owned())],
            None => self.everywhere(),
        };
        for resource in kinds() {
            // What is watched everywhere need not be watched in one namespace too.
            let everywhere = Selection::Workloads { namespace: None };
            let key = WatchKey::new(&resource, everywhere);
            if let Some(watch) = self.watches.get(&key) {
                watches.push((key, watch));
                continue;
            }
            for namespace in &namespaces {
                let selection = Selection::Workloads { namespace: namespace.clone() };
                let watch = self.watches.start(&self.http, &resource, selection.clone());
                watches.push((WatchKey::new(&resource, selection), watch));
            }
        }
        let mut gaps = Gaps::default();
        let mut found = Vec::new();
        for (key, health) in healths(watches.clone()).await? {
            let what = key.name();
            if gaps.judge(key.group_kind(), &what, health)? {
                gaps.described(key.group_kind(), format!("{what}: the server does not have this kind"));
            }
        }
        for (_, watch) in watches {
            watch.with(|store| {
                let here = |object: &&Object| namespace.is_none_or(|ns| object.namespace() == Some(ns));
                found.extend(store.iter().filter(here).map(|object| workload(&object.value())));
            });
        }
        found.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(Observation {
            value: found,
            completeness: gaps.completeness().0,
            authority: self.http.target.user.clone(),
        })
    }
}
