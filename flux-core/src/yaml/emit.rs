//! Writing values as YAML, for files that are written as a whole.
//!
//! Files that people write are edited in place instead.

use serde_json::Value;

use super::quote::{Context, write};

/// Returns the value as one YAML document, without a marker at its start.
///
/// Keys stand in the order of the mapping. Every reader reads the same value back.
pub fn emit(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => entries(map, 0, &mut out),
        Value::Array(list) if !list.is_empty() => items(list, 0, &mut out),
        scalar => out.push_str(&flow(scalar)),
    }
    if !out.ends_with('\n') {
        out.push('\n');
    }
    out
}

fn entries(map: &serde_json::Map<String, Value>, indent: usize, out: &mut String) {
    for (i, (key, value)) in map.iter().enumerate() {
        // The first entry of a list item stands beside its dash.
        if i > 0 || !out.ends_with("- ") {
            out.push_str(&" ".repeat(indent));
        }
        out.push_str(&write(key, Context::Block));
        match value {
            Value::Object(map) if !map.is_empty() => {
                out.push_str(":\n");
                entries(map, indent + 2, out);
            }
            Value::Array(list) if !list.is_empty() => {
                out.push_str(":\n");
                items(list, indent, out);
            }
            scalar => {
                out.push_str(": ");
                out.push_str(&flow(scalar));
                out.push('\n');
            }
        }
    }
}

fn items(list: &[Value], indent: usize, out: &mut String) {
    for item in list {
        if !out.ends_with("- ") {
            out.push_str(&" ".repeat(indent));
        }
        out.push_str("- ");
        match item {
            Value::Object(map) if !map.is_empty() => entries(map, indent + 2, out),
            Value::Array(list) if !list.is_empty() => items(list, indent + 2, out),
            scalar => {
                out.push_str(&flow(scalar));
                out.push('\n');
            }
        }
    }
}

fn flow(value: &Value) -> String {
    match value {
        Value::String(text) => write(text, Context::Block),
        Value::Object(_) => "{}".to_owned(),
        Value::Array(_) => "[]".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::workload::parse;

    #[test]
    fn values_are_written_as_people_write_them() {
        let value = json!({
            "apiVersion": "v1",
            "list": [{"name": "a", "tag": "1.20", "empty": {}}, "b", [1, [2]], []],
            "text": "two\nlines",
            "yes": "yes",
        });
        let text = "apiVersion: v1\nlist:\n- empty: {}\n  name: a\n  tag: \"1.20\"\n- b\n- - 1\n  - - 2\n- []\ntext: \"two\\nlines\"\n\"yes\": \"yes\"\n";
        assert_eq!(emit(&value), text);
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "\\PC{0,8}|[-a0-9:?&*\\[\\]{}#'\" \n]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec(("[a-z~ #:]{0,4}", inner), 0..4)
                    .prop_map(|entries| Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_written_value_is_read_back_unchanged(value in value()) {
            let wrapped = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "value": value});
            let read = parse(emit(&wrapped).as_bytes());
            prop_assert_eq!(read.resources.first().map(|r| r.object.value()), Some(wrapped));
        }
    }
}
