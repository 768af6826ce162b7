//! Drift by ownership: what the API server says of who set which field (`metadata.managedFields`).
//!
//! A field that git names is *held* if the entry of our own manager covers it: the server takes a
//! field away from its manager when somebody else changes or removes it. So a covered field has the
//! value that we sent, in whatever spelling the server keeps it.

use serde_json::{Map, Value};

use crate::{
    plan::sync::FIELD_MANAGER,
    schema::path::{Elem, FieldPath},
};

/// The entries of `managedFields` that could be read.
#[derive(Debug)]
pub(super) struct Managers<'a> {
    entries: Vec<Entry<'a>>,
}

#[derive(Debug)]
struct Entry<'a> {
    manager: &'a str,
    subresource: &'a str,
    is_ours: bool,
    /// When it was written last, as the API server has it.
    time: Option<&'a str>,
    fields: &'a Map<String, Value>,
}

impl Entry<'_> {
    /// Returns `true` if it may be an autoscaler: something that scales through the subresource,
    /// and is not a person with kubectl.
    fn scales(&self) -> bool {
        self.subresource == "scale" && !self.manager.starts_with("kubectl")
    }
}

impl<'a> Managers<'a> {
    pub(super) fn read(live: &'a Value) -> Self {
        let entries = live["metadata"]["managedFields"].as_array().into_iter().flatten();
        let entries = entries.filter_map(|entry| {
            Some(Entry {
                manager: entry.get("manager").and_then(Value::as_str).unwrap_or_default(),
                subresource: entry.get("subresource").and_then(Value::as_str).unwrap_or_default(),
                is_ours: is_ours(entry),
                time: entry.get("time").and_then(Value::as_str),
                fields: entry.get("fieldsV1")?.as_object()?,
            })
        });
        Self { entries: entries.collect() }
    }

    /// Returns the fields that we set, if we set any.
    pub(super) fn ours(&self) -> Option<&'a Map<String, Value>> {
        self.entries.iter().find(|e| e.is_ours).map(|e| e.fields)
    }

    /// Somebody else who set the field at a path.
    pub(super) fn owner(&self, path: &FieldPath) -> Option<String> {
        Some(self.other(path)?.manager.to_owned())
    }

    /// Returns when somebody else wrote last what includes the field at a path.
    pub(super) fn time(&self, path: &FieldPath) -> Option<String> {
        Some(self.other(path)?.time?.to_owned())
    }

    fn other(&self, path: &FieldPath) -> Option<&Entry<'a>> {
        let others = self.entries.iter().filter(|e| !e.is_ours && covers(e.fields, path));
        others.min_by_key(|entry| (entry.manager, entry.time))
    }

    /// Returns `true` if a field is on record, and only as one that a manager of this name set.
    pub(super) fn is_only_of(&self, path: &FieldPath, manager: &str) -> bool {
        let mut owners = self.entries.iter().filter(|entry| covers(entry.fields, path)).peekable();
        owners.peek().is_some() && owners.all(|entry| entry.manager == manager)
    }

    /// Returns the fields that something set through the `scale` subresource that may be an
    /// autoscaler.
    pub(super) fn scaled(&self) -> Vec<FieldPath> {
        let mut out = Vec::new();
        for entry in self.entries.iter().filter(|e| e.scales()) {
            leaves(entry.fields, &FieldPath::default(), &mut out);
        }
        out.retain(|path| path.0.first() == Some(&Elem::Field("spec".to_owned())));
        out
    }
}

/// Returns `true` if an entry of `managedFields` is that of our own field manager.
pub(super) fn is_ours(entry: &Value) -> bool {
    let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default();
    text("manager") == FIELD_MANAGER && text("operation") == "Apply" && text("subresource").is_empty()
}

/// Returns the key under which a tree holds an element.
///
/// The key fields of an item may stand in any order in it.
pub(super) fn key_in(tree: &Map<String, Value>, elem: &Elem) -> Option<String> {
    let written = elem.to_fields_v1();
    if tree.contains_key(&written) {
        return Some(written);
    }
    match elem {
        Elem::Key(_) => tree.keys().find(|key| Elem::parse(key).as_ref() == Some(elem)).cloned(),
        _ => None,
    }
}

/// Returns the node of a tree for an element.
pub(super) fn child<'t>(tree: &'t Map<String, Value>, elem: &Elem) -> Option<&'t Map<String, Value>> {
    tree.get(&key_in(tree, elem)?)?.as_object()
}

/// Returns `true` if a tree holds the field at a path, as itself or as a part of something atomic.
pub(super) fn covers(fields: &Map<String, Value>, path: &FieldPath) -> bool {
    let mut tree = fields;
    for elem in &path.0 {
        if is_leaf(tree) {
            return true;
        }
        match child(tree, elem) {
            Some(child) => tree = child,
            None => return false,
        }
    }
    true
}

/// Returns `true` if a tree holds the field at a path as itself.
///
/// Where the tree of one manager ends and that of another goes on, the former holds a map or list
/// that it left empty, and nothing of what the other put into it.
pub(super) fn holds(fields: &Map<String, Value>, path: &FieldPath) -> bool {
    path.0.iter().try_fold(fields, child).is_some()
}

/// Returns `true` if the tree ends here: what is below belongs to the field as a whole.
fn is_leaf(tree: &Map<String, Value>) -> bool {
    tree.is_empty()
}

/// The paths at which a tree ends; an item that is held as a whole is one.
fn leaves(tree: &Map<String, Value>, path: &FieldPath, out: &mut Vec<FieldPath>) {
    if tree.is_empty() || tree.contains_key(".") {
        out.push(path.clone());
        return;
    }
    for (key, child) in tree {
        if let (Some(elem), Some(child)) = (Elem::parse(key), child.as_object()) {
            leaves(child, &path.join(elem), out);
        }
    }
}

/// Returns every field that a tree holds: leaves, and what is held as itself beside its parts.
pub(super) fn owned(tree: &Map<String, Value>) -> Vec<FieldPath> {
    let mut out = Vec::new();
    all(tree, &FieldPath::default(), &mut out);
    out
}

fn all(tree: &Map<String, Value>, path: &FieldPath, out: &mut Vec<FieldPath>) {
    if tree.is_empty() || tree.contains_key(".") {
        out.push(path.clone());
    }
    for (key, child) in tree {
        if let (Some(elem), Some(child)) = (Elem::parse(key), child.as_object()) {
            all(child, &path.join(elem), out);
        }
    }
}

/// Returns `true` if a path is part of the object's identity, which no manager owns.
fn is_identity(path: &FieldPath) -> bool {
    let names: Vec<&str> = path
        .0
        .iter()
        .map(|elem| match elem {
            Elem::Field(name) => name.as_str(),
            _ => "",
        })
        .collect();
    matches!(names[..], ["apiVersion" | "kind"] | ["metadata", "name" | "namespace"])
}

/// Returns the fields of `desired` that a tree does not hold.
pub(super) fn uncovered(desired: &Value, tree: &Map<String, Value>) -> Vec<FieldPath> {
    let mut out = Vec::new();
    walk(desired, Some(tree), &FieldPath::default(), &mut out);
    out
}

fn walk(desired: &Value, tree: Option<&Map<String, Value>>, path: &FieldPath, out: &mut Vec<FieldPath>) {
    if desired.is_null() || is_identity(path) || tree.is_some_and(is_leaf) {
        return;
    }
    match (desired, tree) {
        (Value::Object(fields), _) if !fields.is_empty() => {
            for (name, value) in fields {
                let child = tree.and_then(|t| t.get(&format!("f:{name}"))).and_then(Value::as_object);
                walk(value, child, &path.join(Elem::Field(name.clone())), out);
            }
        }
        (Value::Array(items), Some(tree)) if !items.is_empty() => walk_list(items, tree, path, out),
        (_, Some(_)) => {}
        (_, None) => out.push(path.clone()),
    }
}

/// Lists are keyed as the tree says.
///
/// A key that the item does not write was defaulted by the server and is not compared.
fn walk_list(items: &[Value], tree: &Map<String, Value>, path: &FieldPath, out: &mut Vec<FieldPath>) {
    let elems: Vec<(Elem, &Map<String, Value>)> =
        tree.iter().filter_map(|(key, child)| Some((Elem::parse(key)?, child.as_object()?))).collect();
    let mut taken = vec![false; elems.len()];
    let mut found: Vec<Option<usize>> = vec![None; items.len()];
    // Items that write all keys choose first, so that one that leaves a key to its default cannot
    // take what is theirs.
    for exact in [true, false] {
        for (n, item) in items.iter().enumerate().filter(|(n, _)| found[*n].is_none()).collect::<Vec<_>>() {
            let fits = |elem: &Elem| match elem {
                Elem::Index(index) => *index == n,
                _ if exact => elem.names(item),
                _ => elem.may_name(item),
            };
            if let Some(at) = (0..elems.len()).find(|at| !taken[*at] && fits(&elems[*at].0)) {
                taken[at] = true;
                found[n] = Some(at);
            }
        }
    }
    for (n, (item, at)) in items.iter().zip(found).enumerate() {
        match at {
            Some(at) => walk(item, Some(elems[at].1), &path.join(elems[at].0.clone()), out),
            None => out.push(path.join(name_of(item, n, &elems))),
        }
    }
}

/// Returns the name of an item that no manager owns: by the keys of its neighbours, else by its
/// `name`, else by its place.
fn name_of(item: &Value, n: usize, neighbours: &[(Elem, &Map<String, Value>)]) -> Elem {
    let keys = neighbours.iter().find_map(|(elem, _)| match elem {
        Elem::Key(keys) => Some(keys.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>()),
        _ => None,
    });
    let scalar = !(item.is_object() || item.is_array());
    if scalar && neighbours.iter().any(|(elem, _)| matches!(elem, Elem::Value(_))) {
        return Elem::Value(item.to_string());
    }
    keys.or_else(|| Some(vec!["name"])).and_then(|keys| Elem::key_of(item, &keys)).unwrap_or(Elem::Index(n))
}

/// Returns the fields that a tree holds and `sent` no longer has: they go away when it is applied.
pub(super) fn released(tree: &Map<String, Value>, sent: &Value) -> Vec<FieldPath> {
    let mut out = Vec::new();
    release(tree, sent, &FieldPath::default(), &mut out);
    out
}

fn release(tree: &Map<String, Value>, sent: &Value, path: &FieldPath, out: &mut Vec<FieldPath>) {
    for (key, child) in tree {
        let (Some(elem), Some(child)) = (Elem::parse(key), child.as_object()) else { continue };
        let here = path.join(elem.clone());
        let value = match &elem {
            Elem::Field(name) => sent.get(name),
            Elem::Index(n) => sent.get(n),
            Elem::Key(_) | Elem::Value(_) => sent.as_array().and_then(|items| {
                let exact = items.iter().find(|item| elem.names(item));
                exact.or_else(|| items.iter().find(|item| elem.may_name(item)))
            }),
        };
        match (value, &elem) {
            (Some(value), Elem::Key(keys)) => {
                // The keys of an item that is still there go nowhere, written or defaulted.
                let keys: Vec<String> = keys.iter().map(|(key, _)| format!("f:{key}")).collect();
                let child = child.iter().filter(|(key, _)| !keys.contains(key));
                release(&child.map(|(k, v)| (k.clone(), v.clone())).collect(), value, &here, out);
            }
            (Some(value), _) => release(child, value, &here, out),
            (None, Elem::Field(_)) => leaves(child, &here, out),
            (None, _) => out.push(here),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn texts(paths: &[FieldPath]) -> Vec<String> {
        paths.iter().map(ToString::to_string).collect()
    }

    fn tree() -> Map<String, Value> {
        let tree = json!({
            "f:metadata": {"f:labels": {"f:app": {}}},
            "f:spec": {
                "f:selector": {},
                "f:template": {"f:spec": {"f:containers": {
                    r#"k:{"name":"web"}"#: {".": {}, "f:name": {}, "f:image": {}, "f:args": {},
                        "f:ports": {r#"k:{"containerPort":80,"protocol":"TCP"}"#: {".": {}, "f:containerPort": {}}}}}}}}});
        tree.as_object().unwrap().clone()
    }

    fn desired() -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web"}},
            "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": {"spec": {"containers": [
                {"name": "web", "image": "a:1", "args": ["x"], "ports": [{"containerPort": 80}]}]}}}})
    }

    #[test]
    fn what_we_sent_is_held() {
        assert_eq!(texts(&uncovered(&desired(), &tree())), [""; 0]);
        assert_eq!(texts(&released(&tree(), &desired())), [""; 0]);
    }

    #[test]
    fn what_others_took_is_not_held() {
        let mut tree = Value::Object(tree());
        let at = FieldPath::from_fields(&[
            "f:spec",
            "f:template",
            "f:spec",
            "f:containers",
            r#"k:{"name":"web"}"#,
        ]);
        at.get_mut(&mut tree).unwrap().as_object_mut().unwrap().remove("f:image");
        assert_eq!(
            texts(&uncovered(&desired(), tree.as_object().unwrap())),
            ["spec.template.spec.containers[name=web].image"]
        );
        at.remove(&mut tree);
        let containers = FieldPath(at.0[..4].to_vec());
        containers.get_mut(&mut tree).unwrap()[r#"k:{"name":"other"}"#] = json!({".": {}});
        assert_eq!(
            texts(&uncovered(&desired(), tree.as_object().unwrap())),
            ["spec.template.spec.containers[name=web]"]
        );
    }

    #[test]
    fn what_others_put_into_an_empty_map_is_not_held() {
        let tree = json!({"f:data": {}, "f:spec": {"f:x": {"f:y": {}}}});
        let held = |fields: &[&str]| holds(tree.as_object().unwrap(), &FieldPath::from_fields(fields));
        assert!(held(&["data"]) && held(&["spec", "x"]) && held(&["spec", "x", "y"]));
        assert!(!held(&["data", "a"]) && !held(&["spec", "x", "z"]));
    }

    #[test]
    fn what_git_no_longer_names_is_released() {
        let mut desired = desired();
        FieldPath::from_fields(&["metadata", "labels"]).remove(&mut desired);
        desired["spec"]["template"]["spec"]["containers"][0].as_object_mut().unwrap().remove("ports");
        assert_eq!(
            texts(&released(&tree(), &desired)),
            [
                "metadata.labels.app",
                "spec.template.spec.containers[name=web].ports[containerPort=80,protocol=TCP]",
            ]
        );
    }

    #[test]
    fn ports_that_differ_in_protocol_only_are_distinguished() {
        let tree = json!({"f:ports": {r#"k:{"port":53,"protocol":"UDP"}"#: {".": {}, "f:port": {}, "f:protocol": {}}}});
        let both = json!({"ports": [{"port": 53}, {"port": 53, "protocol": "UDP"}]});
        assert_eq!(texts(&uncovered(&both, tree.as_object().unwrap())), ["ports[port=53,protocol=TCP]"]);
    }

    #[test]
    fn the_owner_is_the_other_manager_that_holds_the_field() {
        let live = json!({"metadata": {"managedFields": [
            {"manager": "flux", "operation": "Apply", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
            {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {"f:spec": {"f:paused": {}, "f:template": {}}}},
            {"manager": "hpa", "operation": "Update", "subresource": "scale", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
            {"manager": "kubectl", "operation": "Update", "subresource": "scale", "fieldsV1": {"f:spec": {"f:x": {}}}},
            {"manager": "broken", "fieldsV1": 1}]}});
        let managers = Managers::read(&live);
        assert_eq!(
            managers.owner(&FieldPath::from_fields(&["spec", "paused"])).as_deref(),
            Some("kubectl-edit")
        );
        assert_eq!(
            managers.owner(&FieldPath::from_fields(&["spec", "template", "x"])).as_deref(),
            Some("kubectl-edit")
        );
        assert_eq!(managers.owner(&FieldPath::from_fields(&["spec", "other"])), None);
        assert_eq!(texts(&managers.scaled()), ["spec.replicas"]);
    }
}
