//! Replicas that an autoscaler decides: git's number counts only until the object exists.
//!
//! Where the autoscaler has set the field, it is left out of what is sent and stays as it is. Where
//! it has not (or we would be the last to own the field, so that leaving it out would reset it),
//! the number that runs is sent back.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::Value;

use super::{
    fields::Managers,
    object::{self, group_of},
};
use crate::{manifest::ResourceId, schema::path::FieldPath};

/// The objects that HorizontalPodAutoscalers scale.
#[derive(Debug, Default)]
pub(super) struct Autoscaled(BTreeSet<ResourceId>);

impl Autoscaled {
    /// Reads the targets of all autoscalers among the objects.
    pub(super) fn from_autoscalers<'a>(objects: impl Iterator<Item = (Option<&'a str>, &'a Value)>) -> Self {
        Self(objects.filter_map(|(namespace, object)| target(namespace, object)).collect())
    }
}

fn target(namespace: Option<&str>, object: &Value) -> Option<ResourceId> {
    let is_autoscaler = object::text(object, "kind") == Some("HorizontalPodAutoscaler")
        && object::text(object, "apiVersion").is_some_and(|v| group_of(v) == "autoscaling");
    let target = &object["spec"]["scaleTargetRef"];
    is_autoscaler.then_some(ResourceId {
        namespace: namespace.map(str::to_owned),
        kind: object::text(target, "kind")?.to_owned(),
        name: object::text(target, "name")?.to_owned(),
        group: group_of(object::text(target, "apiVersion")?).to_owned(),
    })
}

/// Takes out of `sent` what an autoscaler decides about the live object; returns the fields, which
/// are no drift.
pub(super) fn yield_to_autoscalers(
    sent: &mut Value,
    id: &ResourceId,
    live: &Value,
    managers: &Managers<'_>,
    autoscaled: &Autoscaled,
) -> BTreeSet<FieldPath> {
    let mut yielded = BTreeSet::new();
    for path in managers.scaled() {
        if path.get(sent).is_some() {
            path.remove(sent);
            yielded.insert(path);
        }
    }
    let replicas = FieldPath::from_fields(&["spec", "replicas"]);
    if autoscaled.0.contains(id)
        && let (Some(sent), Some(live)) = (replicas.get_mut(sent), replicas.get(live))
    {
        *sent = live.clone();
        yielded.insert(replicas);
    }
    yielded
}

/// Returns the objects in which autoscalers are looked for: those of git, and those seen in the
/// cluster.
pub(super) fn observed_objects(
    observed: &BTreeMap<ResourceId, Arc<Value>>,
) -> impl Iterator<Item = (Option<&str>, &Value)> {
    observed.iter().map(|(id, object)| (id.namespace.as_deref(), object.as_ref()))
}
