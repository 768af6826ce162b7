//! Comparison by value: which fields that git names have another value in the cluster.

use serde_json::{Map, Value};

use crate::schema::{
    lists::{Schema, Shape},
    path::{Elem, FieldPath},
};

/// How strictly values are compared.
///
/// Fields that git does not name never count.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Compare {
    pub(crate) schema: Schema,
    /// `true` if the server may have rewritten quantities (`1000m` as `1`).
    pub(crate) quantities: bool,
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
    pub(crate) fn objects(self, desired: &Value, live: &Value) -> Vec<FieldPath> {
        let mut out = Vec::new();
        let Some(fields) = desired.as_object() else { return out };
        for (name, value) in fields {
            let path = FieldPath::from_fields(&[name]);
            match (name.as_str(), value) {
                ("apiVersion" | "kind", _) => {}
                ("metadata", Value::Object(metadata)) => {
                    let identity = |key: &str| key == "name" || key == "namespace";
                    for (key, value) in metadata.iter().filter(|(key, _)| !identity(key)) {
                        let live = live.get(name).and_then(|m| m.get(key));
                        self.values(value, live, &path.join(Elem::Field(key.clone())), &mut out);
                    }
                }
                _ => self.values(value, live.get(name), &path, &mut out),
            }
        }
        out
    }

    fn values(self, desired: &Value, live: Option<&Value>, path: &FieldPath, out: &mut Vec<FieldPath>) {
        if is_nothing(desired) && live.is_none_or(is_nothing) {
            return;
        }
        match (desired, live) {
            (Value::Null, _) => {}
            (Value::Object(desired), Some(Value::Object(live))) => self.fields(desired, live, path, out),
            (Value::Array(desired), Some(Value::Array(live))) => self.lists(desired, live, path, out),
            (Value::Object(desired), None) if !desired.is_empty() => {
                for (key, value) in desired {
                    self.values(value, None, &path.join(Elem::Field(key.clone())), out);
                }
            }
            (desired, Some(live)) if self.scalars(desired, live, path) => {}
            _ => out.push(path.clone()),
        }
    }

    fn fields(
        self,
        desired: &Map<String, Value>,
        live: &Map<String, Value>,
        path: &FieldPath,
        out: &mut Vec<FieldPath>,
    ) {
        for (key, value) in desired {
            self.values(value, live.get(key), &path.join(Elem::Field(key.clone())), out);
        }
        if self.schema.is_atomic_object(path) {
            let more = live.keys().filter(|key| !desired.contains_key(*key));
            out.extend(more.map(|key| path.join(Elem::Field(key.clone()))));
        }
    }

    fn lists(self, desired: &[Value], live: &[Value], path: &FieldPath, out: &mut Vec<FieldPath>) {
        match self.schema.list(path) {
            Shape::Map(keys) => {
                for item in desired {
                    let Some(elem) = Elem::key_of(item, keys) else {
                        out.push(path.clone());
                        continue;
                    };
                    match live.iter().find(|live| elem.names(live)) {
                        Some(live) => self.values(item, Some(live), &path.join(elem), out),
                        None => out.push(path.join(elem)),
                    }
                }
            }
            Shape::Set => {
                let missing = desired.iter().filter(|item| !live.contains(item));
                out.extend(missing.map(|item| path.join(Elem::Value(item.to_string()))));
            }
            Shape::Atomic if desired.len() != live.len() => out.push(path.clone()),
            Shape::Atomic => {
                let before = out.len();
                for (n, (desired, live)) in desired.iter().zip(live).enumerate() {
                    self.values(desired, Some(live), &path.join(Elem::Index(n)), out);
                }
                if out.len() == before && !self.defaults && !same(desired, live) {
                    out.push(path.clone());
                }
            }
        }
    }

    fn scalars(self, desired: &Value, live: &Value, path: &FieldPath) -> bool {
        if scalar_eq(desired, live) {
            return true;
        }
        let is_quantity =
            || path.0.iter().any(|elem| matches!(elem, Elem::Field(f) if QUANTITIES.contains(&f.as_str())));
        self.quantities && is_quantity() && quantity(desired).is_some_and(|q| Some(q) == quantity(live))
    }
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
            Compare { schema: Schema::of_group("apps"), quantities: normalised, defaults: normalised };
        compare.objects(desired, live).iter().map(ToString::to_string).collect()
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
    fn an_atomic_selector_has_no_room_for_more() {
        let desired = json!({"spec": {"selector": {"app": "a"}}});
        let live = json!({"spec": {"selector": {"app": "a", "more": "b"}}});
        assert_eq!(diff(false, &desired, &live), ["spec.selector.more"]);
    }
}
