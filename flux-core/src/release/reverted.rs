//! Implicit holds: a person took an automated image back, so automation waits for something newer.

use super::snapshot::PastFile;
use crate::{
    backend::Commit,
    image::{ImageRef, Tag},
    kustomize,
    manifest::{Container, ImageOrigin, ParsedFile, Resource, WorkloadId},
    plan::{NoteKind, note_kind},
};

/// An image that a person took back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TakenBack {
    /// Its tag.
    pub(super) tag: Tag,
    /// The commit that took it back.
    pub(super) commit: Commit,
}

/// Returns the image that was taken back from a container.
///
/// A person's commit that replaced an image set by automation takes it back, and so does a
/// rollback, unless automation changed the image since.
pub(super) fn taken_back(
    past: &[PastFile],
    workload: &WorkloadId,
    container: &Container,
    current: &ImageRef,
) -> Option<TakenBack> {
    let mut changes = changes(past, workload, container, current).peekable();
    while let Some((change, before)) = changes.next() {
        let kind = kind_of(&change.commit);
        if kind == Some(NoteKind::Automation) {
            return None;
        }
        let was_automated =
            changes.peek().is_some_and(|(set, _)| kind_of(&set.commit) == Some(NoteKind::Automation));
        if kind == Some(NoteKind::Rollback) || was_automated {
            return Some(TakenBack { tag: before.tag?, commit: change.commit.clone() });
        }
    }
    None
}

/// Returns the commits that changed a container's image, newest first, with the image before.
fn changes<'a>(
    past: &'a [PastFile],
    workload: &'a WorkloadId,
    container: &'a Container,
    current: &ImageRef,
) -> impl Iterator<Item = (&'a PastFile, ImageRef)> {
    let mut after = current.clone();
    past.iter().filter_map(move |file| {
        let before = image_in(file.before.as_deref()?, workload, container, &after)?;
        if before == after {
            return None;
        }
        after = before.clone();
        Some((file, before))
    })
}

/// Returns the image that a file gives a container; `after` is that of a later state of the file.
fn image_in(
    file: &ParsedFile,
    workload: &WorkloadId,
    container: &Container,
    after: &ImageRef,
) -> Option<ImageRef> {
    let named = |resource: &Resource| -> Option<ImageRef> {
        resource.workload.as_ref()?.iter().find(|c| c.name == container.name)?.image.clone().ok()
    };
    match &container.origin {
        None => named(file.resources.iter().find(|resource| resource.is(workload))?),
        Some(ImageOrigin { name, .. }) => file.resources.iter().find_map(|resource| {
            let is_it = resource.name == *name && resource.kind.eq_ignore_ascii_case(workload.kind());
            if is_it { named(resource) } else { kustomize::image_by_entry(resource, name, after) }
        }),
    }
}

fn kind_of(commit: &Commit) -> Option<NoteKind> {
    note_kind(commit.note.as_deref()?)
}
