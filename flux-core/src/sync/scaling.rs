//! Replicas that an autoscaler decides: git's number counts only until the object exists.
//!
//! The autoscaler has to exist: a HorizontalPodAutoscaler or a KEDA ScaledObject that names the
//! object, in git or not. A number that was set through the `scale` subresource once, by a
//! dashboard or by an autoscaler that is gone, binds nobody.
//!
//! Where the autoscaler has set the field, it is left out of what is sent and stays as it is. Where
//! it has not (or we would be the last to own the field, so that leaving it out would reset it),
//! the number that runs is sent back: the API server forgets who scaled a workload to zero.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    fields::Managers,
    object::{self, group_of},
};
use crate::{manifest::ResourceId, memo::Memo, object::Object, schema::path::FieldPath};

/// The objects that autoscalers scale, each with its autoscaler.
#[derive(Debug, Default)]
pub(super) struct Autoscaled {
    by_target: BTreeMap<ResourceId, ResourceId>,
    /// `true` if there may be autoscalers that could not be seen.
    is_partial: bool,
}

/// The fields of an object that others decide: its autoscaler, and those to whom an annotation
/// leaves them.
#[derive(Debug, Default)]
pub(super) struct Yielded {
    /// The fields, which are no drift.
    pub(super) fields: BTreeSet<FieldPath>,
    /// The sentence about it, if the cluster has another number than git.
    pub(super) message: String,
}

impl Yielded {
    /// Returns `true` if a field is one of these, or in one.
    pub(super) fn covers(&self, path: &FieldPath) -> bool {
        self.fields.iter().any(|field| field.contains(path))
    }
}

impl Autoscaled {
    /// Reads the targets of all autoscalers among the objects.
    pub(super) fn from_autoscalers<'a>(
        objects: impl Iterator<Item = (&'a ResourceId, &'a Object)>,
        is_partial: bool,
        targets: &mut Memo<Option<ResourceId>>,
    ) -> Self {
        let autoscalers = objects.filter(|(_, object)| is_autoscaler(object));
        let by_target = autoscalers.filter_map(|(id, object)| {
            let target = targets.of(object, target).clone()?;
            Some((target.in_namespace(id.namespace()), id.clone()))
        });
        Self { by_target: by_target.collect(), is_partial }
    }

    /// Returns the autoscaler of an object.
    pub(super) fn of(&self, id: &ResourceId) -> Option<&ResourceId> {
        self.by_target.get(id)
    }

    /// Returns `true` if there may be autoscalers that could not be seen.
    pub(super) fn is_partial(&self) -> bool {
        self.is_partial
    }

    /// Takes out of `sent` what an autoscaler decides about the live object.
    pub(super) fn yield_fields(
        &self,
        sent: &mut Value,
        id: &ResourceId,
        live: &Value,
        managers: &Managers<'_>,
    ) -> Yielded {
        let autoscaler = self.by_target.get(id);
        let scaled = managers.scaled();
        let may_be_scaled = self.is_partial && !scaled.is_empty();
        if autoscaler.is_none() && !may_be_scaled {
            return Yielded::default();
        }
        let mut fields: BTreeSet<FieldPath> = scaled.iter().cloned().collect();
        if autoscaler.is_some() {
            fields.insert(FieldPath::from_fields(&["spec", "replicas"]));
        }
        let mut others = Vec::new();
        for path in &fields {
            if path.get(sent).is_some() && path.get(sent) != path.get(live) {
                others.push(path.to_string());
            }
            if scaled.contains(path) {
                path.remove(sent);
            } else if let (Some(sent), Some(live)) = (path.get_mut(sent), path.get(live)) {
                *sent = live.clone();
            }
        }
        let by = autoscaler.map_or_else(|| "what has scaled it".to_owned(), ToString::to_string);
        let message = if others.is_empty() {
            String::new()
        } else {
            format!("{} is left to {by}", others.join(" and "))
        };
        Yielded { fields, message }
    }
}

/// The kinds of autoscalers (group, kind), all objects of which a
/// [`Cluster`](crate::backend::Cluster) has to show.
pub const AUTOSCALERS: [(&str, &str); 2] =
    [("autoscaling", "HorizontalPodAutoscaler"), ("keda.sh", "ScaledObject")];

fn is_autoscaler(object: &Object) -> bool {
    AUTOSCALERS.iter().any(|(group, kind)| object.is_a(group, kind))
}

/// Returns the object that an autoscaler scales, without its namespace, which is the autoscaler's;
/// `None` if the object is no autoscaler.
fn target(object: &Object) -> Option<ResourceId> {
    let target = &object.at("/spec/scaleTargetRef")?;
    let (kind, api_version) = match (object.group(), object.kind()) {
        ("autoscaling", "HorizontalPodAutoscaler") => {
            (object::text(target, "kind")?, object::text(target, "apiVersion")?)
        }
        ("keda.sh", "ScaledObject") => (
            object::text(target, "kind").unwrap_or("Deployment"),
            object::text(target, "apiVersion").unwrap_or("apps/v1"),
        ),
        _ => return None,
    };
    Some(ResourceId::new(None, kind, object::text(target, "name")?, group_of(api_version)))
}
