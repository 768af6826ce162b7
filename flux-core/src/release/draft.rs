//! From decisions to verdicts, edits and what the edits are meant to do.
//!
//! A workload is changed as a whole: if one of its containers cannot be edited, none is. What several containers share is changed for all of them or not at
//! all, so the edits of a plan are made together.

use std::collections::BTreeMap;

use super::{
    ContainerVerdict, FileEdit, Reason, WorkloadVerdict,
    choice::Chosen,
    plan::{Decided, PolicyEdits, What, verdict_on},
};
use crate::{
    edit::{Edit, EditError, ImageChange, Intent, PlacedEdit, image_edits, version_label_edits},
    finding::{Code, Finding},
    generate::{GeneratedChange, GeneratedEdit},
    manifest::{Container, WorkloadId},
    manifest_set::Located,
    position::Position,
};

/// What a plan is put together from.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) workloads: BTreeMap<WorkloadId, WorkloadVerdict>,
    pub(super) edits: Vec<FileEdit>,
    pub(super) intents: BTreeMap<String, Vec<Intent>>,
    pub(super) generated: Vec<GeneratedEdit>,
    pub(super) findings: Vec<Finding>,
}

impl Draft {
    /// Writes down what is decided.
    ///
    /// Nothing is changed in the files that are `unproven`, for these reasons.
    pub(super) fn of(mut decided: Vec<Decided<'_>>, unproven: &BTreeMap<String, String>) -> Self {
        let mut draft = Self::default();
        for PlacedEdit { path, edit, intent } in edits_of(&mut decided, unproven) {
            draft.intents.entry(path.clone()).or_default().push(intent);
            draft.edits.push(FileEdit { path, edit });
        }
        for workload in decided {
            draft.write(workload);
        }
        draft
    }

    fn write(&mut self, decided: Decided<'_>) {
        let Decided { id, located, what, policies } = decided;
        let verdict = match what {
            What::OutOfScope => return,
            What::Whole(verdict) => verdict,
            What::Containers(chosen) => {
                let verdicts: Vec<ContainerVerdict> =
                    chosen.into_iter().map(|(c, chosen)| self.container(&located, c, chosen)).collect();
                if policies.version_labels && located.generated.is_none() {
                    self.version_labels(&located, &verdicts);
                }
                WorkloadVerdict::of(verdicts)
            }
            What::Policies(verdict, PolicyEdits { texts, generated }) => {
                for (path, edits, intents) in texts {
                    self.add(&path, edits, intents);
                }
                generated.into_iter().for_each(|change| self.update(&located, change));
                verdict
            }
        };
        self.workloads.insert(id, verdict);
    }

    fn container(
        &mut self,
        located: &Located<'_>,
        container: &Container,
        chosen: Chosen,
    ) -> ContainerVerdict {
        match chosen {
            Chosen::Left { reason, message } => verdict_on(container, None, reason, message),
            Chosen::Update { target, reason, message } => {
                let verdict = verdict_on(container, Some(target.clone()), reason, message);
                if located.generated.is_some() {
                    let (container, before) = (container.name.clone(), verdict.current.clone());
                    self.update(located, GeneratedChange::Image { container, before, after: target });
                }
                verdict
            }
        }
    }

    /// Lets the labels that repeat a tag follow it.
    fn version_labels(&mut self, located: &Located<'_>, verdicts: &[ContainerVerdict]) {
        let targets =
            verdicts.iter().filter_map(|v| Some((v.container.as_str(), v.target.as_ref()?))).collect();
        let labels = version_label_edits(located.index, located.resource, &targets);
        let (edits, intents) = labels.edits.into_iter().unzip();
        self.add(located.path, edits, intents);
        self.findings.extend(labels.skipped.into_iter().map(|label| Finding {
            code: Code::VersionLabelLeft,
            subject: located.workload_id().to_string(),
            place: Some(located.place_of(Position { line: label.line, column: label.column })),
            evidence: format!("`{}` stays at the old tag: {}", label.pointer, label.why),
            remedy: "change it by hand, or take the policy `version-labels` off".to_owned(),
        }));
    }

    fn update(&mut self, located: &Located<'_>, change: GeneratedChange) {
        let (path, workload) = (located.path.to_owned(), located.workload_id());
        self.generated.push(GeneratedEdit { path, workload, change });
    }

    fn add(&mut self, path: &str, edits: Vec<Edit>, intents: Vec<Intent>) {
        self.edits.extend(edits.into_iter().map(|edit| FileEdit { path: path.to_owned(), edit }));
        self.intents.entry(path.to_owned()).or_default().extend(intents);
    }
}

/// The edits of all containers that are updated. A workload with a container that cannot be edited is left as it is, and so is what shares a
/// scalar with it.
fn edits_of(decided: &mut [Decided<'_>], unproven: &BTreeMap<String, String>) -> Vec<PlacedEdit> {
    let mut at = Vec::new();
    let mut changes = Vec::new();
    for (workload, Decided { located, what, .. }) in decided.iter().enumerate() {
        let What::Containers(chosen) = what else { continue };
        for (index, (container, chosen)) in chosen.iter().enumerate() {
            // Commands change what no file holds.
            let in_files = located.generated.is_none() || container.origin.is_some();
            if let Chosen::Update { target, .. } = chosen
                && in_files
            {
                changes.push(ImageChange { path: located.path, container, to: target });
                at.push((workload, index));
            }
        }
    }
    let mut made = image_edits(&changes);
    let mut failed = BTreeMap::new();
    for (&(workload, _), made) in at.iter().zip(&made) {
        let why = made.iter().flatten().find_map(|placed| unproven.get(&placed.path));
        if let Some(why) = why {
            failed.insert(workload, EditError::NotProven(why.clone()));
        }
    }
    for (&(workload, _), made) in at.iter().zip(&mut made) {
        if let (Ok(_), Some(why)) = (&*made, failed.get(&workload)) {
            *made = Err(why.clone());
        }
    }
    let mut edits = Vec::new();
    for ((workload, index), made) in at.into_iter().zip(made) {
        let path = decided[workload].located.path;
        let What::Containers(chosen) = &mut decided[workload].what else { continue };
        let (container, chosen) = &mut chosen[index];
        match made {
            Ok(made) => edits.extend(made),
            Err(error @ EditError::NotAlone) => {
                *chosen = Chosen::left(Reason::NothingDone, error.to_string());
            }
            Err(error) => {
                let place = match &container.origin {
                    Some(at) => format!("{}:{}:{}", at.path, at.line, at.column),
                    None => format!("{path}:{}:{}", container.line, container.column),
                };
                *chosen = Chosen::left(Reason::NotEditable, format!("{place}: {error}"));
            }
        }
    }
    edits
}
