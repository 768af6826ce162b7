//! What people list: workloads with what runs, and images with what could run.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::{DeployError, Deployer, release::partial_cluster};
use crate::{
    backend::RolloutState,
    finding::Finding,
    image::{Digest, ImageRef, Tag},
    manifest::{Located, WorkloadId},
    policy::{Candidate, Policies, TagPattern},
    release::{self, ImageFacts, Needs},
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
    /// Its image as git has it.
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
        let look = self.look().await?;
        let seen = self.cluster.workloads(namespace).await?;
        let mut findings = look.findings.clone();
        findings.extend(partial_cluster(&seen.completeness));
        let mut views: BTreeMap<WorkloadId, WorkloadView> = look
            .manifests
            .workloads()
            .map(|located| (located.id.workload_id(), located))
            .filter(|(id, _)| namespace.is_none_or(|n| n == id.namespace()))
            .map(|(id, located)| (id.clone(), described(id, &located)))
            .collect();
        for running in seen.value {
            let view = views.entry(running.id.clone()).or_insert_with(|| WorkloadView {
                id: running.id.clone(),
                containers: Vec::new(),
                status: RolloutState::Unknown,
                policies: BTreeMap::new(),
            });
            view.status = running.rollout.state;
            view.containers = running
                .containers
                .into_iter()
                .map(|c| ContainerView { name: c.name, image: c.image })
                .collect();
        }
        Ok(Listing { entries: views.into_values().collect(), findings })
    }

    /// Lists, for the workloads that `wanted` takes, every tag of each container's image repository.
    ///
    /// # Errors
    /// [`DeployError`] if the repository as a whole cannot be looked at. An image repository that cannot be read is a finding.
    pub async fn list_images(
        &self,
        wanted: impl Fn(&WorkloadId) -> bool,
    ) -> Result<Listing<ImagesView>, DeployError> {
        let look = self.look().await?;
        let workloads: Vec<(WorkloadId, Located<'_>)> = look
            .manifests
            .workloads()
            .map(|located| (located.id.workload_id(), located))
            .filter(|(id, _)| wanted(id))
            .collect();
        let images = || {
            workloads
                .iter()
                .flat_map(|(_, located)| located.resource.workload.iter().flatten())
                .filter_map(|container| container.image.as_ref().ok())
        };
        let mut facts = ImageFacts::default();
        let mut needs = Needs::default();
        images().for_each(|image| needs.tags_of(&image.name));
        self.ask(&needs, &mut facts).await;
        let mut needs = Needs::default();
        for image in images() {
            if let Some(Ok(known)) = facts.get(&image.name) {
                needs.details_of(&image.name, &known.tags);
            }
        }
        self.ask(&needs, &mut facts).await;

        let mut findings = look.findings.clone();
        findings.extend(release::image_findings(&facts));
        let mut entries: Vec<ImagesView> = workloads
            .iter()
            .map(|(id, located)| ImagesView {
                id: id.clone(),
                containers: available(located, &facts, &mut findings),
            })
            .collect();
        entries.sort_by(|a, b| a.id.cmp(&b.id));
        findings.sort();
        findings.dedup();
        Ok(Listing { entries, findings })
    }
}

fn described(id: WorkloadId, located: &Located<'_>) -> WorkloadView {
    let containers = located.resource.workload.iter().flatten();
    WorkloadView {
        id,
        containers: containers
            .map(|c| ContainerView { name: c.name.clone(), image: written(&c.image) })
            .collect(),
        status: RolloutState::Unknown,
        policies: Policies::of(&located.resource.annotations)
            .all
            .into_iter()
            .map(|(name, text)| (name, text.value))
            .collect(),
    }
}

fn available(located: &Located<'_>, facts: &ImageFacts, findings: &mut Vec<Finding>) -> Vec<ContainerImages> {
    let policies = Policies::of(&located.resource.annotations);
    findings.extend(policies.problems.iter().map(|problem| problem.at(located.path)));
    let containers = located.resource.workload.iter().flatten();
    containers
        .map(|container| {
            let known = container.image.as_ref().ok().and_then(|image| facts.get(&image.name));
            let pattern = policies.pattern(&container.name).ok();
            let order = pattern.clone().unwrap_or_else(TagPattern::any);
            let mut tags: Vec<AvailableTag> = match known {
                Some(Ok(known)) => known
                    .tags
                    .iter()
                    .map(|tag| {
                        let info = known.images.get(tag).and_then(|info| info.as_ref().ok());
                        AvailableTag {
                            tag: tag.clone(),
                            created: info.and_then(crate::image::ImageInfo::built),
                            digest: info.and_then(|info| info.digest.clone()),
                            matches: pattern.as_ref().is_some_and(|p| p.matches(tag.as_str())),
                        }
                    })
                    .collect(),
                _ => Vec::new(),
            };
            let candidate =
                |t: &AvailableTag| -> (String, Option<Timestamp>) { (t.tag.to_string(), t.created) };
            tags.sort_by(|a, b| {
                let (a, b) = (candidate(a), candidate(b));
                order.newest_first(
                    &Candidate { tag: &a.0, created: a.1 },
                    &Candidate { tag: &b.0, created: b.1 },
                )
            });
            ContainerImages {
                name: container.name.clone(),
                current: written(&container.image),
                available: tags,
            }
        })
        .collect()
}

/// The image as written, whether or not it can be parsed.
fn written(image: &Result<ImageRef, crate::manifest::BadImage>) -> String {
    image.as_ref().map_or_else(|bad| bad.text.clone(), ToString::to_string)
}
