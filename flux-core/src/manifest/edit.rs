//! Setting an image where it stands, and putting edits into a file.

use super::{
    Container, Edit, EditError, Intent, Part, Site,
    quote::{Context, rewrite},
};
use crate::image::ImageRef;

/// The edits that set the image of a container, all parts or none. Parts that stay as they are get no edit.
pub(super) fn image_edits(container: &Container, to: &ImageRef) -> Result<Vec<(Edit, Intent)>, EditError> {
    let unsupported = |why: String| EditError::Unsupported(format!("container {}: {why}", container.name));
    let from = match &container.image {
        Ok(from) => from,
        Err(bad) => return Err(unsupported(format!("its image cannot be read: {}", bad.problem))),
    };
    if from == to {
        return Ok(Vec::new());
    }
    if container.sites.is_empty() {
        return Err(unsupported("there is no place where its image is written".to_owned()));
    }
    let layout = Layout::of(&container.sites);
    let mut edits = Vec::new();
    for site in &container.sites {
        let before = layout.value(site.part, from, from).map_err(unsupported)?;
        let after = layout.value(site.part, to, from).map_err(unsupported)?;
        if before != after {
            edits.push(site.write(&after, container.resource).map_err(unsupported)?);
        }
    }
    Ok(edits)
}

impl Site {
    fn write(&self, text: &str, resource: usize) -> Result<(Edit, Intent), String> {
        if let Some(why) = &self.refused {
            return Err(why.clone());
        }
        let edit = Edit {
            start: self.start,
            end: self.end,
            before: self.source.clone(),
            after: rewrite(&self.source, text, Context::Flow),
        };
        Ok((edit, Intent { resource, pointer: self.pointer.clone(), value: Some(text.into()) }))
    }
}

/// Which parts of an image have places of their own.
struct Layout<'a> {
    registry: Option<&'a Site>,
    tag: bool,
    digest: bool,
    repository: &'a str,
}

impl<'a> Layout<'a> {
    fn of(sites: &'a [Site]) -> Self {
        let site = |part| sites.iter().find(|s| s.part == part);
        Self {
            registry: site(Part::Registry),
            tag: site(Part::Tag).is_some(),
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
