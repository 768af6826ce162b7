//! Paths of fields: the elements of the API server's `fieldsV1` format, and the text in which
//! people read them.

use std::fmt;

use serde_json::{Map, Value};

/// One element of a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Elem {
    /// A field of an object: `f:name`.
    Field(String),
    /// An item of a list by the values of its key fields, each as JSON text: `k:{…}`.
    Key(Vec<(String, String)>),
    /// An item of a set of scalars, as JSON text: `v:…`.
    Value(String),
    /// An item by its place: `i:0`.
    Index(usize),
}

impl Elem {
    /// Reads an element as `fieldsV1` writes it; `None` for `.` and what is not understood.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        match kind {
            "f" => Some(Self::Field(rest.to_owned())),
            "k" => {
                let keys: Map<String, Value> = serde_json::from_str(rest).ok()?;
                Some(Self::Key(sorted(keys.into_iter().map(|(k, v)| (k, v.to_string())).collect())))
            }
            "v" => Some(Self::Value(serde_json::from_str::<Value>(rest).ok()?.to_string())),
            "i" => rest.parse().ok().map(Self::Index),
            _ => None,
        }
    }

    /// Writes the element as `fieldsV1` has it.
    pub(crate) fn to_fields_v1(&self) -> String {
        match self {
            Self::Field(name) => format!("f:{name}"),
            Self::Key(keys) => {
                let text: Vec<String> =
                    keys.iter().map(|(k, v)| format!("{}:{v}", Value::from(k.as_str()))).collect();
                format!("k:{{{}}}", text.join(","))
            }
            Self::Value(value) => format!("v:{value}"),
            Self::Index(n) => format!("i:{n}"),
        }
    }

    /// Returns the element of a list item that has `keys`, with the defaults of those it does not
    /// write; `None` if a key is missing.
    pub(crate) fn key_of(item: &Value, keys: &[&str]) -> Option<Self> {
        let values = keys.iter().map(|key| {
            let value = item.get(key).map(Value::to_string).or_else(|| default_of(key))?;
            Some(((*key).to_owned(), value))
        });
        values.collect::<Option<Vec<_>>>().map(|keys| Self::Key(sorted(keys)))
    }

    /// Returns `true` if this element names `item`, where a key that the item does not write has
    /// its default.
    pub(crate) fn names(&self, item: &Value) -> bool {
        match self {
            Self::Key(keys) => keys.iter().all(|(key, value)| match item.get(key) {
                Some(own) => is(own, value),
                None => default_of(key).as_ref() == Some(value),
            }),
            Self::Value(value) => is(item, value),
            Self::Field(_) | Self::Index(_) => false,
        }
    }

    /// Returns `true` if this element may name `item`, where a key that the item does not write may
    /// have any value.
    pub(crate) fn may_name(&self, item: &Value) -> bool {
        match self {
            Self::Key(keys) => keys.iter().all(|(key, value)| item.get(key).is_none_or(|own| is(own, value))),
            _ => self.names(item),
        }
    }
}

/// Returns `true` if a value is what a JSON text says.
fn is(value: &Value, text: &str) -> bool {
    match value {
        Value::String(own) => {
            text.starts_with('"') && serde_json::from_str::<String>(text).is_ok_and(|t| t == *own)
        }
        other => {
            let own = other.to_string();
            own == text
        }
    }
}

fn sorted(mut keys: Vec<(String, String)>) -> Vec<(String, String)> {
    keys.sort();
    keys
}

/// Returns the value that the API server gives to a key field that is left out, as JSON text.
fn default_of(key: &str) -> Option<String> {
    (key == "protocol").then(|| "\"TCP\"".to_owned())
}

/// A path from the root of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FieldPath(pub(crate) Vec<Elem>);

impl FieldPath {
    /// Returns a path of plain fields.
    pub(crate) fn from_fields(fields: &[&str]) -> Self {
        Self(fields.iter().map(|f| Elem::Field((*f).to_owned())).collect())
    }

    /// Returns the value at this path.
    pub(crate) fn get<'a>(&self, object: &'a Value) -> Option<&'a Value> {
        self.0.iter().try_fold(object, |value, elem| match elem {
            Elem::Field(name) => value.get(name),
            Elem::Index(n) => value.get(n),
            Elem::Key(_) | Elem::Value(_) => value.as_array()?.iter().find(|item| elem.names(item)),
        })
    }

    /// Returns the value at this path, to be changed.
    pub(crate) fn get_mut<'a>(&self, object: &'a mut Value) -> Option<&'a mut Value> {
        self.0.iter().try_fold(object, |value, elem| match elem {
            Elem::Field(name) => value.get_mut(name),
            Elem::Index(n) => value.get_mut(n),
            Elem::Key(_) | Elem::Value(_) => value.as_array_mut()?.iter_mut().find(|item| elem.names(item)),
        })
    }

    /// Removes the value at this path, if it is there.
    pub(crate) fn remove(&self, object: &mut Value) {
        let Some((last, parent)) = self.0.split_last() else { return };
        match (Self(parent.to_vec()).get_mut(object), last) {
            (Some(Value::Object(map)), Elem::Field(name)) => {
                map.remove(name);
            }
            (Some(Value::Array(items)), Elem::Key(_) | Elem::Value(_)) => {
                items.retain(|item| !last.names(item));
            }
            _ => {}
        }
    }

    /// Returns `true` if this path is `other` or leads to it.
    pub(crate) fn contains(&self, other: &Self) -> bool {
        other.0.starts_with(&self.0)
    }

    /// Returns the path one step further.
    pub(crate) fn join(&self, elem: Elem) -> Self {
        let mut path = self.0.clone();
        path.push(elem);
        Self(path)
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bare = |json: &str| serde_json::from_str::<String>(json).unwrap_or_else(|_| json.to_owned());
        for (n, elem) in self.0.iter().enumerate() {
            match elem {
                Elem::Field(name) if name.chars().all(|c| c.is_ascii_alphanumeric() || "_-$".contains(c)) => {
                    write!(f, "{}{name}", if n > 0 { "." } else { "" })?;
                }
                Elem::Field(name) => write!(f, "[{}]", Value::from(name.as_str()))?,
                Elem::Key(keys) => {
                    let text: Vec<String> = keys.iter().map(|(k, v)| format!("{k}={}", bare(v))).collect();
                    write!(f, "[{}]", text.join(","))?;
                }
                Elem::Value(value) => write!(f, "[={}]", bare(value))?,
                Elem::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn path(elems: &[&str]) -> FieldPath {
        FieldPath(elems.iter().map(|e| Elem::parse(e).unwrap()).collect())
    }

    #[test]
    fn paths_read_as_people_write_them() {
        let table = [
            (
                &["f:spec", "f:containers", r#"k:{"name":"web"}"#, "f:image"][..],
                "spec.containers[name=web].image",
            ),
            (
                &["f:ports", r#"k:{"containerPort":80,"protocol":"TCP"}"#],
                "ports[containerPort=80,protocol=TCP]",
            ),
            (&["f:metadata", "f:annotations", "f:a.b/c"], r#"metadata.annotations["a.b/c"]"#),
            (&["f:metadata", "f:finalizers", r#"v:"x""#], "metadata.finalizers[=x]"),
            (&["f:args", "i:1"], "args[1]"),
        ];
        for (elems, text) in table {
            assert_eq!(path(elems).to_string(), text);
        }
    }

    #[test]
    fn elements_are_written_as_they_are_read() {
        for text in ["f:a.b", r#"k:{"name":"web"}"#, r#"k:{"port":80,"protocol":"TCP"}"#, r#"v:"x""#, "i:3"] {
            assert_eq!(Elem::parse(text).unwrap().to_fields_v1(), text);
        }
        assert_eq!(Elem::parse("."), None);
        assert_eq!(Elem::parse("k:nonsense"), None);
    }

    #[test]
    fn items_are_found_by_their_keys_and_a_left_out_protocol_is_tcp() {
        let object = json!({"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "name": "tcp"}]});
        let at = path(&["f:ports", r#"k:{"port":53,"protocol":"TCP"}"#, "f:name"]);
        assert_eq!(at.get(&object), Some(&json!("tcp")));
        let mut object = object;
        path(&["f:ports", r#"k:{"port":53,"protocol":"UDP"}"#]).remove(&mut object);
        assert_eq!(object, json!({"ports": [{"port": 53, "name": "tcp"}]}));
    }
}
