//! Step 6, verify: the edits of each file are applied to its text, and the result is read again.
//!
//! An edit whose file is not at hand is not made, and neither is one that would do anything else
//! than intended: the workloads it is for say so.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bytes::Bytes;

use super::{
    context::Context,
    decision::{Progress, WorkloadDecision},
    edits::{Edits, OwnedEdit},
};
use crate::{
    edit::{self, Edit, EditError, Intent},
    manifest::ParsedFile,
    plan::{Reason, SourceHash},
    repo_path::RepoPath,
};

/// The files that were verified.
#[derive(Default)]
pub(super) struct Verified {
    files: BTreeMap<RepoPath, VerifiedFile>,
}

/// A file whose edits were verified.
pub(super) struct VerifiedFile {
    edits: Vec<OwnedEdit>,
    /// The text that the edits were applied to.
    pub(super) source: SourceHash,
    /// The text that they make.
    pub(super) edited: Bytes,
}

impl Verified {
    /// Verifies the edits of every file, but for those that were verified in an earlier round.
    ///
    /// Workloads whose edits cannot be verified take their changes back, with the reason.
    pub(super) fn verify(
        &mut self,
        context: &mut Context<'_>,
        edits: &Edits,
        decisions: &mut [WorkloadDecision<'_>],
    ) -> Progress {
        let snapshot = context.snapshot;
        let mut blocked: BTreeMap<usize, (Reason, String)> = BTreeMap::new();
        self.files.retain(|path, file| edits.files.get(path).is_some_and(|edits| *edits == file.edits));
        for (path, edits) in &edits.files {
            if self.files.contains_key(path) {
                continue;
            }
            let Some(source) = snapshot.sources.get(path) else {
                context.ask_source(path);
                let why = format!("the text of {path} is not known, so that it cannot be edited");
                let owners = edits.iter().map(|edit| edit.workload);
                blocked.extend(owners.map(|workload| (workload, (Reason::Incomplete, why.clone()))));
                continue;
            };
            let parsed = snapshot.manifests.files().get(path).map(Arc::as_ref);
            match prove(source, parsed, edits.iter()) {
                Ok(edited) => {
                    let (edits, source) = (edits.clone(), SourceHash::of(source));
                    self.files.insert(path.clone(), VerifiedFile { edits, source, edited: edited.into() });
                }
                Err(_) => {
                    let refused = refused(source, parsed, edits);
                    blocked.extend(
                        refused
                            .into_iter()
                            .map(|(workload, why)| (workload, (Reason::NotEditable, why.to_string()))),
                    );
                }
            }
        }
        for (workload, (reason, why)) in &blocked {
            decisions[*workload].block(*reason, why);
        }
        Progress::of(!blocked.is_empty())
    }

    /// Returns the files by path.
    pub(super) fn into_files(self) -> BTreeMap<RepoPath, VerifiedFile> {
        self.files
    }
}

/// Proves edits, with the parse of their file where it is at hand.
fn prove<'e>(
    source: &[u8],
    parsed: Option<&ParsedFile>,
    edits: impl Iterator<Item = &'e OwnedEdit>,
) -> Result<Vec<u8>, EditError> {
    let (mut all, mut intents): (Vec<Edit>, Vec<Intent>) = Default::default();
    for edit in edits {
        all.push(edit.edit.clone());
        intents.extend(edit.intents.iter().cloned());
    }
    match parsed {
        Some(parsed) => edit::prove_parsed(source, parsed, &all, &intents),
        None => edit::prove(source, &all, &intents),
    }
}

/// Finds the workloads whose edits keep those of a file from being verified.
///
/// Workloads that share an edit stand or fall together. The others are tried one after the other,
/// and those are refused that cannot be added to the ones before.
fn refused(source: &[u8], parsed: Option<&ParsedFile>, edits: &[OwnedEdit]) -> BTreeMap<usize, EditError> {
    let mut accepted: BTreeSet<usize> = BTreeSet::new();
    let mut refused = BTreeMap::new();
    for unit in units(edits) {
        let tried = |workload: usize| accepted.contains(&workload) || unit.contains(&workload);
        match prove(source, parsed, edits.iter().filter(|edit| tried(edit.workload))) {
            Ok(_) => accepted.extend(unit),
            Err(why) => refused.extend(unit.into_iter().map(|workload| (workload, why.clone()))),
        }
    }
    refused
}

/// Groups the workloads of a file by the edits that they share, in the order of the workloads.
fn units(edits: &[OwnedEdit]) -> Vec<BTreeSet<usize>> {
    let mut users: BTreeMap<&Edit, BTreeSet<usize>> = BTreeMap::new();
    for edit in edits {
        users.entry(&edit.edit).or_default().insert(edit.workload);
    }
    let mut units: Vec<BTreeSet<usize>> = Vec::new();
    for users in users.into_values() {
        let (sharing, apart): (Vec<_>, Vec<_>) =
            units.into_iter().partition(|unit| !unit.is_disjoint(&users));
        units = apart;
        units.push(sharing.into_iter().flatten().chain(users).collect());
    }
    units.sort();
    units
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workloads_that_share_an_edit_are_one_unit() {
        let owned = |workload: usize, start: usize| OwnedEdit {
            workload,
            edit: Edit { start, end: start + 1, before: String::new(), after: String::new() },
            intents: vec![Intent { resource: 0, pointer: String::new(), value: None }],
        };
        let edits = [owned(3, 1), owned(0, 2), owned(1, 3), owned(3, 4), owned(1, 4), owned(2, 5)];
        let found: Vec<Vec<usize>> =
            units(&edits).into_iter().map(|unit| unit.into_iter().collect()).collect();
        assert_eq!(found, [vec![0], vec![1, 3], vec![2]]);
    }
}
