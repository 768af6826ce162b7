//! Step 7, build: decisions and verified edits become a plan with an id.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::{
    context::Context,
    decision::{ContainerDecision, Decision, PolicyEdits, WorkloadDecision},
    edits::Edits,
    registry_findings::image_findings,
    scope::not_described,
    snapshot::{ImageFacts, RepositoryFacts},
    verify::VerifiedFile,
};
use crate::{
    backend::{Completeness, Error as BackendError, Images, Revision},
    edit::Intent,
    image::{CanonicalName, Tag},
    manifest::{Container, WorkloadId},
    plan::{
        FileEdit, GeneratedChange, GeneratedEdit, PlanId, ReleasePlan, Request, SourceHash, WorkloadVerdict,
    },
    repo_path::RepoPath,
};

/// The parts of a plan.
pub(super) struct PlanBuilder {
    workloads: BTreeMap<WorkloadId, WorkloadVerdict>,
    edits: BTreeSet<FileEdit>,
    intents: BTreeMap<RepoPath, Vec<Intent>>,
    verified: BTreeMap<RepoPath, SourceHash>,
    generated: BTreeSet<GeneratedEdit>,
}

impl PlanBuilder {
    /// Takes the edits of the files that were verified.
    pub(super) fn new(edits: &Edits, files: &BTreeMap<RepoPath, VerifiedFile>) -> Self {
        let mut builder = Self {
            workloads: BTreeMap::new(),
            edits: BTreeSet::new(),
            intents: BTreeMap::new(),
            verified: files.iter().map(|(path, file)| (path.clone(), file.source.clone())).collect(),
            generated: BTreeSet::new(),
        };
        for (path, edits) in &edits.files {
            // A value that several containers share is written once.
            let placed =
                |edit: &super::edits::OwnedEdit| FileEdit { path: path.clone(), edit: edit.edit.clone() };
            builder.edits.extend(edits.iter().map(placed));
            let intents = edits.iter().flat_map(|edit| edit.intents.iter().cloned());
            builder.intents.entry(path.clone()).or_default().extend(intents);
        }
        builder
    }

    /// Writes the verdict on a workload down, and its changes if it is generated.
    pub(super) fn workload(&mut self, workload: WorkloadDecision<'_>) {
        let verdict = match workload.decision {
            Decision::Pending | Decision::OutOfScope => return,
            Decision::Whole(verdict) => verdict,
            Decision::Containers(containers) => {
                let update = |(container, decision): &(&Container, ContainerDecision)| {
                    let ContainerDecision::Update { target, .. } = decision else { return None };
                    let before =
                        container.image.as_ref().map_or_else(|bad| bad.text.clone(), ToString::to_string);
                    let (container, after) = (container.name.clone(), target.clone());
                    Some(GeneratedChange::Image { container, before, after })
                };
                let updates: Vec<_> = containers.iter().filter_map(update).collect();
                self.generated(&workload.located, updates);
                let verdicts = containers.into_iter().map(|(c, decision)| decision.into_verdict(c));
                WorkloadVerdict::of(verdicts.collect())
            }
            Decision::Policies(PolicyEdits { generated, .. }) => {
                self.generated(&workload.located, generated);
                WorkloadVerdict::whole(crate::plan::Reason::PolicyChanged)
            }
        };
        self.workloads.insert(workload.id, verdict);
    }

    fn generated(&mut self, located: &crate::manifest_set::Located<'_>, changes: Vec<GeneratedChange>) {
        if located.generated.is_none() {
            return;
        }
        self.generated.extend(changes.into_iter().map(|change| GeneratedEdit {
            path: located.path.clone(),
            workload: located.workload_id(),
            change,
        }));
    }

    /// Puts the plan together.
    pub(super) fn build(mut self, context: Context<'_>, request: &Request, edits: Edits) -> ReleasePlan {
        for id in context.operation.named().into_iter().flatten() {
            if !self.workloads.contains_key(id) {
                self.workloads.insert(id.clone(), not_described(&context, id));
            }
        }
        let mut findings = context.findings;
        findings.extend_from_slice(context.index.document_findings());
        findings.extend(image_findings(&context.snapshot.images));
        findings.extend(context.candidates.findings());
        findings.extend(edits.findings);
        let edits: Vec<FileEdit> = self.edits.into_iter().collect();
        let generated: Vec<GeneratedEdit> = self.generated.into_iter().collect();
        let id = Identity {
            base: &context.snapshot.base,
            request,
            images: known(&context.snapshot.images),
            workloads: &self.workloads,
            edits: &edits,
            generated: &generated,
        }
        .id();
        ReleasePlan {
            id,
            base: context.snapshot.base.clone(),
            request: request.clone(),
            workloads: self.workloads,
            edits,
            intents: self.intents,
            verified: self.verified,
            generated,
            findings: findings.into(),
        }
    }
}

/// Everything that the identity of a plan is made of.
#[derive(Serialize)]
struct Identity<'a> {
    base: &'a Revision,
    request: &'a Request,
    images: BTreeMap<&'a CanonicalName, Known<'a>>,
    workloads: &'a BTreeMap<WorkloadId, WorkloadVerdict>,
    edits: &'a [FileEdit],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    generated: &'a [GeneratedEdit],
}

/// The facts of a repository, in an order of its own.
type Known<'a> = Result<(BTreeSet<&'a Tag>, &'a Completeness, &'a Images), &'a BackendError>;

/// Returns the facts of the repositories, in whatever order the registries listed them.
fn known(facts: &ImageFacts) -> BTreeMap<&CanonicalName, Known<'_>> {
    fn sorted(known: &RepositoryFacts) -> (BTreeSet<&Tag>, &Completeness, &Images) {
        (known.tags.iter().collect(), &known.completeness, &known.images)
    }
    facts.repositories.iter().map(|(name, known)| (name, known.as_ref().map(sorted))).collect()
}

impl Identity<'_> {
    /// Hashes the JSON form, in which every map is sorted.
    fn id(&self) -> PlanId {
        let mut hash = Sha256::new();
        hash.update(b"flux release plan 1\n");
        hash.update(serde_json::to_vec(self).unwrap_or_default());
        PlanId::of_hash(hash.finalize())
    }
}
