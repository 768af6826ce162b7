//! Facts that the checker reads of each object once: ids, definitions, the targets of autoscalers.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use super::read::{Mark, covers, is_allowed, text};
use crate::{
    backend::Observed,
    manifest::{ResourceId, Scope, scope_of},
    memo::Memo,
    object::Object,
    sync::{Desired, SyncOptions},
};

/// An object of git as it is to be identified.
#[derive(Debug)]
pub(super) enum Identity {
    /// Its id is known.
    Known(ResourceId),
    /// Nobody knows its kind.
    UnknownKind(ResourceId),
    /// It is no object.
    NoObject,
}

/// Facts that are read of an object once.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Whose objects of the cluster are.
    pub(super) marks: Memo<Mark>,
    /// `true` for Jobs that go by their own time limit.
    pub(super) jobs: Memo<bool>,
    /// The group, the kind and the versions of definitions, and whether objects live in namespaces.
    definitions: Memo<Vec<(String, String, bool)>>,
    /// The kind and the name that autoscalers scale.
    targets: Memo<Option<(String, String)>>,
}

impl Known {
    pub(super) fn end_round(&mut self) {
        self.marks.end_round();
        self.jobs.end_round();
        self.definitions.end_round();
        self.targets.end_round();
    }
}

/// The scopes of kinds, as git and the cluster define them: whether objects of a kind live in
/// namespaces.
pub(super) struct Scopes<'a> {
    observed: &'a Observed,
    options: &'a SyncOptions,
    in_git: BTreeMap<(String, String), bool>,
    /// The answers so far, by `apiVersion` and kind.
    answers: HashMap<(&'a str, &'a str), Option<bool>>,
}

impl<'a> Scopes<'a> {
    pub(super) fn new(
        desired: &'a Desired,
        observed: &'a Observed,
        options: &'a SyncOptions,
        known: &mut Known,
    ) -> Self {
        let mut in_git = BTreeMap::new();
        let objects = desired.objects.iter().map(|described| &described.object);
        for object in objects.filter(|object| object.kind() == "CustomResourceDefinition") {
            let defined = known.definitions.of(object, |object| defined_by(&object.value()));
            in_git.extend(defined.iter().cloned().map(|(version, kind, scope)| ((version, kind), scope)));
        }
        Self { observed, options, in_git, answers: HashMap::new() }
    }

    fn is_namespaced(&mut self, api_version: &'a str, kind: &'a str) -> Option<bool> {
        let (observed, in_git) = (&self.observed.kinds, &self.in_git);
        *self.answers.entry((api_version, kind)).or_insert_with(|| {
            let key = (api_version.to_owned(), kind.to_owned());
            observed.get(&key).map(|info| info.namespaced).or_else(|| in_git.get(&key).copied())
        })
    }

    pub(super) fn identify(&mut self, object: &'a Object) -> Identity {
        let (api_version, kind, name) = (object.api_version(), object.kind(), object.name());
        if api_version.is_empty() || kind.is_empty() || name.is_empty() {
            return Identity::NoObject;
        }
        let written = object.namespace();
        let id = |namespace| object.id().in_namespace(namespace);
        match self.is_namespaced(api_version, kind) {
            Some(true) => {
                Identity::Known(id(Some(written.unwrap_or(self.observed.default_namespace.as_str()))))
            }
            Some(false) => Identity::Known(id(None)),
            // It is in a namespace that nobody looks into.
            None if written.is_some()
                && !is_allowed(object.id(), self.options)
                && scope_of(api_version, kind) != Some(Scope::Cluster) =>
            {
                Identity::Known(id(written))
            }
            None => Identity::UnknownKind(id(written)),
        }
    }
}

/// Returns the versions that a definition defines with their kind, and whether objects live in
/// namespaces.
fn defined_by(object: &Value) -> Vec<(String, String, bool)> {
    let spec = &object["spec"];
    let (Some(group), Some(kind)) = (text(spec, "/group"), text(spec, "/names/kind")) else {
        return Vec::new();
    };
    let versions = spec["versions"].as_array().into_iter().flatten();
    let versions = versions.filter_map(|version| text(version, "/name")).chain(text(spec, "/version"));
    let is_namespaced = spec["scope"] != "Cluster";
    versions.map(|version| (format!("{group}/{version}"), kind.to_owned(), is_namespaced)).collect()
}

/// The kinds of autoscalers.
const SCALERS: [&str; 2] = ["HorizontalPodAutoscaler", "ScaledObject"];

/// Returns the kind and the name of what an autoscaler scales.
fn scaled_by(object: &Value) -> Option<(String, String)> {
    let target = |key: &str| text(object, &format!("/spec/scaleTargetRef/{key}")).map(str::to_owned);
    let kind = match text(object, "/kind")? {
        "HorizontalPodAutoscaler" => target("kind")?,
        _ => target("kind").unwrap_or_else(|| "Deployment".to_owned()),
    };
    Some((kind, target("name")?))
}

/// The objects that autoscalers scale.
pub(super) struct Autoscalers(BTreeSet<(Option<String>, String, String)>);

impl Autoscalers {
    pub(super) fn new<'a>(
        objects: impl Iterator<Item = (Option<&'a str>, &'a Object)>,
        known: &mut Known,
    ) -> Self {
        let scalers = objects.filter(|(_, object)| SCALERS.contains(&object.kind()));
        let target = |(namespace, object): (Option<&str>, &Object)| {
            let (kind, name) = known.targets.of(object, |object| scaled_by(&object.value())).clone()?;
            Some((namespace.map(str::to_owned), kind, name))
        };
        Self(scalers.filter_map(target).collect())
    }

    /// Returns `true` if an autoscaler names an object.
    pub(super) fn name(&self, id: &ResourceId) -> bool {
        !self.0.is_empty()
            && self.0.contains(&(
                id.namespace().map(str::to_owned),
                id.kind().to_owned(),
                id.name().to_owned(),
            ))
    }

    /// Returns `true` if a field of an object of the cluster is decided by an autoscaler, and not
    /// by git.
    ///
    /// `are_seen` says that no autoscaler can be missing among those known.
    pub(super) fn decide(&self, id: &ResourceId, live: &Value, field: &[String], are_seen: bool) -> bool {
        let [spec, ..] = field else { return false };
        if spec != "spec" {
            return false;
        }
        let is_target = self.name(id);
        if is_target && field.get(1).is_some_and(|name| name == "replicas") {
            return true;
        }
        if are_seen && !is_target {
            return false;
        }
        let entries = live["metadata"]["managedFields"].as_array().into_iter().flatten();
        let mut scalers = entries.filter(|entry| {
            let manager = text(entry, "/manager").unwrap_or_default();
            text(entry, "/subresource") == Some("scale") && !manager.starts_with("kubectl")
        });
        scalers.any(|entry| covers(&entry["fieldsV1"], field))
    }
}
