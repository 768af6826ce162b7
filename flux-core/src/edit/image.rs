//! Setting images in place, and adding edits to a file.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use super::{
    Edit, EditError, Intent,
    placed::{CLASH, FileId, Files, OWN, Placed, clashing},
};
use crate::{
    image::ImageRef,
    manifest::{Container, Part, SharedScalar, Site},
    repo_path::RepoPath,
    yaml::quote::{Context, rewrite, write},
};

/// An image that a container is to get.
///
/// Exhaustive: callers make it.
#[derive(Clone, Copy, Debug)]
pub struct ImageChange<'a> {
    /// The file of the container's object.
    pub path: &'a RepoPath,
    /// The container.
    pub container: &'a Container,
    /// The image.
    pub to: &'a ImageRef,
}

/// An edit, its file, and the change that it is intended to make there.
///
/// Exhaustive: to apply it is to know all of it.
#[derive(Clone, Debug, PartialEq)]
pub struct PlacedEdit {
    /// The file.
    pub path: RepoPath,
    /// The edit.
    pub edit: Edit,
    /// The intended change.
    ///
    /// Several edits of a set may be one and the same with different intents.
    pub intent: Intent,
}

/// Returns the edits that set images, one result for each change, in their order.
///
/// All parts of an image are set or none, and all containers of an object or none.
///
/// A value that several places share (a scalar that they have by aliases and merge keys, an entry
/// of a kustomization that several workloads take their tag from) is written once when all of them
/// change to the same. Otherwise each place is written separately: an alias is replaced by the
/// value, and a mapping that merges the value in gets a key of its own. A place that has no other
/// scalar than the shared one is written there if all others get scalars of their own in the same
/// set, and refused if one keeps the shared value.
///
/// An error is [`EditError::Unsupported`] if a part cannot be written in place or is shared with a
/// place that does not change alike, or [`EditError::NotAlone`] for the other containers of the
/// object.
pub fn image_edits(changes: &[ImageChange<'_>]) -> Vec<Result<Vec<PlacedEdit>, EditError>> {
    let mut files = Files::default();
    let change =
        |&ImageChange { path, container, to }: &_| ContainerChange { file: files.id(path), container, to };
    let changes: Vec<ContainerChange<'_>> = changes.iter().map(change).collect();
    let edits = edits_together(&changes, &mut files);
    let place = |placed: Placed| {
        let Placed { file, edit, intent } = placed;
        Some(PlacedEdit { path: files.path(file)?.clone(), edit, intent })
    };
    edits.into_iter().map(|edits| edits.map(|edits| edits.into_iter().filter_map(place).collect())).collect()
}

/// An image that a container is to get.
struct ContainerChange<'a> {
    file: FileId,
    container: &'a Container,
    to: &'a ImageRef,
}

fn edits_together<'a>(
    changes: &[ContainerChange<'a>],
    files: &mut Files<'a>,
) -> Vec<Result<Vec<Placed>, EditError>> {
    let unsupported = |change: &ContainerChange<'_>, why: String| {
        EditError::Unsupported(format!("container {}: {why}", change.container.name))
    };
    let mut writes: Vec<Result<Vec<Write<'a>>, EditError>> = changes
        .iter()
        .map(|change| writes_of(change, files).map_err(|why| unsupported(change, why)))
        .collect();
    // A change that fails may share a scalar with another change, which then fails as well.
    loop {
        let together = together(&writes);
        let of = |writes: &[Write<'_>]| -> Result<Vec<Placed>, String> {
            writes.iter().map(|write| write.edit(&together)).collect()
        };
        let mut edits: Vec<Result<Vec<Placed>, EditError>> = Vec::with_capacity(changes.len());
        for (change, writes) in changes.iter().zip(&writes) {
            edits.push(match writes {
                Ok(writes) => of(writes).map_err(|why| unsupported(change, why)),
                Err(error) => Err(error.clone()),
            });
        }
        for at in clashing(&edits) {
            edits[at] = Err(unsupported(&changes[at], CLASH.to_owned()));
        }
        if edits.iter().all(Result::is_ok) {
            return edits;
        }
        let object = |change: &ContainerChange<'_>| (change.file, change.container.resource);
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

/// Returns the edits that set the image of one container in its own file.
pub(crate) fn own_edits(container: &Container, to: &ImageRef) -> Result<Vec<(Edit, Intent)>, EditError> {
    if let Some(origin) = &container.origin {
        return Err(EditError::Unsupported(format!(
            "container {}: its image is set in {}",
            container.name, origin.document.path
        )));
    }
    // The file has no path here, and needs none: no value of another file is written.
    let change = ContainerChange { file: OWN, container, to };
    let edits =
        edits_together(&[change], &mut Files::default()).into_iter().next().unwrap_or(Ok(Vec::new()))?;
    Ok(edits.into_iter().map(|placed| (placed.edit, placed.intent)).collect())
}

/// Returns the edits that write texts to scalars of one object, one result for each scalar.
///
/// A shared scalar is written once.
pub(crate) fn rewrite_sites(
    sites: &[(&Site, String)],
    resource: usize,
) -> Vec<Result<(Edit, Intent), String>> {
    let write = |&(site, ref text)| Write {
        file: OWN,
        resource,
        site,
        text: String::clone(text),
        user: (OWN, resource, &site.pointer),
    };
    let writes = [Ok(sites.iter().map(write).collect())];
    let together = together(&writes);
    let edit = |write: &Write<'_>| write.edit(&together).map(|placed| (placed.edit, placed.intent));
    writes.iter().flatten().flatten().map(edit).collect()
}

/// Returns the edit that writes a text to a scalar.
fn rewrite_site(site: &Site, text: &str, resource: usize) -> Result<(Edit, Intent), String> {
    if let Some(why) = &site.refused {
        return Err(why.clone());
    }
    Ok((written(site, text), Intent { resource, pointer: site.pointer.clone(), value: Some(text.into()) }))
}

/// Returns the edit of the site's own bytes.
fn written(site: &Site, text: &str) -> Edit {
    match &site.adds {
        Some(key) => {
            let context = if key.quoted { Context::Json } else { Context::Flow };
            let after = format!("{}{}", key.lead, write(text, context));
            Edit { start: site.start, end: site.end, before: site.source.clone(), after }
        }
        None => replace(site.start, site.end, &site.source, text),
    }
}

fn replace(start: usize, end: usize, source: &str, text: &str) -> Edit {
    Edit { start, end, before: source.to_owned(), after: rewrite(source, text, Context::Flow) }
}

/// A text that is to be written to a scalar.
#[derive(Debug)]
struct Write<'a> {
    file: FileId,
    resource: usize,
    site: &'a Site,
    text: String,
    /// The place that takes its value from the scalar.
    ///
    /// It is the scalar's own, or the image of the object that a kustomization applies to.
    user: User<'a>,
}

/// The image of an object, by its file, the object's index and the path within it.
type User<'a> = (FileId, usize, &'a str);

/// A scalar by its file and its first byte.
type ScalarId = (FileId, usize);

impl<'a> Write<'a> {
    fn shared(&self) -> Option<(ScalarId, &'a SharedScalar)> {
        let shared = self.site.shared.as_ref()?;
        Some(((self.file, shared.start), shared))
    }

    /// Returns the edit: of the shared scalar, if that gets this text.
    fn edit(&self, together: &BTreeMap<ScalarId, &str>) -> Result<Placed, String> {
        let (edit, intent) = match self.shared() {
            Some((id, shared)) if together.get(&id) == Some(&self.text.as_str()) => {
                let own = (self.site.start, self.site.end) == (shared.start, shared.end);
                let edit = if own {
                    written(self.site, &self.text)
                } else {
                    replace(shared.start, shared.end, &shared.source, &self.text)
                };
                let value = Some(self.text.as_str().into());
                (edit, Intent { resource: self.resource, pointer: self.site.pointer.clone(), value })
            }
            _ => rewrite_site(self.site, &self.text, self.resource)?,
        };
        Ok(Placed { file: self.file, edit, intent })
    }
}

/// The users of a shared scalar, and the texts that they are to get.
struct Uses<'w, 'a> {
    wanted: u32,
    users: BTreeSet<User<'a>>,
    texts: BTreeSet<&'w str>,
    /// The texts for users that have no other scalar to write.
    bound: BTreeSet<&'w str>,
}

impl Uses<'_, '_> {
    fn of(shared: &SharedScalar) -> Self {
        Self { wanted: shared.uses, users: BTreeSet::new(), texts: BTreeSet::new(), bound: BTreeSet::new() }
    }
}

/// Returns the shared scalars that are written, with their texts.
///
/// Every use of such a scalar changes: all to the same text, or those to the same that have no
/// other scalar to write.
fn together<'w>(writes: &'w [Result<Vec<Write<'_>>, EditError>]) -> BTreeMap<ScalarId, &'w str> {
    let mut scalars: BTreeMap<ScalarId, Uses<'w, '_>> = BTreeMap::new();
    for write in writes.iter().flatten().flatten() {
        if let Some((id, shared)) = write.shared() {
            let uses = scalars.entry(id).or_insert_with(|| Uses::of(shared));
            uses.users.insert(write.user);
            uses.texts.insert(&write.text);
            if write.site.refused.is_some() {
                uses.bound.insert(&write.text);
            }
        }
    }
    let text = |uses: Uses<'w, '_>| {
        let texts = if uses.bound.is_empty() { uses.texts } else { uses.bound };
        let whole = u32::try_from(uses.users.len()) == Ok(uses.wanted) && texts.len() == 1;
        texts.into_iter().next().filter(|_| whole)
    };
    scalars.into_iter().filter_map(|(id, uses)| Some((id, text(uses)?))).collect()
}

/// Returns the texts that the scalars of a container are to get.
///
/// Parts that do not change get none.
fn writes_of<'a>(change: &ContainerChange<'a>, files: &mut Files<'a>) -> Result<Vec<Write<'a>>, String> {
    let &ContainerChange { file: own, container, to } = change;
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
    let as_written = |image: &'a ImageRef| match &container.renamed {
        Some(name) => Cow::Owned(ImageRef { name: name.clone(), ..image.clone() }),
        None => Cow::Borrowed(image),
    };
    let (from, to) = (as_written(from), as_written(to));
    let (file, resource) = match &container.origin {
        Some(origin) => (files.id(&origin.document.path), origin.document.index),
        None => (own, container.resource),
    };
    let mut writes = Vec::new();
    for site in &container.sites {
        // A tag may be added where there is none, but need not be.
        let no_tag = site.part == Part::Tag && from.tag.is_none();
        if no_tag && to.tag.is_none() {
            continue;
        }
        let before = if no_tag { String::new() } else { layout.value(site.part, &from)? };
        let text = layout.value(site.part, &to)?;
        if before != text {
            let pointer = container.origin.as_ref().map_or(&site.pointer, |origin| &origin.pointer);
            let user = (own, container.resource, pointer.as_str());
            writes.push(Write { file, resource, site, text, user });
        }
    }
    Ok(writes)
}

/// The parts of an image that have places of their own.
struct Layout<'a> {
    registry: Option<&'a Site>,
    name: bool,
    /// `true` if the place of the name takes a tag, too.
    takes_tag: bool,
    tag: bool,
    digest: bool,
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
        }
    }

    /// Returns the text for the place of a part when the image is `image`.
    fn value(&self, part: Part, image: &ImageRef) -> Result<String, String> {
        let tag = || image.tag.as_ref().map(ToString::to_string);
        let digest = || image.digest.as_ref().map(|digest| format!("@{digest}")).unwrap_or_default();
        match part {
            Part::Image => Ok(image.to_string()),
            Part::Name => Ok(image.name.to_string()),
            Part::Registry => Ok(self.split(image).0),
            Part::Repository => {
                let path = self.split(image).1;
                let tag = tag().filter(|_| !self.tag).map(|tag| format!(":{tag}")).unwrap_or_default();
                let digest = if self.tag || self.digest { String::new() } else { digest() };
                Ok(format!("{path}{tag}{digest}"))
            }
            Part::Tag => {
                let tag =
                    tag().ok_or_else(|| format!("`{image}` has no tag, and there is a place for one"))?;
                Ok(if self.digest { tag } else { format!("{tag}{}", digest()) })
            }
            Part::Digest => Ok(digest().trim_start_matches('@').to_owned()),
        }
    }

    /// Returns the registry and the rest of the name.
    ///
    /// The registry does not change if the new name starts with it.
    fn split(&self, image: &ImageRef) -> (String, String) {
        let name = image.name.to_string();
        let Some(site) = self.registry else { return (String::new(), name) };
        let registry = text_of(site);
        if let Some(path) = name.strip_prefix(registry).and_then(|rest| rest.strip_prefix('/')) {
            return (registry.to_owned(), path.to_owned());
        }
        match image.name.host() {
            Some(host) => (host.to_owned(), image.name.path().to_owned()),
            None => ("docker.io".to_owned(), image.name.repository()),
        }
    }
}

/// Returns the text of a registry without the quotes around it.
///
/// It holds no characters that need escapes.
fn text_of(registry: &Site) -> &str {
    let source = registry.shared.as_ref().map_or(&registry.source, |shared| &shared.source);
    source.trim_matches(['"', '\''])
}

impl Container {
    /// Returns the edits that set the image: all parts or none, and none if it is that image
    /// already.
    ///
    /// They are for the container's own file, and as if no other container changed; [`image_edits`]
    /// makes those of several together.
    ///
    /// # Errors
    /// [`EditError`] if a part cannot be written in place, or stands in [another
    /// file](Self::origin).
    pub fn edits(&self, to: &ImageRef) -> Result<Vec<(Edit, Intent)>, EditError> {
        own_edits(self, to)
    }
}
