//! Images in the values of a HelmRelease, by v1's conventions.
//!
//! At one level of the values an image is `image: name[:tag]`, with `tag` and `registry` beside it or not, or `image` is a mapping of
//! `repository` and, if need be, `registry`, `tag` and `digest`. Levels looked at are the values themselves (the container is called
//! `chart-image`) and each mapping in them (the container is called by its key). Deeper ones are named by annotations:
//! `repository.fluxcd.io/NAME: path.in.values`, and the same with `registry` and `tag`.

use std::collections::BTreeMap;

use super::{
    BadImage, Container, ContainerRole, Part, Resource,
    scalar::{Scalar, resolve},
    walk::Cursor,
    workload::Context,
};
use crate::image::ImageRef;

/// The name of the container whose image stands at the top of the values.
const CHART_IMAGE: &str = "chart-image";

const REPOSITORY_PATH: &str = "repository.fluxcd.io/";
const REGISTRY_PATH: &str = "registry.fluxcd.io/";
const TAG_PATH: &str = "tag.fluxcd.io/";

/// Whether objects of this group and kind are HelmReleases.
pub(super) fn is_release(group: &str, kind: &str) -> bool {
    kind == "HelmRelease" && matches!(group, "helm.fluxcd.io" | "helm.toolkit.fluxcd.io")
}

/// The images in the values: the chart's own first, then by name.
pub(super) fn containers(
    at: &Cursor<'_, '_>,
    resource: &Resource,
    context: &mut Context<'_>,
) -> Vec<Container> {
    let Some(values) = at.path(&["spec", "values"]).filter(Cursor::is_map) else { return Vec::new() };
    let mut found = BTreeMap::new();
    found.extend(convention(&values).map(|parts| (CHART_IMAGE.to_owned(), parts)));
    for (key, level) in values.entries().unwrap_or_default() {
        found.extend(convention(&level).map(|parts| (key, parts)));
    }
    found.extend(annotated(&values, resource, context));
    let mut containers = Vec::with_capacity(found.len());
    containers.extend(found.remove(CHART_IMAGE).map(|parts| parts.container(CHART_IMAGE, context)));
    containers.extend(found.iter().map(|(name, parts)| parts.container(name, context)));
    containers
}

/// The scalars that make up an image.
struct Parts<'t, 's> {
    registry: Option<Cursor<'t, 's>>,
    repository: Cursor<'t, 's>,
    tag: Option<Cursor<'t, 's>>,
    digest: Option<Cursor<'t, 's>>,
}

/// The image of one level of the values, if there is one.
fn convention<'t, 's>(level: &Cursor<'t, 's>) -> Option<Parts<'t, 's>> {
    let image = level.get("image")?;
    let (beside, repository) = if image.is_map() {
        (image.clone(), image.get("repository")?)
    } else {
        (level.clone(), image.clone())
    };
    let parts = Parts {
        registry: beside.get("registry").filter(|r| r.text().is_some()),
        tag: beside.get("tag").filter(|t| tag_text(t).is_some()),
        digest: if image.is_map() { image.get("digest").filter(|d| d.text().is_some()) } else { None },
        repository,
    };
    // A blank registry or tag means that the chart decides: what runs is not known from here.
    let known = |at: &Option<Cursor<'_, '_>>| {
        at.as_ref().is_none_or(|at| at.scalar().is_some_and(|(t, _)| !t.is_empty()))
    };
    let named = parts.repository.text().is_some_and(|text| !text.is_empty());
    (named && known(&parts.registry) && known(&parts.tag)).then_some(parts)
}

/// The images that annotations name.
fn annotated<'t, 's>(
    values: &Cursor<'t, 's>,
    resource: &Resource,
    context: &mut Context<'_>,
) -> Vec<(String, Parts<'t, 's>)> {
    let at_path = |prefix: &str, name: &str| {
        let path = &resource.annotations.get(&format!("{prefix}{name}"))?.value;
        values.path(&path.split('.').collect::<Vec<_>>())
    };
    let mut found = Vec::new();
    for (key, annotation) in &resource.annotations {
        let Some(name) = key.strip_prefix(REPOSITORY_PATH).filter(|name| !name.is_empty()) else { continue };
        match at_path(REPOSITORY_PATH, name).filter(|at| at.text().is_some_and(|t| !t.is_empty())) {
            Some(repository) => {
                let registry =
                    at_path(REGISTRY_PATH, name).filter(|r| r.text().is_some_and(|t| !t.is_empty()));
                let tag = at_path(TAG_PATH, name).filter(|t| tag_text(t).is_some());
                found.push((name.to_owned(), Parts { registry, repository, tag, digest: None }));
            }
            None => {
                let evidence = format!("`{key}` names `{}`, where the values have no text", annotation.value);
                context.invalid((annotation.line, annotation.column), evidence);
            }
        }
    }
    found
}

/// The text of a tag: a tag like `1.20` may stand there without quotes and be a number to YAML.
fn tag_text<'t>(at: &Cursor<'t, '_>) -> Option<&'t str> {
    let (text, style) = at.scalar()?;
    let tag = at.tree[at.tree.target(at.node)].tag;
    match resolve(text, style, tag).ok()? {
        Scalar::Text(_) | Scalar::Int(_) | Scalar::Big(_) | Scalar::Float(_) => Some(text),
        Scalar::Null | Scalar::Bool(_) => None,
    }
}

impl Parts<'_, '_> {
    fn container(&self, name: &str, context: &mut Context<'_>) -> Container {
        let (line, column) = self.repository.place();
        let sites = [
            (Part::Registry, self.registry.as_ref()),
            (self.name_part(), Some(&self.repository)),
            (Part::Tag, self.tag.as_ref()),
            (Part::Digest, self.digest.as_ref()),
        ];
        let site = |(part, at): (Part, Option<&Cursor<'_, '_>>)| context.site(at?, part);
        let sites = sites.into_iter().filter_map(site).collect();
        let container = Container {
            resource: context.resource,
            name: name.to_owned(),
            role: ContainerRole::Main,
            image: self.image(),
            line,
            column,
            sites,
        };
        context.check_image(&container);
        container
    }

    /// Alone, the repository is the whole image.
    fn name_part(&self) -> Part {
        let alone = self.registry.is_none() && self.tag.is_none() && self.digest.is_none();
        if alone { Part::Image } else { Part::Repository }
    }

    fn image(&self) -> Result<ImageRef, BadImage> {
        let text =
            |at: &Option<Cursor<'_, '_>>| at.as_ref().and_then(Cursor::scalar).map(|(t, _)| t.to_owned());
        let mut name = self.repository.text().unwrap_or_default().to_owned();
        if let Some(registry) = text(&self.registry) {
            name = format!("{registry}/{name}");
        }
        let mut image: ImageRef = name.parse()?;
        if let Some(tag) = text(&self.tag) {
            // A tag may carry the digest: charts put both behind the colon.
            let bare = ImageRef { tag: None, digest: image.digest.take(), ..image };
            let written = format!("{}:{tag}", bare.name);
            image = written.parse()?;
            image.digest = image.digest.or(bare.digest);
        }
        if let Some(digest) = text(&self.digest).filter(|d| !d.is_empty()) {
            image.digest = Some(digest.parse()?);
        }
        Ok(image)
    }
}
