//! Looks at the pods of a workload, once and on demand.

use flux_core::backend::{Observation, Pod, PodQuery};
use kube::core::ApiResource;

use crate::{
    cluster::KubeCluster,
    failure::{Failure, FailureKind},
    http::is_segment,
};

impl KubeCluster {
    /// The pods that a query takes. Of each page only what health needs is kept.
    pub(crate) async fn observe_pods(&self, query: &PodQuery) -> Result<Observation<Vec<Pod>>, Failure> {
        if !is_segment(&query.namespace) {
            return Err(Failure::new(
                FailureKind::Invalid,
                format!("`{}` cannot be a namespace", query.namespace),
            ));
        }
        let kind = ApiResource {
            group: String::new(),
            version: "v1".to_owned(),
            api_version: "v1".to_owned(),
            kind: "Pod".to_owned(),
            plural: "pods".to_owned(),
        };
        let mut pods = Vec::new();
        let selector = query.selector.to_string();
        let take = |page: Vec<serde_json::Value>| pods.extend(page.iter().map(Pod::of));
        self.http.pages(&kind, Some(&query.namespace), Some(&selector), take).await?;
        pods.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Observation::complete(pods, self.http.target.user.clone()))
    }
}
