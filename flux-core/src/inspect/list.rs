//! Listing workloads of git and the cluster, and the tags of their image repositories.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::{
    backend::RolloutState,
    deployer::{DeployError, Deployer},
    finding::Findings,
    image::{ArtifactKind, DatePreference, Dates, ImageRef, Tag},
    listing::{AvailableTag, ContainerImages, ContainerView, ImagesView, Listing, WorkloadView},
    manifest::WorkloadId,
    policy::{Candidate, Policies, Seen, TagPattern, Tagged},
    release::{self, ImageFacts, Needs, PolicyIndex},
};

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

    /// Lists, for the workloads that `wanted` takes, every tag of each container's image
    /// repository.
    ///
    /// # Errors
    /// [`DeployError`] if the repository or the cluster as a whole cannot be looked at. An image
    /// repository that cannot be read is a finding.
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
        self.gather_images(&needs, &mut facts).await;
        let mut needs = Needs::default();
        for image in &images {
            if let Some(Ok(known)) = facts.get(&image.name) {
                // The names of some artifacts tell enough.
                let named = |tag: &&Tag| ArtifactKind::named_by(tag.as_str()).is_none();
                let asked: Vec<Tag> = known.tags.iter().filter(named).cloned().collect();
                needs.details_of(&image.name, &asked);
            }
        }
        self.gather_images(&needs, &mut facts).await;
        let now = self.clock.now();

        let entries = listed
            .workloads
            .into_iter()
            .map(|(id, workload)| {
                let containers = &workload.containers;
                let containers =
                    containers.iter().map(|c| available(c, &workload.policies, &facts, now)).collect();
                ImagesView { id, containers }
            })
            .collect();
        let mut findings = listed.findings;
        findings.extend(release::image_findings(&facts));
        Ok(Listing { entries, findings })
    }

    /// Returns the workloads of git and of the cluster, of one namespace or of all.
    async fn listed(&self, namespace: Option<&str>) -> Result<Listed, DeployError> {
        let loaded = self.load().await?;
        let seen = self.cluster.workloads(namespace).await.map_err(DeployError::Cluster)?;
        let book = PolicyIndex::read(&loaded.manifests, |_| None);
        let mut findings = loaded.findings.clone();
        findings.extend(book.findings(&loaded.manifests));
        findings.extend(seen.completeness.cluster_findings());
        let mut workloads: BTreeMap<WorkloadId, ListedWorkload> = BTreeMap::new();
        for located in loaded.manifests.workloads() {
            let id = located.workload_id();
            if namespace.is_some_and(|namespace| namespace != id.namespace()) {
                continue;
            }
            let containers = located.resource.workload.iter().flatten();
            let workload = ListedWorkload {
                containers: containers
                    .map(|c| ContainerView {
                        name: c.name.clone(),
                        image: written(&c.image),
                        running: Vec::new(),
                    })
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
            workload.containers = containers
                .map(|c| ContainerView { name: c.name, image: c.image, running: Vec::new() })
                .collect();
        }
        Ok(Listed { workloads, findings })
    }
}

/// The workloads of git and of the cluster.
struct Listed {
    workloads: BTreeMap<WorkloadId, ListedWorkload>,
    findings: Findings,
}

/// A workload: its containers as the cluster runs them, or as git has them when the cluster does
/// not have it.
#[derive(Default)]
struct ListedWorkload {
    containers: Vec<ContainerView>,
    status: RolloutState,
    policies: Policies,
}

fn available(
    container: &ContainerView,
    policies: &Policies,
    facts: &ImageFacts,
    now: Timestamp,
) -> ContainerImages {
    let image: Option<ImageRef> = container.image.parse().ok();
    let known = image.as_ref().and_then(|image| facts.get(&image.name)).and_then(|known| known.as_ref().ok());
    let prefer = match known {
        Some(known) if !policies.label_dates => known.dates,
        _ => DatePreference::Labels,
    };
    let dates = Dates { prefer, now };
    let pattern = policies.pattern(&container.name).ok();
    let order = pattern.clone().unwrap_or_else(TagPattern::any);
    let mut tags: Vec<AvailableTag> = known
        .into_iter()
        .flat_map(|known| known.tags.iter().map(move |tag| (tag, known.images.get(tag))))
        .map(|(tag, info)| {
            let artifact = Tagged { tag, seen: info.map_or(Seen::NotAsked, Seen::from) }.artifact();
            let info = info.and_then(|info| info.as_ref().ok());
            AvailableTag {
                tag: tag.clone(),
                artifact,
                created: info.and_then(|info| dates.built(info).ok()),
                digest: info.and_then(|info| info.digest.clone()),
                matches: artifact.is_none() && pattern.as_ref().is_some_and(|p| p.matches(tag.as_str())),
            }
        })
        .collect();
    tags.sort_by(|a, b| {
        let artifacts_last = a.artifact.is_some().cmp(&b.artifact.is_some());
        artifacts_last.then_with(|| order.newest_first(&candidate(a), &candidate(b)))
    });
    ContainerImages { name: container.name.clone(), current: container.image.clone(), available: tags }
}

fn candidate(tag: &AvailableTag) -> Candidate<'_> {
    Candidate { tag: tag.tag.as_str(), created: tag.created }
}

/// Returns the image as written, whether or not it can be parsed.
fn written(image: &Result<ImageRef, crate::manifest::BadImage>) -> String {
    image.as_ref().map_or_else(|bad| bad.text.clone(), ToString::to_string)
}
