//! The plan of a release: verdicts, edits, and the files that the edits make.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{
    GeneratedEdit,
    id::PlanId,
    reason::{Reason, Status},
    request::{Operation, Request},
    verdict::WorkloadVerdict,
};
use crate::{
    edit::{self, Edit, EditError, Intent},
    finding::Findings,
    image::ImageRef,
    manifest::WorkloadId,
    repo_path::RepoPath,
    revision::Revision,
};

/// A release as plain data: made by [`release::plan`](crate::release::plan), carried out later.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ReleasePlan {
    /// Its identity.
    pub id: PlanId,
    /// The revision it was made on, and that it lands on or not at all.
    pub base: Revision,
    /// The request that it answers.
    pub request: Request,
    /// The verdict on every workload in scope.
    pub workloads: BTreeMap<WorkloadId, WorkloadVerdict>,
    /// The edits, sorted by path and place.
    pub edits: Vec<FileEdit>,
    /// The values that the edits are to change, by path.
    pub intents: BTreeMap<RepoPath, Vec<Intent>>,
    /// The texts that the edits were verified against, by path.
    #[serde(default)]
    pub verified: BTreeMap<RepoPath, SourceHash>,
    /// The changes of generated workloads, which commands or patches bring about; sorted.
    #[serde(default)]
    pub generated: Vec<GeneratedEdit>,
    /// Findings beside the verdicts: what could not be read or decided.
    pub findings: Findings,
}

/// An edit of a file of the repository.
///
/// Exhaustive: to apply it is to know all of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FileEdit {
    /// The file's path from the root of the repository.
    pub path: RepoPath,
    /// The edit.
    #[serde(flatten)]
    pub edit: Edit,
}

/// The SHA-256, in hex, of the text of a file that a plan was verified against.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SourceHash(String);

impl SourceHash {
    /// Hashes a text.
    pub fn of(text: &[u8]) -> Self {
        Self(Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

impl fmt::Display for SourceHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why the files of a plan cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanFileError {
    /// The text of a file is not given.
    #[error("the text of {path} is not given, and the plan changes it: read it at the plan's revision")]
    Missing {
        /// The file.
        path: RepoPath,
    },
    /// The text of a file is not the one that the plan was verified against.
    #[error("{path} is not what it was when the plan was made; plan anew")]
    Outdated {
        /// The file.
        path: RepoPath,
    },
    /// An edit does not do exactly what was intended.
    #[error("{path}: {source}")]
    Edit {
        /// The file.
        path: RepoPath,
        /// Why.
        source: EditError,
    },
}

impl ReleasePlan {
    /// Reports that the plan changes nothing.
    pub fn is_empty(&self) -> bool {
        self.edits.is_empty() && self.generated.is_empty()
    }

    /// Returns the verdict on a workload, by its id in v1's text.
    ///
    /// `None` if the workload is not in scope, or if the text is not an id.
    pub fn verdict(&self, id: &str) -> Option<&WorkloadVerdict> {
        self.workloads.get(&id.parse().ok()?)
    }

    /// Returns the image that a container gets, by its workload's id in v1's text and its name.
    ///
    /// `None` if it keeps the one that it has.
    pub fn target(&self, id: &str, container: &str) -> Option<&ImageRef> {
        self.verdict(id)?.container(container)?.target.as_ref()
    }

    /// Returns the edits by path.
    pub fn edits_by_path(&self) -> BTreeMap<&RepoPath, Vec<Edit>> {
        let mut files: BTreeMap<&RepoPath, Vec<Edit>> = BTreeMap::new();
        for edit in &self.edits {
            files.entry(&edit.path).or_default().push(edit.edit.clone());
        }
        files
    }

    /// Makes the files of the plan: applies its edits to `sources`, and verifies the result again.
    ///
    /// Files that commands or patches change ([`generated`](Self::generated)) are not among them.
    ///
    /// # Errors
    /// [`PlanFileError`] if a text is missing, is not the one that the plan was verified against,
    /// or would become something else than was planned. Then nothing must be written.
    pub fn files(
        &self,
        sources: &BTreeMap<RepoPath, Bytes>,
    ) -> Result<BTreeMap<RepoPath, Bytes>, PlanFileError> {
        let edit_one = |(path, edits): (&RepoPath, Vec<Edit>)| {
            let path = path.clone();
            let Some(source) = sources.get(&path) else { return Err(PlanFileError::Missing { path }) };
            if self.verified.get(&path) != Some(&SourceHash::of(source)) {
                return Err(PlanFileError::Outdated { path });
            }
            let intents = self.intents.get(&path).map(Vec::as_slice).unwrap_or_default();
            match edit::prove(source, &edits, intents) {
                Ok(edited) => Ok((path, Bytes::from(edited))),
                Err(source) => Err(PlanFileError::Edit { path, source }),
            }
        };
        self.edits_by_path().into_iter().map(edit_one).collect()
    }

    /// Returns the verdicts on what was asked for by name and cannot be done.
    pub fn failures(&self) -> impl Iterator<Item = (&WorkloadId, &WorkloadVerdict)> {
        let named = self.request.operation.named();
        let all_or_nothing = matches!(self.request.operation, Operation::Containers(_));
        self.workloads.iter().filter(move |(id, verdict)| {
            let is_named = named.as_ref().is_some_and(|ids| ids.contains(id));
            let undone =
                verdict.reason.is_undecided() || (all_or_nothing && verdict.reason == Reason::NothingDone);
            verdict.status == Status::Failed || (is_named && undone)
        })
    }

    /// Reports that any verdict has this reason.
    pub fn has(&self, reason: Reason) -> bool {
        self.workloads.values().any(|w| w.reason == reason || w.containers.iter().any(|c| c.reason == reason))
    }

    /// Returns the images that the plan writes, each once.
    pub fn images(&self) -> BTreeSet<String> {
        let containers = self.workloads.values().flat_map(|verdict| &verdict.containers);
        containers.filter_map(|c| Some(c.target.as_ref()?.to_string())).collect()
    }
}

impl fmt::Display for ReleasePlan {
    /// Prints a line a workload, without those that were not asked for.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let asked = self.workloads.iter().filter(|(_, verdict)| verdict.status != Status::Ignored);
        for (n, (id, verdict)) in asked.enumerate() {
            let line = if n == 0 { "" } else { "\n" };
            write!(f, "{line}{id} {verdict}")?;
        }
        Ok(())
    }
}

impl fmt::Display for FileEdit {
    /// Prints the path and the texts before and after.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: `{}` -> `{}`", self.path, self.edit.before, self.edit.after)
    }
}
