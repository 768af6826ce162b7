//! Decisions: the working state of the planner, from which verdicts are made at the end.

use crate::{
    edit::{Edit, Intent},
    image::ImageRef,
    manifest::{Container, WorkloadId},
    manifest_set::Located,
    plan::{ContainerVerdict, GeneratedChange, Reason, WorkloadVerdict},
    policy::Policies,
    repo_path::RepoPath,
};

/// A workload that git describes, with the decision about it.
pub(super) struct WorkloadDecision<'a> {
    pub(super) id: WorkloadId,
    pub(super) located: Located<'a>,
    pub(super) policies: Policies,
    pub(super) decision: Decision<'a>,
}

/// The decision about a workload.
pub(super) enum Decision<'a> {
    /// The steps so far have not settled it.
    Pending,
    /// Nothing is asked about it.
    ///
    /// It may still be a member of a release group.
    OutOfScope,
    /// It is decided as a whole.
    Whole(WorkloadVerdict),
    /// Each container is decided.
    Containers(Vec<(&'a Container, ContainerDecision)>),
    /// Its policies change.
    Policies(PolicyEdits),
}

/// The decision about a container.
#[derive(Debug)]
pub(super) enum ContainerDecision {
    /// It keeps its image.
    Keep { reason: Reason, message: String, blocked_by: Vec<WorkloadId> },
    /// It is to run another image.
    Update { target: ImageRef, reason: Reason, message: String },
}

/// The edits that change the policies of a workload.
#[derive(Default)]
pub(super) struct PolicyEdits {
    /// The edits of files, with the values that they are to change.
    pub(super) texts: Vec<(RepoPath, Vec<Edit>, Vec<Intent>)>,
    /// The changes of a generated workload.
    pub(super) generated: Vec<GeneratedChange>,
}

/// The outcome of a step that may take decisions back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Every decision stays.
    Unchanged,
    /// Some update was taken back, so the steps before must be done again.
    Changed,
}

impl Progress {
    pub(super) fn of(changed: bool) -> Self {
        if changed { Self::Changed } else { Self::Unchanged }
    }
}

impl ContainerDecision {
    pub(super) fn keep(reason: Reason, message: impl Into<String>) -> Self {
        Self::Keep { reason, message: message.into(), blocked_by: Vec::new() }
    }

    pub(super) fn up_to_date(current: &ImageRef) -> Self {
        Self::keep(Reason::UpToDate, format!("{current} is what should run"))
    }

    pub(super) fn is_update(&self) -> bool {
        matches!(self, Self::Update { .. })
    }

    pub(super) fn into_verdict(self, container: &Container) -> ContainerVerdict {
        let (target, reason, message, blocked_by) = match self {
            Self::Keep { reason, message, blocked_by } => (None, reason, message, blocked_by),
            Self::Update { target, reason, message } => (Some(target), reason, message, Vec::new()),
        };
        let current = match &container.image {
            Ok(image) => image.to_string(),
            Err(bad) => bad.text.clone(),
        };
        ContainerVerdict { container: container.name.clone(), current, target, reason, message, blocked_by }
    }
}

impl Decision<'_> {
    /// Settles the workload as a whole.
    pub(super) fn whole(reason: Reason) -> Self {
        Self::Whole(WorkloadVerdict::whole(reason))
    }

    /// Settles the workload as a whole, with a message of its own.
    pub(super) fn whole_with(reason: Reason, message: impl Into<String>) -> Self {
        Self::Whole(WorkloadVerdict::whole(reason).with_message(message))
    }
}

impl WorkloadDecision<'_> {
    pub(super) fn is_pending(&self) -> bool {
        matches!(self.decision, Decision::Pending)
    }

    /// Takes every update of the workload back; `keep` says what each container has instead.
    ///
    /// Returns `true` if there was any.
    pub(super) fn take_back(&mut self, keep: impl Fn(&Container) -> ContainerDecision) -> bool {
        let Decision::Containers(containers) = &mut self.decision else { return false };
        let mut taken_back = false;
        for (container, decision) in containers.iter_mut().filter(|(_, decision)| decision.is_update()) {
            *decision = keep(container);
            taken_back = true;
        }
        taken_back
    }

    /// Takes every change of the workload back, as `reason` blocks its edits.
    pub(super) fn block(&mut self, reason: Reason, why: &str) {
        let path = self.located.path;
        match &mut self.decision {
            Decision::Policies(_) => {
                let place = self.located.place();
                self.decision = Decision::whole_with(reason, format!("{place}: {why}"));
            }
            _ => {
                let keep = |container: &Container| {
                    let place = container_place(path, container);
                    ContainerDecision::keep(reason, format!("{place}: {why}"))
                };
                self.take_back(keep);
            }
        }
    }
}

/// Returns where the image of a container is written, as `path:line:column`.
pub(super) fn container_place(path: &str, container: &Container) -> String {
    match &container.origin {
        Some(at) => format!("{}:{}", at.document.path, at.position),
        None => format!("{path}:{}", container.position),
    }
}
