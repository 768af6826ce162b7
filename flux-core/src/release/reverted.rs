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

/// The container of which the past is told.
pub(super) struct Subject<'a> {
    /// Its workload.
    pub(super) workload: &'a WorkloadId,
    /// The container as it is now.
    pub(super) container: &'a Container,
    /// The namespace of objects that name none.
    pub(super) default_namespace: &'a str,
}

/// Returns the image that was taken back from a container.
///
/// A person's commit that replaced an image set by automation takes it back, and so does a
/// rollback, unless automation changed the image since.
pub(super) fn taken_back(past: &[PastFile], of: &Subject<'_>, current: &ImageRef) -> Option<TakenBack> {
    let mut changes = changes(past, of, current).peekable();
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
    of: &'a Subject<'a>,
    current: &ImageRef,
) -> impl Iterator<Item = (&'a PastFile, ImageRef)> {
    let mut after = current.clone();
    past.iter().filter_map(move |file| {
        let before = image_in(file.before.as_deref()?, of, &after)?;
        if before == after {
            return None;
        }
        after = before.clone();
        Some((file, before))
    })
}

/// Returns the image that a file gives a container; `after` is that of a later state of the file.
fn image_in(file: &ParsedFile, of: &Subject<'_>, after: &ImageRef) -> Option<ImageRef> {
    let Subject { workload, container, default_namespace } = of;
    let named = |resource: &Resource| -> Option<ImageRef> {
        resource.workload.as_ref()?.iter().find(|c| c.name == container.name)?.image.clone().ok()
    };
    match &container.origin {
        None => named(file.resources.iter().find(|resource| resource.is(workload, default_namespace))?),
        Some(ImageOrigin { name, .. }) => file.resources.iter().find_map(|resource| {
            let is_it = resource.name == *name && resource.kind.eq_ignore_ascii_case(workload.kind());
            if is_it { named(resource) } else { kustomize::image_by_entry(resource, name, after) }
        }),
    }
}

fn kind_of(commit: &Commit) -> Option<NoteKind> {
    note_kind(commit.note.as_deref()?)
}
