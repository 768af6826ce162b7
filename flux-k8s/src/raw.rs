//! Objects as the API server sends them: whole, whatever their kind.

use std::{borrow::Cow, fmt};

use flux_core::Object;
use kube::{
    Resource,
    core::{ApiResource, DynamicResourceScope, ObjectMeta},
};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, value::RawValue};

/// An object as it came, and of its metadata what a watch needs. kube's own dynamic object drops
/// fields of the metadata that it does not know.
#[derive(Clone)]
pub(crate) struct RawObject {
    object: Object,
    meta: ObjectMeta,
}

impl RawObject {
    /// Returns the object, which may lack its `apiVersion` and `kind`.
    pub(crate) fn object(&self) -> &Object {
        &self.object
    }
}

impl<'de> Deserialize<'de> for RawObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        let object = Object::from_raw(&text).map_err(serde::de::Error::custom)?;
        let part = |part: &str| Some(part.to_owned()).filter(|part| !part.is_empty());
        let meta = ObjectMeta {
            name: part(object.name()),
            namespace: object.namespace().map(str::to_owned),
            resource_version: part(object.resource_version()),
            uid: part(object.uid()),
            ..ObjectMeta::default()
        };
        Ok(Self { object, meta })
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
pub(crate) fn typed(object: Object, resource: &ApiResource) -> Object {
    object.typed(&resource.api_version, &resource.kind)
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
