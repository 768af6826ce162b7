//! Objects as the API server sends them: whole, whatever their kind.

use std::{borrow::Cow, fmt};

use kube::{
    Resource,
    core::{ApiResource, DynamicResourceScope, ObjectMeta},
};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// An object as it came, and of its metadata what a watch needs. kube's own dynamic object drops
/// fields of the metadata that it does not know.
#[derive(Clone)]
pub(crate) struct RawObject {
    pub(crate) value: Value,
    meta: ObjectMeta,
}

impl<'de> Deserialize<'de> for RawObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let meta = |key: &str| text(&value, key).map(str::to_owned);
        let meta = ObjectMeta {
            name: meta("name"),
            namespace: meta("namespace"),
            resource_version: meta("resourceVersion"),
            uid: meta("uid"),
            ..ObjectMeta::default()
        };
        Ok(Self { value, meta })
    }
}

/// Names the object only: it may be a Secret.
impl fmt::Debug for RawObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawObject").field("meta", &self.meta).finish_non_exhaustive()
    }
}

/// A text in an object's metadata.
pub(crate) fn text<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.get("metadata")?.get(key)?.as_str()
}

/// Gives an object from a list, which says it for all of them, its `apiVersion` and `kind`.
pub(crate) fn typed(mut object: Value, resource: &ApiResource) -> Value {
    if let Value::Object(map) = &mut object {
        for (key, value) in [("apiVersion", &resource.api_version), ("kind", &resource.kind)] {
            map.entry(key).or_insert_with(|| Value::String(value.clone()));
        }
    }
    object
}

impl Resource for RawObject {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(dt: &ApiResource) -> Cow<'_, str> {
        dt.kind.as_str().into()
    }

    fn group(dt: &ApiResource) -> Cow<'_, str> {
        dt.group.as_str().into()
    }

    fn version(dt: &ApiResource) -> Cow<'_, str> {
        dt.version.as_str().into()
    }

    fn api_version(dt: &ApiResource) -> Cow<'_, str> {
        dt.api_version.as_str().into()
    }

    fn plural(dt: &ApiResource) -> Cow<'_, str> {
        dt.plural.as_str().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.meta
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.meta
    }
}
