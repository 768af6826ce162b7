//! Objects with a mistake each: what stands at one place of a valid object is changed.

use serde_json::{Map, Value, json};

/// An object that was valid before it was changed at one place.
#[derive(Clone, Debug)]
pub(super) struct Mutant {
    /// The change: `text to number`.
    pub(super) mutation: &'static str,
    /// Where it was done.
    pub(super) pointer: String,
    pub(super) object: Value,
}

/// The places that are left alone: they say what the object is, and so where it is sent to.
const IDENTITY: [&str; 3] = ["/apiVersion", "/kind", "/metadata/namespace"];

/// Returns the mutants of a sample: each mutation that fits at each place.
pub(super) fn mutants(sample: &Value) -> Vec<Mutant> {
    let mut places = Vec::new();
    collect(sample, String::new(), &mut places);
    let mut mutants = Vec::new();
    for pointer in places.into_iter().filter(|pointer| !IDENTITY.contains(&pointer.as_str())) {
        let Some(value) = sample.pointer(&pointer) else { continue };
        let is_name = pointer == "/metadata/name";
        let mut put = |mutation, changed: Value| {
            // An object whose name is no text, or that cannot stand in a URL, is sent nowhere.
            let is_sent = || changed.as_str().is_some_and(|name| !name.is_empty() && !name.contains(' '));
            if changed == *value || is_name && !is_sent() {
                return;
            }
            let mut object = sample.clone();
            if let Some(place) = object.pointer_mut(&pointer) {
                *place = changed;
            }
            if IDENTITY.iter().all(|place| object.pointer(place) == sample.pointer(place)) {
                mutants.push(Mutant { mutation, pointer: pointer.clone(), object });
            }
        };
        match value {
            Value::String(text) => of_text(text, &mut put),
            Value::Number(number) => {
                put("number to text", json!(number.to_string()));
                put("number to truth value", json!(true));
                for other in [json!(-1), json!(0), json!(1.5), json!(70_000), json!(3_000_000_000_i64)] {
                    put("number to another", other);
                }
            }
            Value::Bool(truth) => {
                put("truth value to text", json!(truth.to_string()));
                put("truth value to number", json!(i32::from(*truth)));
            }
            Value::Array(items) => of_list(items, &mut put),
            Value::Object(fields) => of_mapping(fields, &mut put),
            Value::Null => {}
        }
        if !is_name {
            put("value to null", Value::Null);
        }
    }
    mutants
}

fn of_text(text: &str, put: &mut impl FnMut(&'static str, Value)) {
    put("text to number", json!(5));
    put("text to truth value", json!(true));
    put("text to list", json!([text]));
    put("text to mapping", json!({"text": text}));
    put("text to nothing", json!(""));
    put("text to a long one", json!("a".repeat(300)));
    put("text to one of 64", json!("a".repeat(64)));
    put("text to words", json!("two words"));
    put("text to capitals", json!(text.to_uppercase()));
    put("text to digits", json!("80"));
}

fn of_list(items: &[Value], put: &mut impl FnMut(&'static str, Value)) {
    let with = |item: Value| Value::Array(items.iter().cloned().chain([item]).collect());
    put("list to text", json!("text"));
    put("list to mapping", json!({"0": items.first()}));
    put("list to nothing", json!([]));
    put("item null", with(Value::Null));
    put("item of another type", with(json!(5)));
    if let Some(last) = items.last() {
        put("item twice", with(last.clone()));
        if let Value::Object(fields) = last {
            for field in fields.keys() {
                let mut other = last.clone();
                other[field.as_str()] = json!("other");
                put("item nearly twice", with(other));
            }
        }
    }
}

fn of_mapping(fields: &Map<String, Value>, put: &mut impl FnMut(&'static str, Value)) {
    let with = |key: &str, value: Value| {
        let mut fields = fields.clone();
        fields.insert(key.to_owned(), value);
        Value::Object(fields)
    };
    put("mapping to text", json!("text"));
    put("mapping to list", json!([fields]));
    put("mapping to nothing", json!({}));
    put("field that is not known", with("fieldOfNoType", json!("x")));
    put("key that is not possible", with("two words", json!("x")));
    for field in fields.keys() {
        let mut without = fields.clone();
        without.remove(field);
        put("field left out", Value::Object(without));
        let mut renamed = fields.clone();
        if let Some(value) = renamed.remove(field) {
            renamed.insert(field.to_uppercase(), value);
            put("field in capitals", Value::Object(renamed));
        }
    }
}

fn collect(value: &Value, pointer: String, places: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let key = key.replace('~', "~0").replace('/', "~1");
                collect(value, format!("{pointer}/{key}"), places);
            }
        }
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                collect(item, format!("{pointer}/{n}"), places);
            }
        }
        _ => {}
    }
    places.push(pointer);
}
