//! The planner: every workload and container in scope gets its verdict, and every update its edits.
//!
//! Three passes: each workload is decided on by itself; release groups are held together; what is left to do becomes edits.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{
    ContainerVerdict, Needs, PlanId, Reason, ReleasePlan, Request, Selection, Snapshot, Spec, Wish,
    WorkloadVerdict,
    book::PolicyBook,
    choice::{Chooser, Chosen},
    containers,
    draft::Draft,
    facts::image_findings,
    fields::Fields,
    groups, policies,
    report::{Identity, known},
    rollback,
};
use crate::{
    edit::{Edit, Intent},
    finding::Finding,
    generate::GeneratedChange,
    image::ImageRef,
    manifest::{Container, WorkloadId},
    manifest_set::Located,
    policy::{Policies, Stop},
    workload::Class,
};

/// Says what must be asked before `request` can be decided on what `snapshot` knows. Ask, add the answers to the snapshot, and call again
/// until nothing is missing; [`plan`] can be called at any time, and decides on what there is. Pure.
pub fn needs(snapshot: &Snapshot, request: &Request, now: Timestamp) -> Needs {
    let mut needs = Needs::default();
    Walk::new(snapshot, &request.settled(&snapshot.manifests), now, &mut needs).decide();
    needs
}

/// Decides what becomes of every workload in scope. Pure: equal inputs give equal plans, with equal ids.
pub fn plan(snapshot: &Snapshot, request: &Request, now: Timestamp) -> ReleasePlan {
    let mut missing = Needs::default();
    let settled = request.settled(&snapshot.manifests);
    let mut walk = Walk::new(snapshot, &settled, now, &mut missing);
    let decided = walk.decide();
    let mut findings = walk.findings;
    findings.extend_from_slice(walk.book.document_findings());
    findings.extend(image_findings(&snapshot.images));
    let Draft { mut workloads, mut edits, intents, mut generated, findings: of_labels } =
        Draft::of(decided, &snapshot.unproven);
    findings.extend(of_labels);
    findings.sort();
    findings.dedup();
    named_but_unknown(snapshot, &settled, &mut workloads);
    edits.sort();
    // What several containers share is written once.
    edits.dedup();
    generated.sort();
    let mut plan = ReleasePlan {
        id: PlanId(String::new()),
        base: snapshot.base.clone(),
        request: request.clone(),
        workloads,
        edits,
        intents,
        generated,
        findings,
    };
    plan.id = Identity {
        base: &plan.base,
        request: &plan.request,
        images: known(&snapshot.images),
        workloads: &plan.workloads,
        edits: &plan.edits,
        generated: &plan.generated,
    }
    .id();
    plan
}

/// What is decided about a workload that git describes.
pub(super) struct Decided<'a> {
    pub(super) id: WorkloadId,
    pub(super) located: Located<'a>,
    pub(super) policies: Policies,
    pub(super) what: What<'a>,
}

/// What is decided.
pub(super) enum What<'a> {
    /// Nothing is asked about it. It may still be a member of a release group.
    OutOfScope,
    /// It is decided as a whole.
    Whole(WorkloadVerdict),
    /// Each container is decided.
    Containers(Vec<(&'a Container, Chosen)>),
    /// Its policies change.
    Policies(WorkloadVerdict, PolicyEdits),
}

/// What changes the policies of a workload.
#[derive(Default)]
pub(super) struct PolicyEdits {
    /// The edits of files, with what they are meant to do there.
    pub(super) texts: Vec<(String, Vec<Edit>, Vec<Intent>)>,
    /// What is to come of it where the workload is generated.
    pub(super) generated: Vec<GeneratedChange>,
}

/// Walks the workloads and decides on each.
pub(super) struct Walk<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) request: &'a Request,
    pub(super) now: Timestamp,
    pub(super) needs: &'a mut Needs,
    pub(super) book: PolicyBook,
    fields: Fields<'a>,
    /// What is wrong with the annotations of the workloads.
    findings: Vec<Finding>,
}

impl<'a> Walk<'a> {
    fn new(snapshot: &'a Snapshot, request: &'a Request, now: Timestamp, needs: &'a mut Needs) -> Self {
        let book = PolicyBook::of(snapshot, needs);
        Self {
            snapshot,
            request,
            now,
            needs,
            book,
            fields: Fields::of(&snapshot.images),
            findings: Vec::new(),
        }
    }

    fn decide(&mut self) -> Vec<Decided<'a>> {
        let manifests = &*self.snapshot.manifests;
        let mut all = Vec::new();
        for located in manifests.workloads() {
            let policies = self.book.told(&located, &mut self.fields.patterns, &mut self.findings);
            let id = located.workload_id();
            let what = self.workload(&id, &located, &policies);
            all.push(Decided { id, located, policies, what });
        }
        all.iter_mut().for_each(refuse_generated);
        match &self.request.spec {
            Spec::Image(release) if release.forced() => {}
            Spec::Containers(_) => containers::all_or_nothing(&mut all),
            Spec::Image(_) | Spec::Auto => groups::hold_together(&mut all),
            Spec::Policy(_) | Spec::Rollback(_) => {}
        }
        all
    }

    fn workload(&mut self, id: &WorkloadId, located: &Located<'a>, policies: &Policies) -> What<'a> {
        let resource = located.resource;
        let list = resource.workload.as_deref().unwrap_or_default();
        if let Some(what) = self.out_of_scope(id, policies) {
            return what;
        }
        if let Spec::Policy(change) = &self.request.spec {
            return policies::decide(self, id, located, policies, change);
        }
        if let Some(what) = self.kept(id, located, list, policies) {
            return what;
        }
        if resource.is_encrypted() {
            return What::Whole(WorkloadVerdict::whole(Reason::Encrypted));
        }
        match &self.request.spec {
            Spec::Containers(release) => containers::decide(list, release.containers.get(id), release),
            Spec::Rollback(to) => rollback::decide(self, id, list, to),
            Spec::Image(_) | Spec::Auto | Spec::Policy(_) => {
                What::Containers(list.iter().map(|c| (c, self.container(located, c, policies))).collect())
            }
        }
    }

    /// Whether the request is about the workload at all.
    fn out_of_scope(&self, id: &WorkloadId, policies: &Policies) -> Option<What<'a>> {
        let selection = match &self.request.spec {
            Spec::Auto => return (!policies.automated).then_some(What::OutOfScope),
            Spec::Image(release) => &release.workloads,
            Spec::Rollback(rollback) => &rollback.workloads,
            Spec::Containers(release) => {
                let named = release.containers.contains_key(id);
                return (!named).then(|| What::Whole(WorkloadVerdict::whole(Reason::NotIncluded)));
            }
            Spec::Policy(change) => return (!change.updates.contains_key(id)).then_some(What::OutOfScope),
        };
        let reason = match (&self.request.spec, selection) {
            (_, Selection::Named(ids)) if !ids.contains(id) => Reason::NotIncluded,
            (Spec::Image(release), _) if release.exclude.contains(id) => Reason::Excluded,
            _ => return None,
        };
        Some(What::Whole(WorkloadVerdict::whole(reason)))
    }

    /// The first rule that keeps the workload as a whole as it is, if any does.
    fn kept(
        &self,
        id: &WorkloadId,
        located: &Located<'_>,
        list: &'a [Container],
        policies: &Policies,
    ) -> Option<What<'a>> {
        let resource = located.resource;
        if let Some(Class::ReadOnly(why)) = resource.class() {
            return Some(What::Whole(WorkloadVerdict::whole(Reason::ReadOnly).saying(why.to_owned())));
        }
        // Of custom kinds a cluster does not tell which run.
        let in_cluster = |facts: &super::ClusterFacts| {
            !facts.complete || resource.class() == Some(Class::Custom) || facts.workloads.contains(id)
        };
        if !self.snapshot.cluster.as_ref().is_none_or(in_cluster) {
            return Some(What::Whole(WorkloadVerdict::whole(Reason::NotInCluster)));
        }
        if let Spec::Image(super::ImageRelease { image: Wish::Image(image), .. }) = &self.request.spec {
            let canonical = image.name.canonical();
            // An image of this name that cannot be read is told, not passed over.
            let uses = |c: &Container| match &c.image {
                Ok(of) => of.name.canonical() == canonical,
                Err(bad) => bad.name().is_some_and(|name| name.canonical() == canonical),
            };
            if !list.iter().any(uses) {
                return Some(What::Whole(WorkloadVerdict::whole(Reason::DifferentImage)));
            }
        }
        if self.forced() {
            return None;
        }
        let automatic = matches!(self.request.spec, Spec::Auto);
        let stop = policies.stop(self.now, automatic)?;
        let rollback = matches!(self.request.spec, Spec::Rollback(_));
        let (reason, message) = match &stop {
            // What keeps releases back does not keep a person from going back.
            Stop::Frozen(_) | Stop::InvalidGuards(_) if rollback => return None,
            Stop::Locked(_) => (Reason::Locked, Reason::Locked.message().to_owned()),
            Stop::Ignored => (Reason::IgnoredByPolicy, Reason::IgnoredByPolicy.message().to_owned()),
            Stop::InvalidGuards(_) => (Reason::InvalidPolicy, stop.to_string()),
            Stop::Frozen(_) => (Reason::Frozen, stop.to_string()),
            Stop::Held(_) => (Reason::OnHold, stop.to_string()),
        };
        let from = policies.from(stop.policy(), located.path);
        let from = from.map(|(path, position)| self.snapshot.manifests.place(path, position));
        let told = from.map_or_else(|| stop.to_string(), |from| format!("{stop} ({from})"));
        let containers = list.iter().map(|c| verdict_on(c, None, reason, told.clone())).collect::<Vec<_>>();
        Some(What::Whole(WorkloadVerdict { containers, ..WorkloadVerdict::whole(reason).saying(message) }))
    }

    fn forced(&self) -> bool {
        match &self.request.spec {
            Spec::Image(release) => release.forced(),
            Spec::Containers(release) => release.force,
            Spec::Rollback(rollback) => rollback.force && matches!(rollback.workloads, Selection::Named(_)),
            Spec::Auto | Spec::Policy(_) => false,
        }
    }

    fn container(&mut self, located: &Located<'_>, container: &Container, policies: &Policies) -> Chosen {
        let current = match &container.image {
            Ok(image) => image,
            Err(bad) => {
                let message = format!("`{}` is not an image reference: {}", bad.text, bad.problem);
                return Chosen::left(Reason::InvalidImage, message);
            }
        };
        let chooser = Chooser {
            snapshot: self.snapshot,
            now: self.now,
            automatic: matches!(self.request.spec, Spec::Auto),
            current,
            container,
            located,
            policies,
        };
        match &self.request.spec {
            Spec::Image(super::ImageRelease { image: Wish::Image(image), .. }) => {
                chooser.requested(image, self.forced(), self.needs, &mut self.fields)
            }
            _ => chooser.newest(self.needs, &mut self.fields),
        }
    }
}

/// Leaves the images of a generated workload as they are, where nothing changes what they are generated from.
fn refuse_generated(decided: &mut Decided<'_>) {
    let refused = decided.located.generated.and_then(|generated| generated.refuses_images.as_ref());
    let (Some(refused), What::Containers(containers)) = (refused, &mut decided.what) else { return };
    for (_, chosen) in containers {
        if matches!(chosen, Chosen::Update { .. }) {
            *chosen = Chosen::left(Reason::NotEditable, refused.clone());
        }
    }
}

pub(super) fn verdict_on(
    container: &Container,
    target: Option<ImageRef>,
    reason: Reason,
    message: String,
) -> ContainerVerdict {
    let current = match &container.image {
        Ok(image) => image.to_string(),
        Err(bad) => bad.text.clone(),
    };
    ContainerVerdict { container: container.name.clone(), current, target, reason, message }
}

/// Verdicts on workloads that the request names and git does not describe.
fn named_but_unknown(
    snapshot: &Snapshot,
    request: &Request,
    workloads: &mut BTreeMap<WorkloadId, WorkloadVerdict>,
) {
    for id in request.spec.named().into_iter().flatten() {
        let runs = snapshot.cluster.as_ref().is_some_and(|facts| facts.workloads.contains(id));
        let reason = if runs { Reason::NotInRepository } else { Reason::NotFound };
        let verdict = WorkloadVerdict::whole(reason);
        let verdict = match snapshot.manifests.candidates_for(id).as_slice() {
            [] | [_] => verdict,
            several => {
                let ids: Vec<String> = several.iter().map(ToString::to_string).collect();
                verdict.saying(format!("it may be {}: name one", ids.join(" or ")))
            }
        };
        workloads.entry(id.clone()).or_insert(verdict);
    }
}
