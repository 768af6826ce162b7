//! Step 4, edits: the decisions become edits of files.
//!
//! A workload is changed as a whole: if one of its containers cannot be edited, none is. A value
//! that several containers share is changed for all of them or for none, so the edits are made
//! together.

use std::collections::BTreeMap;

use super::decision::{
    ContainerDecision, Decision, PolicyEdits, Progress, WorkloadDecision, container_place,
};
use crate::{
    edit::{Edit, EditError, ImageChange, Intent, PlacedEdit, image_edits, version_label_edits},
    finding::{Code, Finding},
    image::ImageRef,
    plan::Reason,
    repo_path::RepoPath,
};

/// The edits of all decisions that are left.
#[derive(Default)]
pub(super) struct Edits {
    /// By path.
    pub(super) files: BTreeMap<RepoPath, Vec<OwnedEdit>>,
    /// The findings about labels that do not follow.
    pub(super) findings: Vec<Finding>,
}

/// An edit of a file, and the workload that it is made for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct OwnedEdit {
    /// The index of the workload among the decisions.
    pub(super) workload: usize,
    pub(super) edit: Edit,
    /// The values that differ afterwards. One edit may write several: new entries that follow one
    /// another.
    pub(super) intents: Vec<Intent>,
}

/// Makes the edits.
///
/// Updates that cannot be written are taken back, with the reason.
pub(super) fn make(decisions: &mut [WorkloadDecision<'_>]) -> (Edits, Progress) {
    let mut edits = Edits::default();
    let progress = edits.images(decisions);
    for (index, workload) in decisions.iter().enumerate() {
        match &workload.decision {
            Decision::Policies(PolicyEdits { texts, .. }) => {
                for (path, changes, intents) in texts {
                    edits.add_all(index, path, changes, intents);
                }
            }
            Decision::Containers(_)
                if workload.policies.version_labels && workload.located.generated.is_none() =>
            {
                edits.version_labels(index, workload);
            }
            _ => {}
        }
    }
    (edits, progress)
}

impl Edits {
    fn add(&mut self, workload: usize, path: &RepoPath, edits: impl IntoIterator<Item = (Edit, Intent)>) {
        let mut edits = edits.into_iter().peekable();
        if edits.peek().is_some() {
            let file = self.files.entry(path.clone()).or_default();
            file.extend(edits.map(|(edit, intent)| OwnedEdit { workload, edit, intents: vec![intent] }));
        }
    }

    /// Adds edits that only together do what they are intended to.
    fn add_all(&mut self, workload: usize, path: &RepoPath, edits: &[Edit], intents: &[Intent]) {
        let file = self.files.entry(path.clone()).or_default();
        let first = file.len();
        file.extend(edits.iter().map(|edit| OwnedEdit { workload, edit: edit.clone(), intents: Vec::new() }));
        if let Some(owned) = file.get_mut(first) {
            owned.intents = intents.to_vec();
        }
    }

    /// Makes the edits of all images.
    fn images(&mut self, decisions: &mut [WorkloadDecision<'_>]) -> Progress {
        let mut at = Vec::new();
        let mut changes = Vec::new();
        for (index, workload) in decisions.iter().enumerate() {
            let Decision::Containers(containers) = &workload.decision else { continue };
            for (position, (container, decision)) in containers.iter().enumerate() {
                // Commands change what no file holds.
                let in_files = workload.located.generated.is_none() || container.origin.is_some();
                if let ContainerDecision::Update { target, .. } = decision
                    && in_files
                {
                    changes.push(ImageChange { path: workload.located.path, container, to: target });
                    at.push((index, position));
                }
            }
        }
        let mut progress = Progress::Unchanged;
        for ((index, position), made) in at.into_iter().zip(image_edits(&changes)) {
            let workload = &mut decisions[index];
            let error = match made {
                Ok(placed) => {
                    for PlacedEdit { path, edit, intent } in placed {
                        self.add(index, &path, [(edit, intent)]);
                    }
                    continue;
                }
                Err(error) => error,
            };
            progress = Progress::Changed;
            let path = workload.located.path;
            let Decision::Containers(containers) = &mut workload.decision else { continue };
            let (container, decision) = &mut containers[position];
            *decision = match error {
                EditError::NotAlone => ContainerDecision::keep(Reason::NothingDone, error.to_string()),
                error => {
                    let message = format!("{}: {error}", container_place(path, container));
                    ContainerDecision::keep(Reason::NotEditable, message)
                }
            };
        }
        progress
    }

    /// Lets the labels that repeat a tag follow it.
    fn version_labels(&mut self, index: usize, workload: &WorkloadDecision<'_>) {
        let Decision::Containers(containers) = &workload.decision else { return };
        let target = |decision: &'_ ContainerDecision| -> Option<ImageRef> {
            match decision {
                ContainerDecision::Update { target, .. } => Some(target.clone()),
                ContainerDecision::Keep { .. } => None,
            }
        };
        let targets: Vec<(&str, ImageRef)> = containers
            .iter()
            .filter_map(|(c, decision)| Some((c.name.as_str(), target(decision)?)))
            .collect();
        let targets = targets.iter().map(|(name, target)| (*name, target)).collect();
        let located = &workload.located;
        let labels = version_label_edits(located.index, located.resource, &targets);
        self.add(index, located.path, labels.edits);
        self.findings.extend(labels.skipped.into_iter().map(|label| Finding {
            code: Code::VersionLabelLeft,
            subject: located.workload_id().to_string(),
            place: Some(located.place_of(label.position)),
            evidence: format!("`{}` stays at the old tag: {}", label.pointer, label.why),
            remedy: "change it by hand, or take the policy `version-labels` off".to_owned(),
        }));
    }
}
