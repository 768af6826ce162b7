//! [`Object`]: a Kubernetes object as it is kept.

use std::{borrow::Cow, fmt, sync::Arc};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Value, value::RawValue};

use crate::{api_version::group_of, id::ResourceId};

/// A Kubernetes object, kept as its JSON text, packed.
///
/// A tree of an object takes ten times the memory of its text, and that three times the memory of
/// the packed text, while most objects are looked at once: so that is kept, and a tree is made of
/// it when one is asked for. What is asked for most, its name and its versions, is kept beside it.
/// Clones share all of it.
///
/// Its `Debug` form names the object without its content: it may be a Secret.
///
/// ```
/// use flux_core::Object;
/// use serde_json::json;
///
/// let object = Object::from(json!({"kind": "ConfigMap", "data": {"port": "8080"}}));
/// assert_eq!(object.at("/data/port"), Some(json!("8080")));
/// assert_eq!(object.value()["kind"], "ConfigMap");
/// ```
#[derive(Clone)]
pub struct Object(Arc<Inner>);

/// Text as most objects have it: what is said there already takes no memory in any of them.
///
/// Each line is some of an object, in the order of its keys or in that of the API server.
const DICTIONARY: &[u8] = include_bytes!("object/dictionary.txt");

struct Inner {
    /// The text, packed by LZ4 with the [`DICTIONARY`].
    packed: Box<[u8]>,
    /// The length of the text in bytes.
    length: usize,
    head: Head,
}

impl Object {
    /// Returns the object as a tree, made anew at each call.
    pub fn value(&self) -> Value {
        // The text is of a tree, or was seen to fit into one.
        serde_json::from_str(&self.text()).unwrap_or_default()
    }

    /// Returns the value at a JSON pointer.
    pub fn at(&self, pointer: &str) -> Option<Value> {
        self.value().pointer_mut(pointer).map(Value::take)
    }

    /// Changes the object by its tree; other clones of it stay as they are.
    pub fn change<T>(&mut self, change: impl FnOnce(&mut Value) -> T) -> T {
        let mut tree = self.value();
        let result = change(&mut tree);
        *self = tree.into();
        result
    }

    /// Returns the JSON text.
    pub fn text(&self) -> String {
        let Inner { packed, length, .. } = &*self.0;
        // It was packed here, from a text of this length.
        let text = lz4_flex::block::decompress_with_dict(packed, *length, DICTIONARY).unwrap_or_default();
        String::from_utf8(text).unwrap_or_default()
    }

    /// Returns the id that the object gives itself, with the namespace that it names; parts of it
    /// are empty if they are missing or no text.
    pub fn id(&self) -> &ResourceId {
        &self.0.head.id
    }

    /// Returns `apiVersion`; empty if it is missing or no text.
    pub fn api_version(&self) -> &str {
        self.0.head.part(0)
    }

    /// Returns `kind`; empty if it is missing or no text.
    pub fn kind(&self) -> &str {
        self.id().kind()
    }

    /// Returns `metadata.namespace`; `None` if it is missing, empty or no text.
    pub fn namespace(&self) -> Option<&str> {
        self.id().namespace()
    }

    /// Returns `metadata.name`; empty if it is missing or no text.
    pub fn name(&self) -> &str {
        self.id().name()
    }

    /// Returns `metadata.uid`; empty if it is missing or no text.
    pub fn uid(&self) -> &str {
        self.0.head.part(1)
    }

    /// Returns `metadata.resourceVersion`; empty if it is missing or no text.
    pub fn resource_version(&self) -> &str {
        self.0.head.part(2)
    }

    /// Returns the API group; empty for the core group.
    pub fn group(&self) -> &str {
        self.id().group()
    }

    /// Returns `true` if it is of a kind, in any version.
    pub fn is_a(&self, group: &str, kind: &str) -> bool {
        self.kind() == kind && self.group() == group
    }

    /// Returns `true` if both are the same object in memory, so that nothing needs to be compared.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Returns the bytes that the object takes in memory, those of all its clones together.
    pub fn footprint(&self) -> usize {
        let Inner { packed, head, .. } = &*self.0;
        size_of::<Inner>() + packed.len() + head.parts.len() + head.id.text_len()
    }

    /// Returns a number that no other object in memory has.
    pub(crate) fn address(&self) -> usize {
        Arc::as_ptr(&self.0) as usize
    }

    /// Returns an object with the JSON text that a server sent.
    ///
    /// # Errors
    /// If no tree can be made of the text: it nests too deep, or a number is too large.
    pub fn from_raw(text: &RawValue) -> serde_json::Result<Self> {
        Self::from_text(text.get())
    }

    fn from_text(text: &str) -> serde_json::Result<Self> {
        serde_json::from_str::<Sound>(text)?;
        match Head::read(text) {
            Some(head) => Ok(Self::pack(text, head)),
            // A key stands twice, say: a tree has the last one.
            None => Ok(Self::from(serde_json::from_str::<Value>(text)?)),
        }
    }

    /// Returns the object with an `apiVersion` and a `kind`, as the items of a list lack them; one
    /// that has either stays as it is.
    #[must_use]
    pub fn typed(self, api_version: &str, kind: &str) -> Self {
        if !self.api_version().is_empty() || !self.kind().is_empty() {
            return self;
        }
        let text = self.text();
        let Some(rest) = text.trim_start().strip_prefix('{') else { return self };
        let comma = if rest.trim_start().starts_with('}') { "" } else { "," };
        let (api_version, kind) = (Value::from(api_version), Value::from(kind));
        let text = format!("{{\"apiVersion\":{api_version},\"kind\":{kind}{comma}{rest}");
        match Head::read(&text) {
            Some(head) => Self::pack(&text, head),
            None => self,
        }
    }

    fn pack(text: &str, head: Head) -> Self {
        let packed = lz4_flex::block::compress_with_dict(text.as_bytes(), DICTIONARY).into_boxed_slice();
        Self(Arc::new(Inner { packed, length: text.len(), head }))
    }
}

/// The parts of an object that are asked for most.
#[derive(Debug)]
struct Head {
    id: ResourceId,
    /// `apiVersion`, `metadata.uid` and `resourceVersion`, one behind the other.
    parts: Box<str>,
    /// Where each of them ends.
    ends: [u32; 3],
}

impl Head {
    fn part(&self, n: usize) -> &str {
        let start = n.checked_sub(1).map_or(0, |before| self.ends[before]) as usize;
        self.parts.get(start..self.ends[n] as usize).unwrap_or_default()
    }

    /// Finds the parts in a JSON text; `None` if that is written in an unusual way.
    fn read(text: &str) -> Option<Self> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Top<'t> {
            #[serde(borrow)]
            api_version: Option<&'t RawValue>,
            #[serde(borrow)]
            kind: Option<&'t RawValue>,
            #[serde(borrow)]
            metadata: Option<&'t RawValue>,
        }
        #[derive(Default, Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Metadata<'t> {
            #[serde(borrow)]
            namespace: Option<&'t RawValue>,
            #[serde(borrow)]
            name: Option<&'t RawValue>,
            #[serde(borrow)]
            uid: Option<&'t RawValue>,
            #[serde(borrow)]
            resource_version: Option<&'t RawValue>,
        }
        let top: Top<'_> = serde_json::from_str(text).ok()?;
        let metadata = match top.metadata {
            Some(metadata) if metadata.get().starts_with('{') => serde_json::from_str(metadata.get()).ok()?,
            _ => Metadata::default(),
        };
        let Metadata { namespace, name, uid, resource_version } = metadata;
        let [api_version, kind, namespace, name, uid, resource_version] =
            [top.api_version, top.kind, namespace, name, uid, resource_version].map(string);
        let (namespace, api_version) = (namespace?, api_version?);
        let namespace = Some(&*namespace).filter(|namespace| !namespace.is_empty());
        let id = ResourceId::new(namespace, &kind?, &name?, group_of(&api_version));
        let (mut parts, mut ends) = (String::new(), [0; 3]);
        for (end, part) in ends.iter_mut().zip([api_version, uid?, resource_version?]) {
            parts += &part;
            *end = parts.len().try_into().ok()?;
        }
        Some(Self { id, parts: parts.into(), ends })
    }

    /// Returns the parts of what is no object: none.
    fn none() -> Self {
        Self { id: ResourceId::new(None, "", "", ""), parts: Box::default(), ends: [0; 3] }
    }
}

/// Returns a string of JSON; an empty one if the value is missing or none, and `None` if it cannot
/// be read.
fn string(raw: Option<&RawValue>) -> Option<Cow<'_, str>> {
    match raw.map(RawValue::get).filter(|raw| raw.starts_with('"')) {
        Some(raw) => serde_json::from_str(raw).ok(),
        None => Some(Cow::default()),
    }
}

/// A text that a tree can be made of, read without making one.
struct Sound;

impl<'de> Deserialize<'de> for Sound {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Sound {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self, A::Error> {
        while fields.next_entry::<Self, Self>()?.is_some() {}
        Ok(self)
    }
}

/// By the values, not by their order in the text.
impl PartialEq for Object {
    fn eq(&self, other: &Self) -> bool {
        self.is_same(other) || self.0.packed == other.0.packed || self.value() == other.value()
    }
}

impl PartialEq<Value> for Object {
    fn eq(&self, other: &Value) -> bool {
        self.value() == *other
    }
}

impl From<Value> for Object {
    fn from(value: Value) -> Self {
        Self::from(&value)
    }
}

impl From<&Value> for Object {
    fn from(value: &Value) -> Self {
        let text = value.to_string();
        // What is no mapping has none of the parts.
        Self::pack(&text, Head::read(&text).unwrap_or_else(Head::none))
    }
}

/// In formats that people read, the object is its tree; in others, its text.
impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            self.value().serialize(serializer)
        } else {
            self.text().serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return Value::deserialize(deserializer).map(Self::from);
        }
        Self::from_text(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Object({} {} {})", self.api_version(), self.kind(), self.name())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn raw(text: &str) -> serde_json::Result<Object> {
        Object::from_raw(&RawValue::from_string(text.to_owned()).unwrap())
    }

    #[test]
    fn a_text_that_makes_no_tree_is_refused() {
        let nested = [1, 120, 126, 127, 128, 300].map(|n| format!("{}{}", "[".repeat(n), "]".repeat(n)));
        let others = [r#"{"n":1e999}"#, r#"{"n":-1.5e3}"#, r#"{"s":"\ud800"}"#, r#"{"a":"[[\"[{"}"#];
        for text in nested.iter().map(String::as_str).chain(others) {
            let Ok(text) = RawValue::from_string(text.to_owned()) else { continue };
            let tree = serde_json::from_str::<Value>(text.get());
            assert_eq!(Object::from_raw(&text).map(|object| object.value()).ok(), tree.ok(), "{text}");
        }
        assert!(raw(r#"{"n":1e999}"#).is_err());
    }

    #[test]
    fn equal_objects_may_be_written_in_any_order() {
        assert_eq!(raw(r#"{"a": 1, "b": 2}"#).unwrap(), raw(r#"{"b":2,"a":1}"#).unwrap());
        assert_ne!(raw(r#"{"a": 1}"#).unwrap(), raw(r#"{"a": 2}"#).unwrap());
    }

    #[test]
    fn the_parts_of_an_object_are_those_of_its_tree() {
        for text in [
            r#"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"namespace":"shop","name":"web","uid":"1","resourceVersion":"2"}}"#,
            r#" { "kind" : "\u0044eployment", "metadata" : {"name": "a\"b", "namespace": ""}, "apiVersion": 5 } "#,
            r#"{"kind":"First","kind":"Last","metadata":null}"#,
            r#"{"metadata":[1],"kind":["x"]}"#,
            "[1]",
            "null",
        ] {
            let object = raw(text).unwrap();
            let tree: Value = serde_json::from_str(text).unwrap();
            let part = |pointer| tree.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            for object in [object, Object::from(&tree)] {
                assert_eq!(object.value(), tree);
                assert_eq!(object.api_version(), part("/apiVersion"));
                assert_eq!(object.kind(), part("/kind"));
                assert_eq!(object.namespace().unwrap_or_default(), part("/metadata/namespace"));
                assert_eq!(object.name(), part("/metadata/name"));
                assert_eq!(object.uid(), part("/metadata/uid"));
                assert_eq!(object.resource_version(), part("/metadata/resourceVersion"));
            }
        }
    }

    #[test]
    fn what_most_objects_say_takes_little_memory() {
        let object = Object::from(json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"namespace": "shop", "name": "cart", "managedFields": [{
                "apiVersion": "apps/v1", "manager": "flux", "operation": "Apply", "fieldsType": "FieldsV1",
                "fieldsV1": {"f:spec": {"f:replicas": {}, "f:template": {"f:spec": {"f:containers": {
                    "k:{\"name\":\"cart\"}": {".": {}, "f:image": {}, "f:name": {}}}}}}}}]},
            "spec": {"replicas": 2, "template": {"spec": {
                "containers": [{"name": "cart", "image": "registry.example.com/cart:1", "imagePullPolicy": "IfNotPresent"}],
                "dnsPolicy": "ClusterFirst", "restartPolicy": "Always"}}},
        }));
        let alone = lz4_flex::block::compress(object.text().as_bytes()).len();
        let packed = object.0.packed.len();
        assert!(packed * 2 < alone, "{packed} bytes, {alone} without the dictionary");
        assert_eq!(object, object.value());
    }

    #[test]
    fn items_of_a_list_get_their_kind() {
        let typed = |text: &str| raw(text).unwrap().typed("v1", "Secret").value();
        assert_eq!(
            typed(r#"{"metadata":{}}"#),
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {}})
        );
        assert_eq!(typed("{ }"), json!({"apiVersion": "v1", "kind": "Secret"}));
        assert_eq!(typed(r#"{"kind":"Pod"}"#), json!({"kind": "Pod"}));
        assert_eq!(typed("[1]"), json!([1]));
    }

    #[test]
    fn content_is_not_shown() {
        let secret = Object::from(
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"}, "data": {"a": "cGlu"}}),
        );
        assert_eq!(format!("{secret:?}"), "Object(v1 Secret key)");
    }
}
