//! The kinds of objects that are workloads, and the places of their containers.

use super::{
    context::{Context, IMAGE, QUOTES, SHAPE},
    helm, setter,
};
use crate::{
    finding::Problem,
    image::ImageRef,
    manifest::{BadImage, Container, ContainerRole, Part, Resource},
    yaml::{cursor::Cursor, scalar::Style},
};

/// A kind with a pod in it.
struct PodKind {
    groups: &'static [&'static str],
    kind: &'static str,
    /// The path of the pod's specification.
    path: &'static [&'static str],
    class: Class,
}

/// The support that flux has for the workloads of a kind.
///
/// Exhaustive: a reader must tell what is released from what is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// They are released, and every cluster reports which of them run.
    BuiltIn,
    /// They are released, but a cluster may not report which of them run.
    Custom,
    /// They are listed with their images and never released, for this reason.
    ReadOnly(&'static str),
}

const TEMPLATE: &[&str] = &["spec", "template", "spec"];

const POD_KINDS: &[PodKind] = &[
    PodKind { groups: &["apps", "extensions"], kind: "Deployment", path: TEMPLATE, class: Class::BuiltIn },
    PodKind { groups: &["apps", "extensions"], kind: "DaemonSet", path: TEMPLATE, class: Class::BuiltIn },
    PodKind { groups: &["apps", "extensions"], kind: "StatefulSet", path: TEMPLATE, class: Class::BuiltIn },
    PodKind {
        groups: &["batch"],
        kind: "CronJob",
        path: &["spec", "jobTemplate", "spec", "template", "spec"],
        class: Class::BuiltIn,
    },
    PodKind { groups: &["argoproj.io"], kind: "Rollout", path: TEMPLATE, class: Class::Custom },
    PodKind { groups: &["serving.knative.dev"], kind: "Service", path: TEMPLATE, class: Class::Custom },
    PodKind {
        groups: &["apps", "extensions"],
        kind: "ReplicaSet",
        path: TEMPLATE,
        class: Class::ReadOnly("a ReplicaSet does not replace its pods when its template changes"),
    },
    PodKind {
        groups: &["batch"],
        kind: "Job",
        path: TEMPLATE,
        class: Class::ReadOnly("the pods of a Job cannot be changed once it was created"),
    },
    PodKind {
        groups: &[""],
        kind: "Pod",
        path: &["spec"],
        class: Class::ReadOnly("a Pod of its own is not rolled out"),
    },
];

/// The lists of a pod, in the order in which v1 counts their containers.
pub(crate) const LISTS: [(&str, ContainerRole); 3] = [
    ("containers", ContainerRole::Main),
    ("initContainers", ContainerRole::Init),
    ("ephemeralContainers", ContainerRole::Ephemeral),
];

/// Knative's name for a container without a name.
const KNATIVE_CONTAINER: &str = "user-container";

fn pod_kind(group: &str, kind: &str) -> Option<&'static PodKind> {
    POD_KINDS.iter().find(|pod| pod.kind == kind && pod.groups.contains(&group))
}

/// Returns `true` if containers of objects of this kind are found without a rule.
pub(crate) fn is_known(group: &str, kind: &str) -> bool {
    pod_kind(group, kind).is_some() || helm::is_release(group, kind)
}

/// Returns the path of the pod specification; `None` if the kind is not known to have one.
pub(crate) fn pod_path(group: &str, kind: &str) -> Option<&'static [&'static str]> {
    pod_kind(group, kind).map(|pod| pod.path)
}

impl Resource {
    /// Returns the class of the object as a workload; `None` if it is none.
    pub fn class(&self) -> Option<Class> {
        self.workload.as_ref()?;
        Some(pod_kind(self.group(), &self.kind).map_or(Class::Custom, |pod| pod.class))
    }

    /// Returns the reason that nothing in the object is edited, if there is one.
    pub(crate) fn read_only_reason(&self) -> Option<&'static str> {
        if self.is_encrypted() {
            return Some("the document is encrypted with SOPS");
        }
        match pod_kind(self.group(), &self.kind)?.class {
            Class::ReadOnly(why) => Some(why),
            Class::BuiltIn | Class::Custom => None,
        }
    }
}

/// Returns the containers of an object; `None` if it is no workload.
pub(crate) fn containers(
    at: &Cursor<'_, '_>,
    resource: &Resource,
    (index, subject): (usize, &str),
    problems: &mut Vec<Problem>,
) -> Option<Vec<Container>> {
    let (read_only_reason, encrypted) = (resource.read_only_reason(), resource.is_encrypted());
    let mut context = Context { subject, resource: index, read_only_reason, encrypted, problems };
    let mut known = by_kind(at, resource, &mut context);
    let commented = setter::containers(at, known.as_deref_mut().unwrap_or_default(), &mut context);
    if !commented.is_empty() {
        known.get_or_insert_default().extend(commented);
    }
    // There are as many as there are workloads, and they are kept.
    known.as_mut().map(Vec::shrink_to_fit);
    known
}

fn by_kind(at: &Cursor<'_, '_>, resource: &Resource, context: &mut Context<'_>) -> Option<Vec<Container>> {
    if helm::is_release(resource.group(), &resource.kind) {
        return Some(helm::containers(at, resource, context));
    }
    let PodKind { path, .. } = pod_kind(resource.group(), &resource.kind)?;
    let Some(pod) = at.path(path).filter(Cursor::is_map) else {
        // A Rollout may refer to a Deployment for its pods.
        if at.path(&["spec", "workloadRef"]).is_some_and(|reference| reference.is_map()) {
            return None;
        }
        context.invalid(at.position(), format!("`{}` is missing or no mapping", path.join(".")), SHAPE);
        return Some(Vec::new());
    };
    let unnamed = (resource.group() == "serving.knative.dev").then_some(KNATIVE_CONTAINER);
    let of_list = |(list, role): &(&str, ContainerRole)| of_list(&pod, list, *role, unnamed, context);
    Some(LISTS.iter().flat_map(of_list).collect())
}

fn of_list(
    pod: &Cursor<'_, '_>,
    list: &str,
    role: ContainerRole,
    unnamed: Option<&str>,
    context: &mut Context<'_>,
) -> Vec<Container> {
    let required = role == ContainerRole::Main;
    let Some(found) = pod.get(list).filter(|l| !l.is_null()) else {
        if required {
            context.invalid(pod.position(), format!("`{list}` is missing"), SHAPE);
        }
        return Vec::new();
    };
    let Some(items) = found.items() else {
        context.invalid(found.position(), format!("`{list}` is no list"), SHAPE);
        return Vec::new();
    };
    let mut containers = Vec::with_capacity(items.len());
    for item in items {
        let name_at = item.get("name").filter(|name| !name.is_null());
        if let Some((at, what)) = name_at.as_ref().and_then(|at| Some((at, at.other_than_text()?))) {
            let (text, remedy) = at.scalar().map_or(("", SHAPE), |(text, _)| (text, QUOTES));
            let evidence = format!("the name `{text}` of an item of `{list}` is {what} to YAML, not a text");
            context.invalid(at.position(), evidence, remedy);
            continue;
        }
        let name = name_at.and_then(|name| name.text()).filter(|n| !n.is_empty());
        let Some(name) = name.or(unnamed.filter(|_| item.is_map())) else {
            let what = if item.is_map() { "has no `name`" } else { "is no mapping" };
            context.invalid(item.position(), format!("an item of `{list}` {what}"), SHAPE);
            continue;
        };
        let image_at =
            item.get("image").filter(|i| i.scalar().is_none_or(|(_, style)| style != Style::Absent));
        let other_type = image_at.as_ref().and_then(Cursor::other_than_text);
        let text = image_at.as_ref().map(|at| at.scalar().map_or("", |(text, _)| text));
        let image = match (text, &other_type) {
            (Some(text), Some(what)) => Err(BadImage::other_than_text(text, what)),
            (Some(text), None) => text.parse::<ImageRef>().map_err(BadImage::from),
            (None, _) => Err(BadImage { text: String::new(), problem: "there is no `image`".to_owned() }),
        };
        let position = image_at.as_ref().unwrap_or(&item).position();
        let site = image_at.as_ref().and_then(|at| context.site(at, Part::Image));
        // Quotes turn a number into a string, but not null or a list into an image.
        let quotes =
            image_at.is_some_and(|at| other_type.is_some() && at.scalar().is_some() && !at.is_null());
        let remedy = if quotes { QUOTES } else { IMAGE };
        containers.push(context.container((name, role), image, position, site.into_iter().collect(), remedy));
    }
    containers
}
