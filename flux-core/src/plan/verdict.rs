//! Verdicts: what becomes of each workload and container, and why.

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};

use super::reason::{Reason, Status};
use crate::{image::ImageRef, manifest::WorkloadId};

/// The verdict on a workload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WorkloadVerdict {
    /// The outcome.
    pub status: Status,
    /// Why.
    pub reason: Reason,
    /// v1's message, with more where there is more to say; empty for a success.
    pub message: String,
    /// The verdicts on its containers; empty if the workload as a whole was decided.
    pub containers: Vec<ContainerVerdict>,
}

/// The verdict on a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ContainerVerdict {
    /// The container's name.
    pub container: String,
    /// The image as git has it.
    pub current: String,
    /// The image that the plan writes; `None` if it writes nothing.
    pub target: Option<ImageRef>,
    /// Why.
    pub reason: Reason,
    /// Why, for people.
    pub message: String,
    /// The workloads that keep this container from moving: members of its release group that
    /// cannot move, or what else of an all-or-nothing request cannot be done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocked_by: Vec<WorkloadId>,
}

impl WorkloadVerdict {
    /// Makes a verdict on the workload as a whole.
    pub fn whole(reason: Reason) -> Self {
        let (status, message) = (reason.status(), reason.message().to_owned());
        Self { status, reason, message, containers: Vec::new() }
    }

    /// Returns the same verdict with another message.
    #[must_use]
    pub fn with_message(self, message: impl Into<String>) -> Self {
        Self { message: message.into(), ..self }
    }

    /// Returns the same verdict with verdicts on the containers.
    #[must_use]
    pub(crate) fn with_containers(self, containers: Vec<ContainerVerdict>) -> Self {
        Self { containers, ..self }
    }

    /// Derives the verdict from those on the containers.
    ///
    /// One update makes a success. Otherwise an undecided container outweighs one that is up to
    /// date, and that outweighs one that was not asked for; of equals, the first counts.
    pub fn of(containers: Vec<ContainerVerdict>) -> Self {
        let weight = |c: &ContainerVerdict| match c.reason {
            Reason::NotEditable => 5,
            reason if reason.status() == Status::Success => 4,
            Reason::OtherImage => 0,
            Reason::UpToDate => 1,
            reason if reason.is_undecided() => 3,
            _ => 2,
        };
        let mut best: Option<&ContainerVerdict> = None;
        for container in &containers {
            if best.is_none_or(|b| weight(container) > weight(b)) {
                best = Some(container);
            }
        }
        let reason = best.map_or(Reason::OtherImage, |c| c.reason);
        let verdict = Self::whole(reason).with_containers(containers);
        if reason != Reason::GroupIncomplete {
            return verdict;
        }
        let blocking: Vec<String> = verdict.blocked_by().iter().map(ToString::to_string).collect();
        match &blocking[..] {
            [] => verdict,
            blocking => {
                let message = format!("{}: {}", reason.message(), blocking.join(", "));
                verdict.with_message(message)
            }
        }
    }

    /// Returns the verdict on a container, by its name.
    pub fn container(&self, name: &str) -> Option<&ContainerVerdict> {
        self.containers.iter().find(|verdict| verdict.container == name)
    }

    /// Returns the workloads that keep this one from moving.
    pub fn blocked_by(&self) -> BTreeSet<&WorkloadId> {
        self.containers.iter().flat_map(|container| &container.blocked_by).collect()
    }
}

impl fmt::Display for WorkloadVerdict {
    /// Prints the status, the reason, and the message or the updates.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.status, self.reason)?;
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        let mut updates = self.containers.iter().filter(|container| container.target.is_some());
        if let Some(first) = updates.next() {
            write!(f, ": {first}")?;
        }
        updates.try_for_each(|update| write!(f, ", {update}"))
    }
}

impl fmt::Display for ContainerVerdict {
    /// Prints the container with the image that it gets, or with what keeps it as it is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.target {
            Some(target) => write!(f, "{}: {} -> {target}", self.container, self.current),
            None => write!(f, "{}: {} ({})", self.container, self.current, self.reason),
        }
    }
}
