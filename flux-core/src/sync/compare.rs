//! Comparison by value: which fields that git names have another value in the cluster.

use serde_json::{Map, Value};

use super::fields::child;
use crate::schema::{
    lists::{Schema, Shape},
    path::{Elem, FieldPath},
};

/// A tree of managed fields, or a part of one.
type Tree<'t> = Option<&'t Map<String, Value>>;

/// How strictly values are compared.
///
/// Fields that git does not name never count.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Compare {
    pub(crate) schema: Schema,
    /// `true` if the server may have rewritten values (`1000m` as `1`), and left out those that say
    /// nothing.
    pub(crate) rewritten: bool,
    /// `true` if items of atomic lists may have fields, put there as defaults, that git does not
    /// name.
    pub(crate) defaults: bool,
}

/// The fields under which a scalar is a quantity.
const QUANTITIES: &[&str] = &[
    "averageValue",
    "capacity",
    "default",
    "defaultRequest",
    "divisor",
    "hard",
    "limits",
    "max",
    "maxLimitRequestRatio",
    "min",
    "overhead",
    "requests",
    "sizeLimit",
];

impl Compare {
    /// Returns the paths, to the leaf, at which `live` is not what `desired` says.
    ///
    /// `tree` are the fields that we set: how it names the items of a list says how that list
    /// merges.
    pub(crate) fn objects(self, desired: &Value, live: &Value, tree: Tree<'_>) -> Vec<FieldPath> {
        let mut out = Vec::new();
        let Some(fields) = desired.as_object() else { return out };
        for (name, value) in fields {
            let elem = Elem::Field(name.clone());
            let tree = step(tree, &elem);
            let path = FieldPath(vec![elem]);
            match (name.as_str(), value) {
                ("apiVersion" | "kind", _) => {}
                ("metadata", Value::Object(metadata)) => {
                    let identity = |key: &str| key == "name" || key == "namespace";
                    for (key, value) in metadata.iter().filter(|(key, _)| !identity(key)) {
                        let live = live.get(name).and_then(|m| m.get(key));
                        let elem = Elem::Field(key.clone());
                        self.values(value, live, step(tree, &elem), &path.join(elem), &mut out);
                    }
                }
                _ => self.values(value, live.get(name), tree, &path, &mut out),
            }
        }
        out
    }

    fn values(
        self,
        desired: &Value,
        live: Option<&Value>,
        tree: Tree<'_>,
        path: &FieldPath,
        out: &mut Vec<FieldPath>,
    ) {
        if is_nothing(desired) && live.is_none_or(is_nothing) {
            return;
        }
        match (desired, live) {
            (Value::Null, _) => {}
            (Value::Object(desired), Some(Value::Object(live))) => {
                self.fields(desired, live, tree, path, out);
            }
            (Value::Array(desired), Some(Value::Array(live))) => self.lists(desired, live, tree, path, out),
            (Value::Object(desired), None) if !desired.is_empty() => {
                for (key, value) in desired {
                    let elem = Elem::Field(key.clone());
                    self.values(value, None, step(tree, &elem), &path.join(elem), out);
                }
            }
            (desired, live) if self.is_left_out(desired, live, path) => {}
            (desired, Some(live)) if self.scalars(desired, live, path) => {}
            _ => out.push(path.clone()),
        }
    }

    fn fields(
        self,
        desired: &Map<String, Value>,
        live: &Map<String, Value>,
        tree: Tree<'_>,
        path: &FieldPath,
        out: &mut Vec<FieldPath>,
    ) {
        for (key, value) in desired {
            let elem = Elem::Field(key.clone());
            self.values(value, live.get(key), step(tree, &elem), &path.join(elem), out);
        }
        if self.schema.is_atomic_object(path) {
            let more = live.keys().filter(|key| !desired.contains_key(*key));
            out.extend(more.map(|key| path.join(Elem::Field(key.clone()))));
        }
    }

    fn lists(
        self,
        desired: &[Value],
        live: &[Value],
        tree: Tree<'_>,
        path: &FieldPath,
        out: &mut Vec<FieldPath>,
    ) {
        let shape = self.schema.list(path);
        let by_tree = (shape == Shape::Atomic).then(|| keys_of(tree)).flatten();
        match (shape, by_tree.as_deref()) {
            (Shape::Map(keys), _) => self.items(desired, live, keys, tree, path, out),
            (Shape::Atomic, Some(keys)) => self.items(desired, live, keys, tree, path, out),
            (Shape::Set, _) => {
                let missing = desired.iter().filter(|item| !live.contains(item));
                out.extend(missing.map(|item| path.join(Elem::Value(item.to_string()))));
            }
            (Shape::Atomic, None) if is_set(tree) => {
                let missing = desired.iter().filter(|item| !live.contains(item));
                out.extend(missing.map(|item| path.join(Elem::Value(item.to_string()))));
            }
            (Shape::Atomic, None) if desired.len() != live.len() => out.push(path.clone()),
            (Shape::Atomic, None) => {
                let before = out.len();
                for (n, (desired, live)) in desired.iter().zip(live).enumerate() {
                    self.values(desired, Some(live), None, &path.join(Elem::Index(n)), out);
                }
                if out.len() == before && !self.defaults && !same(desired, live) {
                    out.push(path.clone());
                }
            }
        }
    }

    fn items(
        self,
        desired: &[Value],
        live: &[Value],
        keys: &[impl AsRef<str>],
        tree: Tree<'_>,
        path: &FieldPath,
        out: &mut Vec<FieldPath>,
    ) {
        let keys: Vec<&str> = keys.iter().map(AsRef::as_ref).collect();
        for item in desired {
            let Some(elem) = Elem::key_of(item, &keys) else {
                out.push(path.clone());
                continue;
            };
            match live.iter().find(|live| elem.names(live)) {
                Some(live) => self.values(item, Some(live), step(tree, &elem), &path.join(elem), out),
                None => out.push(path.join(elem)),
            }
        }
    }

    /// Returns `true` if the server of a built-in kind leaves a value out, or puts one of its own
    /// in its place, because it says nothing: `false`, `0`, an empty text.
    fn is_left_out(self, desired: &Value, live: Option<&Value>, path: &FieldPath) -> bool {
        let says_nothing = match desired {
            Value::Bool(truth) => !truth && live.is_none(),
            Value::Number(number) => number.as_f64() == Some(0.0) && live.is_none(),
            Value::String(text) => text.is_empty(),
            _ => false,
        };
        says_nothing && self.rewritten && self.schema.is_builtin() && !is_free(path)
    }

    fn scalars(self, desired: &Value, live: &Value, path: &FieldPath) -> bool {
        if scalar_eq(desired, live) {
            return true;
        }
        let is_quantity = || {
            let within = |elem: &Elem| matches!(elem, Elem::Field(f) if QUANTITIES.contains(&f.as_str()));
            // A metric's target.
            let target = matches!(&path.0[..], [.., Elem::Field(target), Elem::Field(value)]
                if target == "target" && value == "value");
            target || path.0.iter().any(within)
        };
        self.rewritten
            && ((is_quantity() && quantity(desired).is_some_and(|q| Some(q) == quantity(live)))
                || (is_bundle(path) && without_space(desired) == without_space(live)))
    }
}

/// Returns the part of a tree for an element.
fn step<'t>(tree: Tree<'t>, elem: &Elem) -> Tree<'t> {
    child(tree?, elem)
}

/// Returns the key fields by which a tree names the items of a list.
fn keys_of(tree: Tree<'_>) -> Option<Vec<String>> {
    tree?.keys().find_map(|key| match Elem::parse(key)? {
        Elem::Key(keys) => Some(keys.into_iter().map(|(key, _)| key).collect()),
        _ => None,
    })
}

/// Returns `true` if a tree names the items of a list by their values.
fn is_set(tree: Tree<'_>) -> bool {
    tree.is_some_and(|tree| tree.keys().any(|key| key.starts_with("v:")))
}

/// Returns `true` if people choose the names of the fields that a path leads to, so that an empty
/// text is a value like any other.
fn is_free(path: &FieldPath) -> bool {
    let Some((Elem::Field(last), before)) = path.0.split_last() else { return false };
    let parent = before.iter().rev().find_map(|elem| match elem {
        Elem::Field(name) => Some(name.as_str()),
        _ => None,
    });
    last == "value"
        || matches!(
            parent,
            Some(
                "annotations"
                    | "binaryData"
                    | "data"
                    | "labels"
                    | "matchLabels"
                    | "nodeSelector"
                    | "parameters"
                    | "selector"
            )
        )
}

/// Returns `true` if a path leads to a bundle of certificates, which the server keeps without the
/// line breaks of its base64.
fn is_bundle(path: &FieldPath) -> bool {
    matches!(path.0.last(), Some(Elem::Field(name)) if name == "caBundle")
}

fn without_space(value: &Value) -> Option<String> {
    Some(value.as_str()?.split_whitespace().collect())
}

/// Returns `true` if a value says as little as its absence.
pub(crate) fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// Returns `true` if two scalars mean the same: `1` and `1.0` do.
fn scalar_eq(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => {
            x == y || (x.is_f64() != y.is_f64() && x.as_f64().is_some() && x.as_f64() == y.as_f64())
        }
        _ => a == b,
    }
}

/// Returns `true` if two lists are the same to the last field.
fn same(a: &[Value], b: &[Value]) -> bool {
    fn eq(a: &Value, b: &Value) -> bool {
        match (a, b) {
            (Value::Array(a), Value::Array(b)) => same(a, b),
            (Value::Object(a), Value::Object(b)) => {
                a.len() == b.len() && a.iter().all(|(k, v)| b.get(k).is_some_and(|w| eq(v, w)))
            }
            _ => scalar_eq(a, b),
        }
    }
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| eq(a, b))
}

/// Returns a Kubernetes quantity as digits times a power of ten, without trailing zeros, so that
/// equal quantities are equal values.
fn quantity(value: &Value) -> Option<(i128, i32)> {
    let text = match value {
        Value::String(s) => s.clone(),
        Value::Number(n) => n.to_string(),
        _ => return None,
    };
    let end = text.find(|c: char| !(c.is_ascii_digit() || "+-.".contains(c))).unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (factor, mut exponent) = match suffix {
        "" => (1, 0),
        "n" => (1, -9),
        "u" => (1, -6),
        "m" => (1, -3),
        "k" => (1, 3),
        "M" => (1, 6),
        "G" => (1, 9),
        "T" => (1, 12),
        "P" => (1, 15),
        "E" => (1, 18),
        "Ki" => (1i128 << 10, 0),
        "Mi" => (1 << 20, 0),
        "Gi" => (1 << 30, 0),
        "Ti" => (1 << 40, 0),
        "Pi" => (1 << 50, 0),
        "Ei" => (1 << 60, 0),
        _ => (1, suffix.strip_prefix(['e', 'E'])?.parse().ok()?),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    exponent -= i32::try_from(fraction.len()).ok()?;
    let mut digits: i128 = format!("{whole}{fraction}").parse::<i128>().ok()?.checked_mul(factor)?;
    while digits != 0 && digits % 10 == 0 {
        digits /= 10;
        exponent = exponent.checked_add(1)?;
    }
    Some((digits, if digits == 0 { 0 } else { exponent }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn diff(normalised: bool, desired: &Value, live: &Value) -> Vec<String> {
        let compare =
            Compare { schema: Schema::of_group("apps"), rewritten: normalised, defaults: normalised };
        compare.objects(desired, live, None).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn only_fields_that_git_names_count() {
        let desired = json!({"kind": "X", "metadata": {"name": "a", "labels": {"a": "1"}}, "spec": {"x": 1, "empty": {}}});
        let live = json!({"kind": "Y", "metadata": {"name": "b", "labels": {"a": "1", "b": "2"}}, "spec": {"x": 1.0, "y": 2}});
        assert_eq!(diff(false, &desired, &live), [""; 0]);
    }

    #[test]
    fn differences_are_named_to_the_leaf() {
        let desired = json!({"spec": {"replicas": 2, "template": {"spec": {"containers": [
            {"name": "web", "image": "a:1", "args": ["-v"], "env": [{"name": "A", "value": "1"}]},
            {"name": "new", "image": "b:1"}]}}}});
        let live = json!({"spec": {"replicas": 3, "template": {"spec": {"containers": [
            {"name": "foreign"},
            {"name": "web", "image": "a:2", "args": ["-v", "-v"], "env": [{"name": "A", "value": "2"}]}]}}}});
        let at = "spec.template.spec.containers";
        assert_eq!(
            diff(false, &desired, &live),
            [
                "spec.replicas".to_owned(),
                format!("{at}[name=web].args"),
                format!("{at}[name=web].env[name=A].value"),
                format!("{at}[name=web].image"),
                format!("{at}[name=new]"),
            ]
        );
    }

    #[test]
    fn what_the_server_rewrites_counts_only_where_values_come_back_as_sent() {
        let cpu = |value: Value| json!({"spec": {"resources": {"limits": {"cpu": value}}}});
        assert_eq!(diff(true, &cpu(json!("1000m")), &cpu(json!("1"))), [""; 0]);
        assert_eq!(diff(true, &cpu(json!(1)), &cpu(json!("1"))), [""; 0]);
        assert_eq!(diff(false, &cpu(json!("1000m")), &cpu(json!("1"))), ["spec.resources.limits.cpu"]);
        let rules = |rule: Value| json!({"spec": {"rules": [rule]}});
        let (sent, defaulted) = (rules(json!({"a": 1})), rules(json!({"a": 1, "b": 2})));
        assert_eq!(diff(true, &sent, &defaulted), [""; 0]);
        assert_eq!(diff(false, &sent, &defaulted), ["spec.rules"]);
    }

    #[test]
    fn a_text_that_looks_like_a_number_is_no_quantity_outside_of_resources() {
        let env = |value: &str| json!({"data": {"VERSION": value}});
        assert_eq!(diff(true, &env("1.0"), &env("1")), ["data.VERSION"]);
    }

    #[test]
    fn quantities_are_equal_in_any_spelling() {
        for (a, b) in [
            ("1", "1000m"),
            ("1Gi", "1024Mi"),
            ("0.5", "500m"),
            ("1e3", "1k"),
            ("128974848", "123Mi"),
            ("0", "0m"),
        ] {
            assert_eq!(quantity(&json!(a)), quantity(&json!(b)), "{a} = {b}");
            assert!(quantity(&json!(a)).is_some());
        }
        assert_ne!(quantity(&json!("1G")), quantity(&json!("1Gi")));
        assert_eq!(quantity(&json!("one")), None);
    }

    #[test]
    fn a_value_that_says_nothing_may_be_left_out_of_a_builtin_kind() {
        let desired = json!({"spec": {"hostNetwork": false, "clusterIP": "", "delay": 0}, "data": {"a": ""}});
        let live = json!({"spec": {"clusterIP": "10.0.0.1"}, "data": {"a": "x"}});
        assert_eq!(diff(true, &desired, &live), ["data.a"]);
        assert_eq!(
            diff(false, &desired, &live),
            ["data.a", "spec.clusterIP", "spec.delay", "spec.hostNetwork"]
        );
    }

    #[test]
    fn lists_of_custom_kinds_merge_as_the_record_of_our_fields_says() {
        let compare = Compare { schema: Schema::of_group("example.com"), rewritten: true, defaults: true };
        let desired = json!({"spec": {"hosts": [{"id": "b", "x": 1}], "tags": ["q"]}});
        let live = json!({"spec": {"hosts": [{"id": "a", "x": 9}, {"id": "b", "x": 1}], "tags": ["p", "q"]}});
        let tree = json!({"f:spec": {
            "f:hosts": {r#"k:{"id":"b"}"#: {".": {}, "f:id": {}, "f:x": {}}}, "f:tags": {r#"v:"q""#: {}}}});
        assert_eq!(compare.objects(&desired, &live, tree.as_object()), []);
        let unknown: Vec<String> =
            compare.objects(&desired, &live, None).iter().map(ToString::to_string).collect();
        assert_eq!(unknown, ["spec.hosts", "spec.tags"]);
    }

    #[test]
    fn an_atomic_selector_has_no_room_for_more() {
        let desired = json!({"spec": {"selector": {"app": "a"}}});
        let live = json!({"spec": {"selector": {"app": "a", "more": "b"}}});
        assert_eq!(diff(false, &desired, &live), ["spec.selector.more"]);
    }
}
