//! Fields that something in the cluster sets again each time they are made what git says.

use std::{collections::BTreeMap, fmt};

use serde_json::{Value, value::RawValue};
use sha2::{Digest, Sha256};

use crate::object::Object;

/// The fields of one object that are contested: a sync leaves them, and says so.
///
/// An admission policy, a controller or another tool sets them. Each write would be answered by
/// another, for ever.
///
/// Its `Debug` form has no digests: that of a short secret gives it away.
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Contest {
    /// The checksum of the object as git has it: when git changes, the fields are set again.
    pub checksum: String,
    /// The fields by their paths, each with the SHA-256 of the value that it gets again and again.
    pub fields: BTreeMap<String, String>,
}

impl fmt::Debug for Contest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contest").field("fields", &self.fields.keys()).finish_non_exhaustive()
    }
}

impl Contest {
    /// Returns an object's contest with no field in it yet.
    pub fn new(checksum: impl Into<String>) -> Self {
        Self { checksum: checksum.into(), fields: BTreeMap::new() }
    }
}

/// The metadata that the server keeps on record.
const RECORDS: [&str; 3] = ["generation", "managedFields", "resourceVersion"];

/// Returns what people and other tools say in an object of a cluster: it without its status, and
/// without what the server keeps on record.
pub fn content(object: &Value) -> Value {
    let mut content = object.clone();
    if let Some(top) = content.as_object_mut() {
        top.remove("status");
    }
    if let Some(metadata) = content.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|key, _| !RECORDS.contains(&key.as_str()));
    }
    content
}

/// Returns `true` if two objects have the same [`content`].
pub fn same_content(a: &Object, b: &Object) -> bool {
    // A server writes what is equal in the same way.
    let (texts, others) = (a.text(), b.text());
    content_text(&texts).is_some_and(|text| Some(text) == content_text(&others))
        || content(&a.value()) == content(&b.value())
}

/// Returns the texts of the parts of an object that are its content.
fn content_text(object: &str) -> Option<[BTreeMap<&str, &str>; 2]> {
    fn texts<'t>(parts: BTreeMap<&'t str, &'t RawValue>) -> BTreeMap<&'t str, &'t str> {
        parts.into_iter().map(|(key, value)| (key, value.get())).collect()
    }
    let mut top: BTreeMap<&str, &RawValue> = serde_json::from_str(object).ok()?;
    top.remove("status");
    let metadata = top.remove("metadata").map(RawValue::get).unwrap_or("{}");
    let mut metadata: BTreeMap<&str, &RawValue> = serde_json::from_str(metadata).ok()?;
    metadata.retain(|key, _| !RECORDS.contains(key));
    Some([texts(top), texts(metadata)])
}

/// Returns the SHA-256, in hex, of the [`content`] of an object.
///
/// A deletion whose object has changed in nothing else is tried again.
pub fn content_digest(object: &Value) -> String {
    digest(Some(&content(object)))
}

/// Returns the SHA-256 of a value, in hex; empty if there is none.
pub(crate) fn digest(value: Option<&Value>) -> String {
    let Some(value) = value else { return String::new() };
    let mut text = String::new();
    canonical(value, &mut text);
    hex(&Sha256::digest(text))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Writes JSON with sorted keys, whatever order the map type of the build keeps.
pub(crate) fn canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort_unstable();
            out.push('{');
            for (n, key) in keys.into_iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                canonical(&map[key], out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (n, item) in items.iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                canonical(item, out);
            }
            out.push(']');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}
