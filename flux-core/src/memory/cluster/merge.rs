//! A model of server-side apply: who set which field, what an apply and an edit make of an object.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::{
    schema::{
        lists::{Schema, Shape},
        path::{Elem, FieldPath},
    },
    sync::{FIELD_MANAGER, object},
};

type Fields = BTreeSet<FieldPath>;

/// The manager of fields, and the operation by which it set them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Manager {
    pub(super) name: String,
    pub(super) operation: &'static str,
    pub(super) subresource: Option<String>,
}

impl Manager {
    pub(super) fn applies() -> Self {
        Self { name: FIELD_MANAGER.to_owned(), operation: "Apply", subresource: None }
    }

    pub(super) fn updates(name: &str, subresource: Option<&str>) -> Self {
        Self { name: name.to_owned(), operation: "Update", subresource: subresource.map(str::to_owned) }
    }
}

/// Returns the object after `config` was applied to it by force, managed fields included.
pub(super) fn apply(live: Option<&Value>, config: &Value, schema: Schema) -> Value {
    let mut config = config.clone();
    object::fold_string_data(&mut config);
    drop_nulls(&mut config);
    let ours = Manager::applies();
    let mut managers = live.map(managers_of).unwrap_or_default();
    let before = managers.remove(&ours).unwrap_or_default();
    let fields = fields_of(&config, schema);

    let mut object = live.cloned().unwrap_or_else(|| json!({}));
    merge(&mut object, &config, &FieldPath::default(), schema);
    // From the leaves up: an item goes after what is in it.
    for path in before.iter().rev().filter(|path| !fields.contains(path)) {
        release(&mut object, path, &fields, &managers);
    }
    let changed = |path: &FieldPath| live.is_some_and(|live| path.get(live) != path.get(&object));
    let taken: Vec<&FieldPath> =
        fields.iter().filter(|p| !matches!(p.0.last(), Some(Elem::Key(_))) && changed(p)).collect();
    for theirs in managers.values_mut() {
        theirs.retain(|path| path.get(&object).is_some() && !taken.iter().any(|ours| ours.contains(path)));
    }
    managers.insert(ours, fields);
    put_managers(&mut object, &managers, &config);
    object
}

/// Returns the object after somebody changed it as a whole, managed fields included: fields that
/// changed change hands.
pub(super) fn edit(live: &Value, mut edited: Value, manager: Manager, schema: Schema) -> Value {
    drop_nulls(&mut edited);
    let (old, new) = (fields_of(live, schema), fields_of(&edited, schema));
    let changed: Fields = new
        .into_iter()
        .filter(|path| match path.0.last() {
            Some(Elem::Key(_)) => !old.contains(path),
            _ => path.get(live) != path.get(&edited),
        })
        .collect();
    let mut managers = managers_of(live);
    for fields in managers.values_mut() {
        fields.retain(|path| path.get(&edited).is_some() && !changed.iter().any(|new| new.contains(path)));
    }
    managers.entry(manager).or_default().extend(changed);
    put_managers(&mut edited, &managers, live);
    edited
}

/// Returns the fields that a manager of this content owns: leaves, atomic wholes, and list items.
fn fields_of(object: &Value, schema: Schema) -> Fields {
    let mut out = Fields::new();
    for (name, value) in object.as_object().into_iter().flatten() {
        let path = FieldPath::from_fields(&[name]);
        match (name.as_str(), value.as_object()) {
            ("apiVersion" | "kind", _) => {}
            ("metadata", Some(metadata)) => {
                let served =
                    |key: &str| matches!(key, "name" | "namespace") || object::SERVER_METADATA.contains(&key);
                for (key, value) in metadata.iter().filter(|(key, _)| !served(key)) {
                    collect(value, &path.join(Elem::Field(key.clone())), schema, &mut out);
                }
            }
            _ => collect(value, &path, schema, &mut out),
        }
    }
    out
}

fn collect(value: &Value, path: &FieldPath, schema: Schema, out: &mut Fields) {
    match value {
        Value::Object(fields) if !fields.is_empty() && !schema.is_atomic_object(path) => {
            for (name, value) in fields {
                collect(value, &path.join(Elem::Field(name.clone())), schema, out);
            }
        }
        Value::Array(items) if !items.is_empty() => match keyed(items, schema.list(path)) {
            Some(items) => {
                for (elem, item) in items {
                    let path = path.join(elem);
                    if let Some(fields) = item.as_object() {
                        for (name, value) in fields {
                            collect(value, &path.join(Elem::Field(name.clone())), schema, out);
                        }
                    }
                    out.insert(path);
                }
            }
            None => {
                out.insert(path.clone());
            }
        },
        _ => {
            out.insert(path.clone());
        }
    }
}

/// Returns the items of a list that merges, with their elements; `None` if the list is one value.
fn keyed(items: &[Value], shape: Shape) -> Option<Vec<(Elem, &Value)>> {
    let elem: &dyn Fn(&Value) -> Option<Elem> = match shape {
        Shape::Map(keys) => &|item| Elem::key_of(item, keys),
        Shape::Set => &|item| Some(Elem::Value(item.to_string())),
        Shape::Atomic => return None,
    };
    items.iter().map(|item| Some((elem(item)?, item))).collect()
}

fn merge(into: &mut Value, config: &Value, path: &FieldPath, schema: Schema) {
    match (&mut *into, config) {
        (Value::Object(into), Value::Object(config)) if !schema.is_atomic_object(path) => {
            for (name, value) in config {
                let into = into.entry(name).or_insert(Value::Null);
                merge(into, value, &path.join(Elem::Field(name.clone())), schema);
            }
        }
        (Value::Array(into), Value::Array(config)) => match keyed(config, schema.list(path)) {
            Some(items) => {
                for (elem, item) in items {
                    match into.iter_mut().find(|have| elem.names(have)) {
                        Some(have) => merge(have, item, &path.join(elem), schema),
                        None => into.push(item.clone()),
                    }
                }
            }
            None => config.clone_into(into),
        },
        _ => *into = config.clone(),
    }
}

/// Takes away a field that we set before and no longer send, unless somebody else holds it or
/// something in it.
fn release(object: &mut Value, path: &FieldPath, ours: &Fields, others: &BTreeMap<Manager, Fields>) {
    let held = |path: &FieldPath| {
        let touches = |held: &FieldPath| path.contains(held) || held.contains(path);
        // An item that somebody holds does not hold all that is in it.
        let holds =
            |held: &FieldPath| touches(held) && !(held != path && is_item(held) && held.contains(path));
        ours.iter().any(holds) || others.values().flatten().any(holds)
    };
    if held(path) || is_key_field(path) {
        return;
    }
    path.remove(object);
    let mut parent = path.clone();
    while parent.0.pop().is_some() && parent.0.len() > 1 {
        let empty = match parent.get(object) {
            Some(Value::Object(fields)) => fields.is_empty(),
            Some(Value::Array(items)) => items.is_empty(),
            _ => false,
        };
        if !empty || held(&parent) {
            break;
        }
        parent.remove(object);
    }
}

fn is_item(path: &FieldPath) -> bool {
    matches!(path.0.last(), Some(Elem::Key(_) | Elem::Value(_)))
}

/// Returns `true` if a field is one by which its item is known; it goes with the item only.
fn is_key_field(path: &FieldPath) -> bool {
    match &path.0[..] {
        [.., Elem::Key(keys), Elem::Field(name)] => keys.iter().any(|(key, _)| key == name),
        _ => false,
    }
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

fn managers_of(object: &Value) -> BTreeMap<Manager, Fields> {
    let mut out = BTreeMap::<Manager, Fields>::new();
    for entry in object["metadata"]["managedFields"].as_array().into_iter().flatten() {
        let applies = object::text(entry, "operation") == Some("Apply");
        let manager = Manager {
            name: object::text(entry, "manager").unwrap_or_default().to_owned(),
            operation: if applies { "Apply" } else { "Update" },
            subresource: object::text(entry, "subresource").map(str::to_owned),
        };
        read_tree(&entry["fieldsV1"], &FieldPath::default(), out.entry(manager).or_default());
    }
    out
}

fn read_tree(tree: &Value, path: &FieldPath, out: &mut Fields) {
    let Some(tree) = tree.as_object() else { return };
    if (tree.is_empty() || tree.contains_key(".")) && !path.0.is_empty() {
        out.insert(path.clone());
    }
    for (key, child) in tree {
        if let Some(elem) = Elem::parse(key) {
            read_tree(child, &path.join(elem), out);
        }
    }
}

fn put_managers(object: &mut Value, managers: &BTreeMap<Manager, Fields>, versioned: &Value) {
    let entries: Vec<Value> = managers
        .iter()
        .filter(|(_, fields)| !fields.is_empty())
        .map(|(manager, fields)| {
            let mut entry = json!({
                "apiVersion": versioned["apiVersion"], "fieldsType": "FieldsV1", "fieldsV1": tree_of(fields),
                "manager": manager.name, "operation": manager.operation});
            if let (Some(subresource), Some(entry)) = (&manager.subresource, entry.as_object_mut()) {
                entry.insert("subresource".to_owned(), subresource.as_str().into());
            }
            entry
        })
        .collect();
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("managedFields".to_owned(), entries.into());
    }
}

fn tree_of(fields: &Fields) -> Map<String, Value> {
    let mut root = Map::new();
    for path in fields {
        node(&mut root, &path.0);
    }
    // An item, and a field that is held as itself beside what is in it.
    for path in fields {
        if let Some(node) = node(&mut root, &path.0)
            && (!node.is_empty() || matches!(path.0.last(), Some(Elem::Key(_))))
        {
            node.insert(".".to_owned(), Value::Object(Map::new()));
        }
    }
    root
}

/// Returns the node of a tree at a path, made if it is not there.
fn node<'a>(tree: &'a mut Map<String, Value>, path: &[Elem]) -> Option<&'a mut Map<String, Value>> {
    let Some((elem, rest)) = path.split_first() else { return Some(tree) };
    let child = tree.entry(elem.to_fields_v1()).or_insert_with(|| Value::Object(Map::new()));
    node(child.as_object_mut()?, rest)
}
