//! Edits of several files, and the bytes that more than one of them would write.

use std::collections::{BTreeMap, HashMap};

use super::{Edit, EditError, Intent};
use crate::repo_path::RepoPath;

/// The files of a set of changes, each with a number.
#[derive(Debug, Default)]
pub(super) struct Files<'a> {
    ids: HashMap<&'a RepoPath, FileId>,
    paths: Vec<&'a RepoPath>,
}

/// The number of a file in a set of changes.
pub(super) type FileId = usize;

impl<'a> Files<'a> {
    /// Returns the number of a file.
    pub(super) fn id(&mut self, path: &'a RepoPath) -> FileId {
        *self.ids.entry(path).or_insert_with(|| {
            self.paths.push(path);
            self.paths.len() - 1
        })
    }

    /// Returns the path of a file that has a number.
    pub(super) fn path(&self, id: FileId) -> Option<&'a RepoPath> {
        self.paths.get(id).copied()
    }
}

/// The only file of a set of changes.
pub(super) const OWN: FileId = 0;

/// An edit, its file, and the change that it is intended to make there.
pub(super) struct Placed {
    pub(super) file: FileId,
    pub(super) edit: Edit,
    pub(super) intent: Intent,
}

/// Edits by their files and first bytes.
///
/// Keys that are inserted at the same byte are distinguished by their pointers.
type Taken<'e> = BTreeMap<(FileId, usize, Option<&'e str>), &'e Edit>;

/// Why the edits of a change are refused that writes what another one writes otherwise.
pub(super) const CLASH: &str = "the image of another container stands in the same place and becomes another";

/// Returns which changes write bytes that an earlier one writes otherwise.
pub(super) fn clashing(edits: &[Result<Vec<Placed>, EditError>]) -> Vec<usize> {
    let mut taken = Taken::new();
    let mut clashing = Vec::new();
    for (at, edits) in edits.iter().enumerate() {
        if !edits.iter().flatten().all(|placed| claim(&mut taken, placed)) {
            clashing.push(at);
        }
    }
    clashing
}

/// Takes the bytes of an edit; `false` if another edit has some of them.
fn claim<'e>(taken: &mut Taken<'e>, placed: &'e Placed) -> bool {
    let Placed { file, edit, intent } = placed;
    let empty = |edit: &Edit| edit.start == edit.end;
    let key = (*file, edit.start, empty(edit).then_some(intent.pointer.as_str()));
    if let Some(same) = taken.get(&key) {
        return *same == edit;
    }
    let overlaps = |((other_file, ..), other): (&(FileId, _, _), &&Edit)| {
        other_file == file
            && !(empty(edit) && empty(other))
            && other.start < edit.end.max(edit.start + 1)
            && edit.start < other.end.max(other.start + 1)
    };
    let clash = taken.range(..&key).next_back().is_some_and(overlaps)
        || taken.range(&key..).next().is_some_and(overlaps);
    if !clash {
        taken.insert(key, edit);
    }
    !clash
}
