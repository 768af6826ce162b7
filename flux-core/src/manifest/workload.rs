//! Which objects are workloads that can be released, and where their containers stand.

use super::{
    BadImage, Container, ContainerRole, Part, Problem, Resource, Site, helm,
    tree::{Kind, Style, Tag},
    walk::Cursor,
};
use crate::{finding::Code, image::ImageRef};

/// The kinds with a pod template, and the path to its pod.
const POD_PATHS: [(&[&str], &str, &[&str]); 4] = [
    (&["apps", "extensions"], "Deployment", &["spec", "template", "spec"]),
    (&["apps", "extensions"], "DaemonSet", &["spec", "template", "spec"]),
    (&["apps", "extensions"], "StatefulSet", &["spec", "template", "spec"]),
    (&["batch"], "CronJob", &["spec", "jobTemplate", "spec", "template", "spec"]),
];

/// The lists of a pod, in the order in which v1 counts their containers.
const LISTS: [(&str, ContainerRole); 3] = [
    ("containers", ContainerRole::Main),
    ("initContainers", ContainerRole::Init),
    ("ephemeralContainers", ContainerRole::Ephemeral),
];

/// What reading a workload has to do with.
pub(super) struct Context<'a> {
    /// The workload's id.
    pub subject: &'a str,
    /// The index of its object in the file.
    pub resource: usize,
    /// Whether the document is encrypted: nothing in it is edited.
    pub encrypted: bool,
    pub problems: &'a mut Vec<Problem>,
}

/// The containers of an object; none if it is no workload that can be released.
pub(super) fn containers(
    at: &Cursor<'_, '_>,
    resource: &Resource,
    (index, subject): (usize, &str),
    problems: &mut Vec<Problem>,
) -> Option<Vec<Container>> {
    let mut context = Context { subject, resource: index, encrypted: resource.is_encrypted(), problems };
    if helm::is_release(resource.group(), &resource.kind) {
        return Some(helm::containers(at, resource, &mut context));
    }
    let (_, _, path) = POD_PATHS
        .iter()
        .find(|(groups, kind, _)| groups.contains(&resource.group()) && *kind == resource.kind)?;
    let Some(pod) = at.path(path).filter(Cursor::is_map) else {
        let (line, column) = at.place();
        context.invalid((line, column), format!("`{}` is missing or no mapping", path.join(".")));
        return Some(Vec::new());
    };
    Some(LISTS.iter().flat_map(|(list, role)| of_list(&pod, list, *role, &mut context)).collect())
}

fn of_list(
    pod: &Cursor<'_, '_>,
    list: &str,
    role: ContainerRole,
    context: &mut Context<'_>,
) -> Vec<Container> {
    let required = role == ContainerRole::Main;
    let Some(found) = pod.get(list).filter(|l| !l.is_null()) else {
        if required {
            context.invalid(pod.place(), format!("`{list}` is missing"));
        }
        return Vec::new();
    };
    let Some(items) = found.items() else {
        context.invalid(found.place(), format!("`{list}` is no list"));
        return Vec::new();
    };
    let mut containers = Vec::with_capacity(items.len());
    for item in items {
        let Some(name) = item.get("name").and_then(|n| n.text()).filter(|n| !n.is_empty()) else {
            let what = if item.is_map() { "has no `name`" } else { "is no mapping" };
            context.invalid(item.place(), format!("an item of `{list}` {what}"));
            continue;
        };
        let image_at = item.get("image").filter(|i| !i.is_null());
        let (line, column) = image_at.as_ref().unwrap_or(&item).place();
        let image = match image_at.as_ref().and_then(Cursor::scalar) {
            Some((text, _)) => text.parse::<ImageRef>().map_err(BadImage::from),
            None if image_at.is_some() => {
                Err(BadImage { text: String::new(), problem: "`image` is no text".to_owned() })
            }
            None => Err(BadImage { text: String::new(), problem: "there is no `image`".to_owned() }),
        };
        let name = name.to_owned();
        let mut container =
            Container { resource: context.resource, name, role, image, line, column, sites: Vec::new() };
        context.check_image(&container);
        container.sites.extend(image_at.and_then(|at| context.site(&at, Part::Image)));
        containers.push(container);
    }
    containers
}

impl Context<'_> {
    /// Tells that the workload's shape is wrong.
    pub(super) fn invalid(&mut self, (line, column): (u32, u32), evidence: String) {
        self.problems.push(Problem {
            code: Code::InvalidWorkload,
            subject: Some(self.subject.to_owned()),
            line,
            column,
            evidence,
            remedy: "write it as its kind says; `kubectl explain` shows the fields".to_owned(),
        });
    }

    /// Tells of an image that cannot be parsed.
    pub(super) fn check_image(&mut self, container: &Container) {
        let Err(bad) = &container.image else { return };
        if self.encrypted {
            return;
        }
        let template = bad.text.contains("{{");
        let said = if bad.text.is_empty() {
            bad.problem.clone()
        } else {
            format!("`{}` is no image: {}", bad.text, bad.problem)
        };
        self.problems.push(Problem {
            code: if template { Code::Template } else { Code::InvalidImage },
            subject: Some(self.subject.to_owned()),
            line: container.line,
            column: container.column,
            evidence: format!("container {}: {said}", container.name),
            remedy: if template {
                "write the image out, or keep the template outside of the synced paths".to_owned()
            } else {
                "write the image as [host/]name[:tag][@digest]".to_owned()
            },
        });
    }

    /// The scalar at `at` as a place to write; none if it is no scalar.
    pub(super) fn site(&self, at: &Cursor<'_, '_>, part: Part) -> Option<Site> {
        let node = &at.tree[at.node];
        let (start, end, own) = match &node.kind {
            Kind::Alias(_) => (node.start, node.end, None),
            Kind::Scalar { style: Style::Block, .. } => match at.block_span() {
                Some((start, end)) => (start, end, None),
                None => (node.start, node.end, Some("the block scalar's header was not found".to_owned())),
            },
            Kind::Scalar { .. } => (node.start, node.end, None),
            Kind::Map { .. } | Kind::Seq { .. } => return None,
        };
        let anchored = at.tree.used_anchor(at.node).map(|name| {
            format!("it carries the anchor `&{name}`, which other places use: write the image out where `*{name}` stands")
        });
        let tagged = (node.tag == Some(Tag::Binary)).then(|| "it is written as base64".to_owned());
        let encrypted = self.encrypted.then(|| "the document is encrypted with SOPS".to_owned());
        Some(Site {
            part,
            pointer: at.pointer.clone(),
            start,
            end,
            source: at.source.get(start..end).unwrap_or_default().to_owned(),
            refused: encrypted.or_else(|| at.shared.clone()).or(anchored).or(tagged).or(own),
        })
    }
}
