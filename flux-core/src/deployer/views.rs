//! What people list: workloads with what runs, and images with what could run.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::{DeployError, Deployer, generate::told, release::partial_cluster};
use crate::{
    backend::RolloutState,
    finding::Finding,
    image::{Digest, ImageInfo, ImageRef, Tag},
    manifest::WorkloadId,
    policy::{Candidate, Policies, TagPattern},
    release::{self, ImageFacts, Needs, PolicyBook},
};

/// A list, and what could not be listed.
#[derive(Clone, Debug)]
pub struct Listing<T> {
    /// The entries, sorted by id.
    pub entries: Vec<T>,
    /// What could not be read.
    pub findings: Vec<Finding>,
}

/// A workload with what runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WorkloadView {
    /// Its id.
    pub id: WorkloadId,
    /// Its containers: as the cluster runs them, or as git has them when the cluster does not have the workload.
    pub containers: Vec<ContainerView>,
    /// How far its rollout is.
    pub status: RolloutState,
    /// Its policies by v1's names, with their values as written.
    pub policies: BTreeMap<String, String>,
}

/// A container with its image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ContainerView {
    /// Its name.
    pub name: String,
    /// Its image as written.
    pub image: String,
}

/// A workload with the images that its containers could run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ImagesView {
    /// Its id.
    pub id: WorkloadId,
    /// Its containers.
    pub containers: Vec<ContainerImages>,
}

/// A container with the tags of its image repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ContainerImages {
    /// Its name.
    pub name: String,
    /// Its image as the cluster runs it, or as git has it when the cluster does not have the workload.
    pub current: String,
    /// All tags, newest first by the container's pattern.
    pub available: Vec<AvailableTag>,
}

/// A tag of an image repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AvailableTag {
    /// The tag.
    pub tag: Tag,
    /// When its image was built; null if unknown.
    pub created: Option<Timestamp>,
    /// The digest that the tag points to; null if unknown.
    pub digest: Option<Digest>,
    /// Whether the container's pattern takes it.
    pub matches: bool,
}

impl Deployer {
    /// Lists the workloads of git and of the cluster, of one namespace or of all.
    ///
    /// # Errors
    /// [`DeployError`] if the repository or the cluster as a whole cannot be looked at.
    pub async fn list_workloads(
        &self,
        namespace: Option<&str>,
    ) -> Result<Listing<WorkloadView>, DeployError> {
        let listed = self.listed(namespace).await?;
        let entries = listed
            .workloads
            .iter()
            .map(|(id, workload)| WorkloadView {
                id: id.clone(),
                containers: workload.containers.clone(),
                status: workload.status,
                policies: workload.policies.all.iter().map(|(k, v)| (k.clone(), v.value.clone())).collect(),
            })
            .collect();
        Ok(Listing { entries, findings: listed.findings })
    }

    /// Lists, for the workloads that `wanted` takes, every tag of each container's image repository.
    ///
    /// # Errors
    /// [`DeployError`] if the repository or the cluster as a whole cannot be looked at. An image repository that cannot be read is a finding.
    pub async fn list_images(
        &self,
        wanted: impl Fn(&WorkloadId) -> bool,
    ) -> Result<Listing<ImagesView>, DeployError> {
        let mut listed = self.listed(None).await?;
        listed.workloads.retain(|id, _| wanted(id));
        let images: Vec<ImageRef> = listed
            .workloads
            .values()
            .flat_map(|workload| &workload.containers)
            .filter_map(|container| container.image.parse().ok())
            .collect();
        let mut facts = ImageFacts::default();
        let mut needs = Needs::default();
        images.iter().for_each(|image| needs.tags_of(&image.name));
        self.ask(&needs, &mut facts).await;
        let mut needs = Needs::default();
        for image in &images {
            if let Some(Ok(known)) = facts.get(&image.name) {
                needs.details_of(&image.name, &known.tags);
            }
        }
        self.ask(&needs, &mut facts).await;

        let entries = listed
            .workloads
            .into_iter()
            .map(|(id, workload)| {
                let containers = &workload.containers;
                let containers =
                    containers.iter().map(|c| available(c, &workload.policies, &facts)).collect();
                ImagesView { id, containers }
            })
            .collect();
        let mut findings = listed.findings;
        findings.extend(release::image_findings(&facts));
        findings.sort();
        findings.dedup();
        Ok(Listing { entries, findings })
    }

    /// What git and the cluster have, of one namespace or of all.
    async fn listed(&self, namespace: Option<&str>) -> Result<Listed, DeployError> {
        let look = self.look().await?;
        let seen = self.cluster.workloads(namespace).await.map_err(DeployError::Cluster)?;
        let book = PolicyBook::read(&look.manifests, |_| None);
        let mut findings = look.findings.clone();
        findings.extend(book.findings(&look.manifests));
        findings.extend(partial_cluster(&seen.completeness));
        told(&look.generated, &mut findings);
        findings.sort();
        findings.dedup();
        let mut workloads: BTreeMap<WorkloadId, ListedWorkload> = BTreeMap::new();
        for located in look.manifests.workloads() {
            let id = located.workload_id();
            if namespace.is_some_and(|namespace| namespace != id.namespace()) {
                continue;
            }
            let containers = located.resource.workload.iter().flatten();
            let workload = ListedWorkload {
                containers: containers
                    .map(|c| ContainerView { name: c.name.clone(), image: written(&c.image) })
                    .collect(),
                status: RolloutState::Unknown,
                policies: book.policies(&located),
            };
            workloads.insert(id, workload);
        }
        for running in seen.value {
            let workload = workloads.entry(running.id).or_default();
            workload.status = running.rollout.state;
            let containers = running.containers.into_iter();
            workload.containers =
                containers.map(|c| ContainerView { name: c.name, image: c.image }).collect();
        }
        Ok(Listed { workloads, findings })
    }
}

/// What git and the cluster have.
struct Listed {
    workloads: BTreeMap<WorkloadId, ListedWorkload>,
    findings: Vec<Finding>,
}

/// A workload: its containers as the cluster runs them, or as git has them when the cluster does not have it.
#[derive(Default)]
struct ListedWorkload {
    containers: Vec<ContainerView>,
    status: RolloutState,
    policies: Policies,
}

fn available(container: &ContainerView, policies: &Policies, facts: &ImageFacts) -> ContainerImages {
    let image: Option<ImageRef> = container.image.parse().ok();
    let known = image.as_ref().and_then(|image| facts.get(&image.name)).and_then(|known| known.as_ref().ok());
    let pattern = policies.pattern(&container.name).ok();
    let order = pattern.clone().unwrap_or_else(TagPattern::any);
    let mut tags: Vec<AvailableTag> = known
        .into_iter()
        .flat_map(|known| known.tags.iter().map(move |tag| (tag, known.images.get(tag))))
        .map(|(tag, info)| {
            let info = info.and_then(|info| info.as_ref().ok());
            AvailableTag {
                tag: tag.clone(),
                created: info.and_then(ImageInfo::built),
                digest: info.and_then(|info| info.digest.clone()),
                matches: pattern.as_ref().is_some_and(|p| p.matches(tag.as_str())),
            }
        })
        .collect();
    tags.sort_by(|a, b| order.newest_first(&candidate(a), &candidate(b)));
    ContainerImages { name: container.name.clone(), current: container.image.clone(), available: tags }
}

fn candidate(tag: &AvailableTag) -> Candidate<'_> {
    Candidate { tag: tag.tag.as_str(), created: tag.created }
}

/// The image as written, whether or not it can be parsed.
fn written(image: &Result<ImageRef, crate::manifest::BadImage>) -> String {
    image.as_ref().map_or_else(|bad| bad.text.clone(), ToString::to_string)
}
