//! The planner: every workload and container in scope gets its verdict, and every update its edits.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{
    ContainerVerdict, FileEdit, Needs, PlanId, Reason, ReleasePlan, Request, Selection, Snapshot, Spec, Wish,
    WorkloadVerdict,
    choice::{Chooser, Chosen},
    facts::image_findings,
    policy_findings::policy_findings,
    report::{Identity, known},
};
use crate::{
    image::ImageRef,
    manifest::{Container, Intent, Located, WorkloadId},
    policy::{Ignore, Policies},
};

/// Says what must be asked of the registries before `request` can be decided on what `snapshot` knows. Ask, add the answers to the snapshot, and call again
/// until nothing is missing; [`plan`] can be called at any time, and decides on what there is. Pure.
pub fn needs(snapshot: &Snapshot, request: &Request, now: Timestamp) -> Needs {
    let mut needs = Needs::default();
    let mut walk = Walk::new(snapshot, request, now, &mut needs);
    walk.workloads();
    needs
}

/// Decides what becomes of every workload in scope. Pure: equal inputs give equal plans, with equal ids.
pub fn plan(snapshot: &Snapshot, request: &Request, now: Timestamp) -> ReleasePlan {
    let mut missing = Needs::default();
    let mut walk = Walk::new(snapshot, request, now, &mut missing);
    walk.workloads();
    walk.named_but_unknown();
    let Walk { workloads, mut edits, intents, .. } = walk;
    edits.sort();
    let mut findings = policy_findings(&snapshot.manifests, &|_| None);
    findings.extend(image_findings(&snapshot.images));
    findings.sort();
    findings.dedup();
    let mut plan = ReleasePlan {
        id: PlanId(String::new()),
        base: snapshot.base.clone(),
        request: request.clone(),
        workloads,
        edits,
        intents,
        findings,
    };
    plan.id = Identity {
        base: &plan.base,
        request: &plan.request,
        images: known(&snapshot.images),
        workloads: &plan.workloads,
        edits: &plan.edits,
    }
    .id();
    plan
}

struct Walk<'a> {
    snapshot: &'a Snapshot,
    request: &'a Request,
    now: Timestamp,
    needs: &'a mut Needs,
    workloads: BTreeMap<WorkloadId, WorkloadVerdict>,
    edits: Vec<FileEdit>,
    intents: BTreeMap<String, Vec<Intent>>,
}

impl<'a> Walk<'a> {
    fn new(snapshot: &'a Snapshot, request: &'a Request, now: Timestamp, needs: &'a mut Needs) -> Self {
        Self {
            snapshot,
            request,
            now,
            needs,
            workloads: BTreeMap::new(),
            edits: Vec::new(),
            intents: BTreeMap::new(),
        }
    }

    fn workloads(&mut self) {
        let manifests = self.snapshot.manifests.clone();
        for located in manifests.workloads() {
            let id = located.id.workload_id();
            let policies = Policies::of(&located.resource.annotations);
            if let Some(verdict) = self.workload(&id, &located, &policies) {
                self.workloads.insert(id, verdict);
            }
        }
    }

    /// The verdict on a workload that git describes; none if it is out of the request's scope.
    fn workload(
        &mut self,
        id: &WorkloadId,
        located: &Located<'_>,
        policies: &Policies,
    ) -> Option<WorkloadVerdict> {
        let containers = located.resource.workload.as_deref().unwrap_or_default();
        if let Some(reason) = self.filtered(id, containers, policies)? {
            return Some(WorkloadVerdict::whole(reason));
        }
        let verdicts =
            containers.iter().map(|container| self.container(located, container, policies)).collect();
        Some(WorkloadVerdict::of(verdicts))
    }

    /// The first rule that decides on the workload as a whole, if any does; outer none if the workload is out of scope.
    fn filtered(
        &self,
        id: &WorkloadId,
        containers: &[Container],
        policies: &Policies,
    ) -> Option<Option<Reason>> {
        let (wish, forced) = match &self.request.spec {
            Spec::Auto if !policies.automated => return None,
            Spec::Auto => (&Wish::Latest, false),
            Spec::Image(release) => match &release.workloads {
                Selection::Named(ids) if !ids.contains(id) => return Some(Some(Reason::NotIncluded)),
                _ if release.exclude.contains(id) => return Some(Some(Reason::Excluded)),
                _ => (&release.image, release.forced()),
            },
        };
        let in_cluster = |facts: &super::ClusterFacts| !facts.complete || facts.workloads.contains(id);
        let uses = |image: &ImageRef| {
            let canonical = image.name.canonical();
            containers.iter().filter_map(|c| c.image.as_ref().ok()).any(|i| i.name.canonical() == canonical)
        };
        Some(if !self.snapshot.cluster.as_ref().is_none_or(in_cluster) {
            Some(Reason::NotInCluster)
        } else if matches!(wish, Wish::Image(image) if !uses(image)) {
            Some(Reason::DifferentImage)
        } else if policies.locked.is_some() && !forced {
            Some(Reason::Locked)
        } else if policies.ignore == Some(Ignore::True) && !forced {
            Some(Reason::IgnoredByPolicy)
        } else {
            None
        })
    }

    fn container(
        &mut self,
        located: &Located<'_>,
        container: &Container,
        policies: &Policies,
    ) -> ContainerVerdict {
        let verdict = |reason: Reason, message: String, target| ContainerVerdict {
            container: container.name.clone(),
            current: match &container.image {
                Ok(image) => image.to_string(),
                Err(bad) => bad.text.clone(),
            },
            target,
            reason,
            message,
        };
        let current = match &container.image {
            Ok(image) => image,
            Err(bad) => {
                let message = format!("`{}` is not an image reference: {}", bad.text, bad.problem);
                return verdict(Reason::InvalidImage, message, None);
            }
        };
        let chooser = Chooser {
            images: &self.snapshot.images,
            now: self.now,
            automatic: matches!(self.request.spec, Spec::Auto),
            current,
            container: &container.name,
            policies,
        };
        let chosen = match &self.request.spec {
            Spec::Image(release) => match &release.image {
                Wish::Image(image) => chooser.requested(image, release.forced(), self.needs),
                Wish::Latest => chooser.newest(self.needs),
            },
            Spec::Auto => chooser.newest(self.needs),
        };
        match chosen {
            Chosen::Left { reason, message } => verdict(reason, message, None),
            Chosen::Update { target, reason, message } => match container.edits(&target) {
                Ok(edits) => {
                    for (edit, intent) in edits {
                        self.edits.push(FileEdit { path: located.path.to_owned(), edit });
                        let intent = Intent { resource: located.index, ..intent };
                        self.intents.entry(located.path.to_owned()).or_default().push(intent);
                    }
                    verdict(reason, message, Some(target))
                }
                Err(error) => {
                    let place = format!("{}:{}:{}", located.path, container.line, container.column);
                    verdict(Reason::NotEditable, format!("{place}: {error}"), None)
                }
            },
        }
    }

    /// Verdicts on workloads that the request names and git does not describe.
    fn named_but_unknown(&mut self) {
        let Spec::Image(release) = &self.request.spec else { return };
        let Selection::Named(ids) = &release.workloads else { return };
        for id in ids {
            let runs = self.snapshot.cluster.as_ref().is_some_and(|facts| facts.workloads.contains(id));
            let reason = if runs { Reason::NotInRepository } else { Reason::NotFound };
            self.workloads.entry(id.clone()).or_insert_with(|| WorkloadVerdict::whole(reason));
        }
    }
}
