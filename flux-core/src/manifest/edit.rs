//! Setting images where they stand, and putting edits into a file.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Container, Edit, EditError, Intent, Part, SharedScalar, Site,
    quote::{Context, rewrite},
};
use crate::image::ImageRef;

/// An image that a container is to get.
#[derive(Clone, Copy, Debug)]
pub struct ImageChange<'a> {
    /// The file of the container's object.
    pub path: &'a str,
    /// The container.
    pub container: &'a Container,
    /// The image.
    pub to: &'a ImageRef,
}

/// An edit, the file that it is for, and what it is meant to do there.
#[derive(Clone, Debug, PartialEq)]
pub struct PlacedEdit {
    /// The file.
    pub path: String,
    /// The edit.
    pub edit: Edit,
    /// What it is meant to do. Several edits of a set may be one and the same with different intents.
    pub intent: Intent,
}

/// The edits that set images, one answer a change, in their order. All parts of an image are set or none, and all containers of an object or none.
///
/// What several places share (an anchored scalar and its aliases, an entry of a kustomization that several workloads take their tag
/// from) is written once when all of them change to the same. Otherwise an alias is replaced by the value where it stands, and anything
/// else that is shared is refused.
///
/// An error is [`EditError::Unsupported`], where a part cannot be written in place or is shared with a place that does not change alike, or
/// [`EditError::NotAlone`] for the other containers of the object.
pub fn image_edits(changes: &[ImageChange<'_>]) -> Vec<Result<Vec<PlacedEdit>, EditError>> {
    let unsupported = |change: &ImageChange<'_>, why: String| {
        EditError::Unsupported(format!("container {}: {why}", change.container.name))
    };
    let mut writes: Vec<Result<Vec<Write<'_>>, EditError>> = changes
        .iter()
        .map(|change| {
            writes_of(change.container, change.to, change.path).map_err(|why| unsupported(change, why))
        })
        .collect();
    // What cannot be done for one change may be what another shares with it, so that it cannot be done either.
    loop {
        let together = together(&writes);
        let mut taken = BTreeMap::new();
        let mut edits: Vec<Result<Vec<PlacedEdit>, EditError>> = Vec::with_capacity(changes.len());
        for (change, writes) in changes.iter().zip(&writes) {
            edits.push(match writes {
                Ok(writes) => edits_of(writes, &together, &mut taken).map_err(|why| unsupported(change, why)),
                Err(error) => Err(error.clone()),
            });
        }
        let object = |change: &ImageChange<'_>| (change.path.to_owned(), change.container.resource);
        let failed: BTreeSet<_> =
            changes.iter().zip(&edits).filter(|(_, edits)| edits.is_err()).map(|(c, _)| object(c)).collect();
        for (change, edits) in changes.iter().zip(&mut edits) {
            if edits.is_ok() && failed.contains(&object(change)) {
                *edits = Err(EditError::NotAlone);
            }
        }
        let mut settled = true;
        for (writes, edits) in writes.iter_mut().zip(&edits) {
            if let (Ok(_), Err(error)) = (&writes, edits) {
                *writes = Err(error.clone());
                settled = false;
            }
        }
        if settled {
            return edits;
        }
    }
}

/// The edits of one container.
fn edits_of(
    writes: &[Write<'_>],
    together: &BTreeSet<ScalarId<'_>>,
    taken: &mut BTreeMap<(String, usize), Edit>,
) -> Result<Vec<PlacedEdit>, String> {
    let edits: Vec<PlacedEdit> = writes.iter().map(|write| write.edit(together)).collect::<Result<_, _>>()?;
    edits.iter().try_for_each(|edit| claim(taken, &edit.path, &edit.edit))?;
    Ok(edits)
}

/// The edits that set the image of one container in its own file.
pub(super) fn own_edits(container: &Container, to: &ImageRef) -> Result<Vec<(Edit, Intent)>, EditError> {
    if let Some(elsewhere) = &container.elsewhere {
        return Err(EditError::Unsupported(format!(
            "container {}: its image is set in {}",
            container.name, elsewhere.path
        )));
    }
    let change = ImageChange { path: "", container, to };
    let edits = image_edits(&[change]).into_iter().next().unwrap_or(Ok(Vec::new()))?;
    Ok(edits.into_iter().map(|placed| (placed.edit, placed.intent)).collect())
}

/// The edit that writes a text where a scalar stands.
pub(super) fn rewrite_site(site: &Site, text: &str, resource: usize) -> Result<(Edit, Intent), String> {
    if let Some(why) = &site.refused {
        return Err(why.clone());
    }
    let edit = replace(site.start, site.end, &site.source, text);
    Ok((edit, Intent { resource, pointer: site.pointer.clone(), value: Some(text.into()) }))
}

fn replace(start: usize, end: usize, source: &str, text: &str) -> Edit {
    Edit { start, end, before: source.to_owned(), after: rewrite(source, text, Context::Flow) }
}

/// A text that a scalar is to get.
#[derive(Debug)]
struct Write<'a> {
    path: &'a str,
    resource: usize,
    site: &'a Site,
    text: String,
    /// The place that takes its value from the scalar: its own, or the image of the object that a kustomization is for.
    user: (&'a str, usize, &'a str),
}

/// A scalar by its file and its first byte.
type ScalarId<'a> = (&'a str, usize);

impl<'a> Write<'a> {
    fn shared(&self) -> Option<(ScalarId<'a>, &'a SharedScalar)> {
        let shared = self.site.shared.as_ref()?;
        Some(((self.path, shared.start), shared))
    }

    /// The edit, of the shared scalar if it is among those that are written for all.
    fn edit(&self, together: &BTreeSet<ScalarId<'_>>) -> Result<PlacedEdit, String> {
        let (edit, intent) = match self.shared() {
            Some((id, shared)) if together.contains(&id) => {
                let edit = replace(shared.start, shared.end, &shared.source, &self.text);
                let value = Some(self.text.as_str().into());
                (edit, Intent { resource: self.resource, pointer: self.site.pointer.clone(), value })
            }
            _ => rewrite_site(self.site, &self.text, self.resource)?,
        };
        Ok(PlacedEdit { path: self.path.to_owned(), edit, intent })
    }
}

/// The shared scalars of which every use changes, all to the same text.
fn together<'a>(writes: &[Result<Vec<Write<'a>>, EditError>]) -> BTreeSet<ScalarId<'a>> {
    let mut uses: BTreeMap<ScalarId<'a>, (u32, BTreeSet<_>, BTreeSet<&str>)> = BTreeMap::new();
    for write in writes.iter().flatten().flatten() {
        if let Some((id, shared)) = write.shared() {
            let (wanted, users, texts) = uses.entry(id).or_default();
            *wanted = shared.uses;
            users.insert(write.user);
            texts.insert(&write.text);
        }
    }
    let whole = |(wanted, users, texts): &(u32, BTreeSet<_>, BTreeSet<&str>)| {
        texts.len() == 1 && u32::try_from(users.len()) == Ok(*wanted)
    };
    uses.into_iter().filter(|(_, use_)| whole(use_)).map(|(id, _)| id).collect()
}

/// Takes the bytes of an edit, unless another edit has some of them.
fn claim(taken: &mut BTreeMap<(String, usize), Edit>, path: &str, edit: &Edit) -> Result<(), String> {
    let key = (path.to_owned(), edit.start);
    if taken.get(&key) == Some(edit) {
        return Ok(());
    }
    let before = taken.range(..=key.clone()).next_back();
    let behind = taken.range(key.clone()..).next();
    let overlaps = |((other_path, _), other): (&(String, usize), &Edit)| {
        other_path == path
            && other.start < edit.end.max(edit.start + 1)
            && edit.start < other.end.max(other.start + 1)
    };
    if before.is_some_and(overlaps) || behind.is_some_and(overlaps) {
        return Err("the image of another container stands in the same place and becomes another".to_owned());
    }
    taken.insert(key, edit.clone());
    Ok(())
}

/// The texts that the scalars of a container are to get. Parts that stay as they are get none.
fn writes_of<'a>(container: &'a Container, to: &ImageRef, path: &'a str) -> Result<Vec<Write<'a>>, String> {
    let from =
        container.image.as_ref().map_err(|bad| format!("its image cannot be read: {}", bad.problem))?;
    if from == to {
        return Ok(Vec::new());
    }
    if container.sites.is_empty() {
        return Err("there is no place where its image is written".to_owned());
    }
    let layout = Layout::of(&container.sites);
    if from.name != to.name && (container.renamed.is_some() || !layout.name) {
        return Err(format!("there is no place to write the name {}", to.name));
    }
    let any_tag = layout.tag || layout.takes_tag;
    if from.tag != to.tag && !any_tag {
        return Err("there is a place for a digest, and none for a tag".to_owned());
    }
    let as_written = |image: &ImageRef| match &container.renamed {
        Some(name) => ImageRef { name: name.clone(), ..image.clone() },
        None => image.clone(),
    };
    let (from, to) = (as_written(from), as_written(to));
    let (file, resource) = match &container.elsewhere {
        Some(elsewhere) => (elsewhere.path.as_str(), elsewhere.resource),
        None => (path, container.resource),
    };
    let mut writes = Vec::new();
    for site in &container.sites {
        let before = layout.value(site.part, &from, &from)?;
        let text = layout.value(site.part, &to, &from)?;
        if before != text {
            let pointer = container.elsewhere.as_ref().map_or(&site.pointer, |elsewhere| &elsewhere.pointer);
            let user = (path, container.resource, pointer.as_str());
            writes.push(Write { path: file, resource, site, text, user });
        }
    }
    Ok(writes)
}

/// Which parts of an image have places of their own.
struct Layout<'a> {
    registry: Option<&'a Site>,
    name: bool,
    /// Whether the place of the name takes a tag, too.
    takes_tag: bool,
    tag: bool,
    digest: bool,
    repository: &'a str,
}

impl<'a> Layout<'a> {
    fn of(sites: &'a [Site]) -> Self {
        let site = |part| sites.iter().find(|s| s.part == part);
        let takes_tag = site(Part::Image).is_some() || site(Part::Repository).is_some();
        let tag = site(Part::Tag).is_some();
        Self {
            registry: site(Part::Registry),
            name: takes_tag || site(Part::Name).is_some(),
            takes_tag,
            tag,
            digest: site(Part::Digest).is_some(),
            repository: site(Part::Repository).map_or("", |s| s.source.as_str()),
        }
    }

    /// What the place of a part holds when the image is `image`, in a file where it was `was`.
    fn value(&self, part: Part, image: &ImageRef, was: &ImageRef) -> Result<String, String> {
        let (registry, path) = self.split(image, was);
        let tag = image.tag.as_ref().map(ToString::to_string);
        let digest = image.digest.as_ref().map(|digest| format!("@{digest}")).unwrap_or_default();
        match part {
            Part::Image => Ok(image.to_string()),
            Part::Name => Ok(image.name.to_string()),
            Part::Registry => Ok(registry),
            Part::Repository => {
                let tag = tag.filter(|_| !self.tag).map(|tag| format!(":{tag}")).unwrap_or_default();
                let digest = if self.tag || self.digest { "" } else { &digest };
                Ok(format!("{path}{tag}{digest}"))
            }
            Part::Tag => {
                let tag = tag.ok_or_else(|| format!("`{image}` has no tag, and there is a place for one"))?;
                Ok(if self.digest { tag } else { format!("{tag}{digest}") })
            }
            Part::Digest => Ok(digest.trim_start_matches('@').to_owned()),
        }
    }

    /// The registry and what follows it. The registry stays as it is where the new name starts with it.
    fn split(&self, image: &ImageRef, was: &ImageRef) -> (String, String) {
        let name = image.name.to_string();
        let Some(site) = self.registry else { return (String::new(), name) };
        let written = bare(&site.source);
        let was_name = was.name.to_string();
        // An alias does not say what it stands for, but the name does: it is what stands before the repository.
        let registry = if written.starts_with('*') {
            let repository = bare(self.repository).split([':', '@']).next().unwrap_or_default();
            was_name.strip_suffix(repository).map_or(String::new(), |r| r.trim_end_matches('/').to_owned())
        } else {
            written.to_owned()
        };
        if let Some(path) = name.strip_prefix(&registry).and_then(|rest| rest.strip_prefix('/')) {
            return (registry.clone(), path.to_owned());
        }
        match image.name.host() {
            Some(host) => (host.to_owned(), image.name.path().to_owned()),
            None => ("docker.io".to_owned(), image.name.repository()),
        }
    }
}

/// The text of a registry or repository without the quotes around it; they hold nothing that needs escapes.
fn bare(source: &str) -> &str {
    source.trim_matches(['"', '\''])
}

/// Applies edits to a file. Edits may come in any order and must not overlap.
///
/// # Errors
/// [`EditError::Mismatch`] if what stands there is not what an edit expects, or two edits overlap.
pub fn apply(source: &[u8], edits: &[Edit]) -> Result<Vec<u8>, EditError> {
    let mut sorted: Vec<&Edit> = edits.iter().collect();
    sorted.sort();
    sorted.dedup();
    let grown: usize = sorted.iter().map(|edit| edit.after.len()).sum();
    let mut out = Vec::with_capacity(source.len() + grown);
    let mut at = 0;
    for edit in sorted {
        let mismatch = || EditError::Mismatch { start: edit.start, end: edit.end };
        let kept = source.get(at..edit.start).ok_or_else(mismatch)?;
        if source.get(edit.start..edit.end) != Some(edit.before.as_bytes()) {
            return Err(mismatch());
        }
        out.extend_from_slice(kept);
        out.extend_from_slice(edit.after.as_bytes());
        at = edit.end;
    }
    out.extend_from_slice(&source[at..]);
    Ok(out)
}
