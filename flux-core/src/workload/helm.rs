//! Images in the values of a HelmRelease, by v1's conventions.
//!
//! At one level of the values an image is `image: name[:tag]`, optionally with `tag` and `registry`
//! beside it, or `image` is a mapping of `repository` and, optionally, `registry`, `tag` and
//! `digest`. These levels are searched: the values themselves (the container is called
//! `chart-image`), each mapping in them (the container is called by its key) and, beyond v1, those
//! below (the container is called by its path, `web.sidecar`). Deep down `image` may be anything,
//! so there it must look like an image: a mapping, or a text with a tag or a digest. Lists are not
//! searched. Annotations name any other place: `repository.fluxcd.io/NAME: path.in.values`, and the
//! same with `registry` and `tag`.
//!
//! A tag may be written without quotes and be a number to YAML; it is read as written, `1.20` as
//! `1.20`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{
    context::{Context, SHAPE},
    image_parts::ImageParts,
};
use crate::{
    manifest::{Container, ContainerRole::Main, Resource},
    yaml::{cursor::Cursor, scalar::Scalar},
};

/// The name of the container whose image stands at the top of the values.
const CHART_IMAGE: &str = "chart-image";

/// The number of mappings of the values that are searched.
///
/// Charts have some hundreds.
const LEVELS: usize = 10_000;

const REPOSITORY_PATH: &str = "repository.fluxcd.io/";
const REGISTRY_PATH: &str = "registry.fluxcd.io/";
const TAG_PATH: &str = "tag.fluxcd.io/";

/// Returns `true` if objects of this group and kind are HelmReleases.
pub(crate) fn is_release(group: &str, kind: &str) -> bool {
    kind == "HelmRelease" && matches!(group, "helm.fluxcd.io" | "helm.toolkit.fluxcd.io")
}

/// Returns the images in the values: the chart's own first, then by name.
pub(crate) fn containers(
    at: &Cursor<'_, '_>,
    resource: &Resource,
    context: &mut Context<'_>,
) -> Vec<Container> {
    let Some(values) = at.path(&["spec", "values"]).filter(Cursor::is_map) else { return Vec::new() };
    let mut found = BTreeMap::new();
    found.extend(convention(&values, context).map(|parts| (CHART_IMAGE.to_owned(), parts)));
    let named = annotated(&values, resource, context);
    let taken: BTreeSet<&str> =
        named.iter().map(|(_, parts)| parts.repository.site.pointer.as_str()).collect();
    let mut left = LEVELS;
    for (key, level) in values.entries().unwrap_or_default() {
        let mut below = Vec::new();
        for (inner, level) in level.entries().unwrap_or_default() {
            deeper(&level, &format!("{key}.{inner}"), context, &mut left, &mut below);
        }
        // An image that an annotation names has the name from the annotation, and no other.
        below.retain(|(_, parts)| !taken.contains(parts.repository.site.pointer.as_str()));
        found.extend(below);
        found.extend(convention(&level, context).map(|parts| (key, parts)));
    }
    found.extend(named);
    let mut containers = Vec::with_capacity(found.len());
    containers.extend(found.remove(CHART_IMAGE).map(|parts| parts.container(CHART_IMAGE, Main, context)));
    containers.extend(found.iter().map(|(name, parts)| parts.container(name, Main, context)));
    containers
}

/// Collects the images of a level that v1 did not search, and of those below it.
fn deeper(
    level: &Cursor<'_, '_>,
    name: &str,
    context: &Context<'_>,
    left: &mut usize,
    found: &mut Vec<(String, ImageParts)>,
) {
    let Some(entries) = level.entries() else { return };
    let Some(fewer) = left.checked_sub(1) else { return };
    *left = fewer;
    let is_map = level.get("image").is_some_and(|image| image.is_map());
    let sure =
        |parts: &ImageParts| parts.image().is_ok_and(|i| is_map || i.tag.is_some() || i.digest.is_some());
    found.extend(convention(level, context).filter(sure).map(|parts| (name.to_owned(), parts)));
    for (key, level) in entries {
        deeper(&level, &format!("{name}.{key}"), context, left, found);
    }
}

/// Returns the image of one level of the values, if there is one.
fn convention(level: &Cursor<'_, '_>, context: &Context<'_>) -> Option<ImageParts> {
    let image = level.get("image")?;
    let (beside, repository) = if image.is_map() {
        (image.clone(), image.get("repository")?)
    } else {
        (level.clone(), image.clone())
    };
    let leaf = |at: Cursor<'_, '_>| context.scalar_ref(&at);
    let parts = ImageParts {
        registry: beside.get("registry").filter(|r| r.text().is_some()).and_then(leaf),
        tag: beside.get("tag").filter(|t| is_tag(t)).and_then(leaf),
        digest: image.get("digest").filter(|d| d.text().is_some()).and_then(leaf),
        repository: leaf(repository.filled()?)?,
    };
    // A blank registry or tag leaves the choice to the chart: the image that runs cannot be read
    // here.
    let known = [&parts.registry, &parts.tag].into_iter().flatten().all(|leaf| !leaf.text.is_empty());
    known.then_some(parts)
}

/// Returns the images that annotations name.
fn annotated(
    values: &Cursor<'_, '_>,
    resource: &Resource,
    context: &mut Context<'_>,
) -> Vec<(String, ImageParts)> {
    let mut paths = Paths { values, known: HashMap::new() };
    let mut at_path = |prefix: &str, name: &str| {
        let path = &resource.annotations.get(&format!("{prefix}{name}"))?.value;
        paths.find(path)
    };
    let mut found = Vec::new();
    for (key, annotation) in resource.annotations.iter() {
        let Some(name) = key.strip_prefix(REPOSITORY_PATH).filter(|name| !name.is_empty()) else { continue };
        match at_path(REPOSITORY_PATH, name).and_then(Cursor::filled).and_then(|at| context.scalar_ref(&at)) {
            Some(repository) => {
                let registry = at_path(REGISTRY_PATH, name).and_then(Cursor::filled);
                let tag = at_path(TAG_PATH, name).filter(is_tag);
                let parts = ImageParts {
                    registry: registry.and_then(|at| context.scalar_ref(&at)),
                    tag: tag.and_then(|at| context.scalar_ref(&at)),
                    repository,
                    digest: None,
                };
                found.push((name.to_owned(), parts));
            }
            None => {
                let evidence = format!("`{key}` names `{}`, where the values have no text", annotation.value);
                context.invalid(annotation.position, evidence, SHAPE);
            }
        }
    }
    found
}

/// A lookup of paths of keys.
///
/// Mappings that were searched are kept: there may be many paths through a large one.
struct Paths<'a, 't, 's> {
    values: &'a Cursor<'t, 's>,
    known: HashMap<String, BTreeMap<String, Cursor<'t, 's>>>,
}

impl<'t, 's> Paths<'_, 't, 's> {
    fn find(&mut self, path: &str) -> Option<Cursor<'t, 's>> {
        path.split('.').try_fold(self.values.clone(), |at, key| {
            let read = || at.entries().unwrap_or_default().into_iter().collect();
            self.known.entry(at.pointer.clone()).or_insert_with(read).get(key).cloned()
        })
    }
}

impl Cursor<'_, '_> {
    /// Returns the value itself, if it is a text that is not blank.
    fn filled(self) -> Option<Self> {
        let filled = self.text().is_some_and(|text| !text.is_empty());
        filled.then_some(self)
    }
}

/// Returns `true` if a value can be a tag.
///
/// A tag like `1.20` may stand there without quotes and be a number to YAML.
fn is_tag(at: &Cursor<'_, '_>) -> bool {
    matches!(at.meaning(), Some(Scalar::Text(_) | Scalar::Int(_) | Scalar::Big(_) | Scalar::Float(_)))
}
