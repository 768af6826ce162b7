//! The images that run, by digest, as the pods tell them.

use std::collections::BTreeMap;

use futures::{StreamExt as _, stream};

use crate::{
    backend::{Pod, PodQuery},
    deployer::{DeployError, Deployer},
    finding::{Code, Finding},
    image::Digest,
    listing::{ContainerView, Listing, RunningImage, WorkloadView},
    manifest::WorkloadId,
};

/// How many questions for pods are under way at once.
const AT_ONCE: usize = 8;

impl Deployer {
    /// Lists workloads as [`list_workloads`](Self::list_workloads) does, with the digests that
    /// their pods run.
    ///
    /// It asks for the pods of each workload: a request for each, where the plain list needs none.
    /// Pods of several templates run several digests.
    ///
    /// # Errors
    /// As [`list_workloads`](Self::list_workloads). Pods that cannot be read are a finding.
    pub async fn list_running(&self, namespace: Option<&str>) -> Result<Listing<WorkloadView>, DeployError> {
        let mut listing = self.list_workloads(namespace).await?;
        let seen = self.cluster.workloads(namespace).await.map_err(DeployError::Cluster)?;
        let queries = seen.value.into_iter().filter_map(|workload| {
            let namespace = workload.id.namespace().to_owned();
            Some((workload.id, PodQuery { namespace, selector: workload.selector? }))
        });
        let asked = queries.map(|(id, query)| async move {
            let pods = self.cluster.pods(&query).await;
            (id, pods)
        });
        // Collected first: a stream over a borrowing iterator is not `Send`.
        let asked: Vec<_> = asked.collect();
        let mut answers = stream::iter(asked).buffer_unordered(AT_ONCE);
        let mut running = BTreeMap::new();
        while let Some((id, answer)) = answers.next().await {
            match answer {
                Ok(pods) => drop(running.insert(id, digests(&pods.value))),
                Err(error) => listing.findings.extend([unread(&id, &error.to_string())]),
            }
        }
        for view in &mut listing.entries {
            let Some(images) = running.get(&view.id) else { continue };
            view.containers.iter_mut().for_each(|container| add(container, images));
        }
        Ok(listing)
    }
}

/// By container, how many pods run each digest.
type Digests = BTreeMap<String, BTreeMap<Digest, usize>>;

fn digests(pods: &[Pod]) -> Digests {
    let mut digests = Digests::new();
    for container in pods.iter().filter(|pod| !pod.is_deleting).flat_map(|pod| &pod.containers) {
        let Some(digest) = container.digest() else { continue };
        *digests.entry(container.name.clone()).or_default().entry(digest).or_default() += 1;
    }
    digests
}

fn add(container: &mut ContainerView, images: &Digests) {
    let images = images.get(&container.name).into_iter().flatten();
    container.running = images.map(|(digest, pods)| RunningImage::new(digest.clone(), *pods)).collect();
}

fn unread(id: &WorkloadId, error: &str) -> Finding {
    Finding {
        code: Code::PartialCluster,
        subject: id.to_string(),
        place: None,
        evidence: format!("its pods could not be read: {error}"),
        remedy: "grant list on pods in its namespace".to_owned(),
    }
}
