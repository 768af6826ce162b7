//! The context of planning: the known facts, the missing facts, and the findings.

use jiff::Timestamp;

use super::{candidates::Candidates, needs::Needs, policy_index::PolicyIndex, snapshot::Snapshot};
use crate::{finding::Finding, plan::Operation, repo_path::RepoPath};

/// Everything that the steps of the planner share.
pub(super) struct Context<'a> {
    pub(super) snapshot: &'a Snapshot,
    /// The operation that is asked for, with the ids that workloads have.
    pub(super) operation: &'a Operation,
    pub(super) now: Timestamp,
    pub(super) index: PolicyIndex,
    pub(super) candidates: Candidates<'a>,
    /// The facts that were found missing so far.
    pub(super) needs: Needs,
    /// The findings about the annotations of workloads.
    pub(super) findings: Vec<Finding>,
}

impl<'a> Context<'a> {
    pub(super) fn new(snapshot: &'a Snapshot, operation: &'a Operation, now: Timestamp) -> Self {
        let mut needs = Needs::default();
        let index = PolicyIndex::of(snapshot, &mut needs);
        let candidates = Candidates::of(&snapshot.images, now);
        Self { snapshot, operation, now, index, candidates, needs, findings: Vec::new() }
    }

    /// Asks for the text of a file, unless it was asked for and cannot be had.
    pub(super) fn ask_source(&mut self, path: &RepoPath) {
        if !self.snapshot.unreadable.contains(path) {
            self.needs.sources.insert(path.clone());
        }
    }
}
