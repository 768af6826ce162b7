//! Walking an object along its type: fields that there are not, fields that are missing, values of
//! another type, items that stand twice.

use serde_json::{Map, Value};

use super::{
    fault::{Faults, Path, Step},
    forms, rules,
};
use crate::{
    finding::Code,
    schema::types::{Field, Items, ObjectType, Type, Types},
    similar,
    sync::object::SERVER_METADATA,
};

/// A walk along the types of an object.
pub(super) struct Walk<'t, 'v, 'f> {
    pub(super) types: &'t Types<'t>,
    pub(super) path: Path<'v>,
    pub(super) faults: &'f mut Faults<'v>,
}

impl<'v> Walk<'_, 'v, '_> {
    /// Checks a value that is to be of a type.
    pub(super) fn value(&mut self, of: &Type<'_>, value: &'v Value) {
        match (of, value) {
            // The API server takes null for a field that is not there.
            (_, Value::Null) | (Type::Any | Type::AnyMap, _) => {}
            (Type::Map(of), Value::Object(entries)) => {
                for (key, value) in entries {
                    self.key(key, |walk| walk.value(of, value));
                }
            }
            (Type::List(of, items), Value::Array(values)) => self.list(of, items, values),
            (Type::Object(index), Value::Object(entries)) => self.object(*index, entries),
            (_, Value::String(text)) if !forms::is_final(text) || self.faults.is_unfinished => {}
            _ => self.scalar(of, value),
        }
    }

    fn key(&mut self, key: &'v str, check: impl FnOnce(&mut Self)) {
        self.path.0.push(Step::Key(key));
        check(self);
        self.path.0.pop();
    }

    fn object(&mut self, index: usize, entries: &'v Map<String, Value>) {
        let Some(of) = self.types.object(index) else { return };
        for (key, value) in entries {
            match of.fields.get(key.as_str()) {
                _ if self.is_left_out(key, entries) => {}
                Some(field) if value.is_null() && field.refuses_null => self.key(key, Self::null),
                Some(field) => self.key(key, |walk| walk.value(&field.of, value)),
                None if of.is_open || !forms::is_final(key) => {}
                None => self.unknown(of, key),
            }
        }
        if self.faults.is_unfinished {
            return;
        }
        let is_missing = |name: &&str| entries.get(*name).is_none_or(Value::is_null);
        let is_told = |(name, field): (&&str, &Field<'_>)| field.refuses_null && entries.contains_key(*name);
        let required = of
            .fields
            .iter()
            .filter(|(name, field)| field.is_required && !is_told((name, field)))
            .map(|(name, _)| *name);
        for name in required.filter(is_missing) {
            let evidence = format!("{} has no `{name}`, which is required", self.here());
            self.faults.add(Code::InvalidField, self.path.clone(), evidence, format!("give it a `{name}`"));
        }
        rules::check(of.name, entries, &self.path, self.faults);
    }

    /// Returns `true` for what is never sent: it is the server's own.
    fn is_left_out(&self, key: &str, entries: &Map<String, Value>) -> bool {
        match self.path.0.as_slice() {
            [] => {
                key == "status"
                    || key == "rules" && entries.get("aggregationRule").is_some_and(Value::is_object)
            }
            [Step::Key("metadata")] => SERVER_METADATA.contains(&key),
            _ => false,
        }
    }

    /// Reports a null that is no value.
    fn null(&mut self) {
        if !self.faults.is_unfinished {
            let evidence = format!("`{}` is null, which its definition does not allow", self.path);
            self.faults.add(Code::InvalidField, self.path.clone(), evidence, "leave it out");
        }
    }

    fn unknown(&mut self, of: &ObjectType<'_>, key: &'v str) {
        let known: Vec<&str> = of.fields.keys().copied().collect();
        let hint = similar::did_you_mean(key, &known);
        let shown = forms::short(key);
        let evidence = format!("{} has no field `{shown}` in this version of its kind", self.here());
        let remedy = format!("{hint}The fields are listed by `kubectl explain`");
        self.faults.add_on_key(Code::InvalidField, self.path.within(&[key]), evidence, remedy);
    }

    /// Names the value that the walk is at.
    fn here(&self) -> String {
        if self.path.0.is_empty() { "the object".to_owned() } else { format!("`{}`", self.path) }
    }

    fn list(&mut self, of: &Type<'_>, items: &Items<'_>, values: &'v [Value]) {
        for (n, value) in values.iter().enumerate() {
            self.path.0.push(Step::Item(n));
            if value.is_null() && matches!(items, Items::Map(_)) {
                let evidence = format!("`{}` is null, and an item is needed", self.path);
                self.faults.add(Code::InvalidField, self.path.clone(), evidence, "remove it");
            }
            self.value(of, value);
            self.path.0.pop();
        }
        if let Items::Map(keys) = items {
            self.doubled(
                values,
                |item| identity(item, keys),
                |item| {
                    let named =
                        keys.iter().filter_map(|key| Some(format!("{key} {}", plain(item.get(*key)?))));
                    named.collect::<Vec<_>>().join(", ")
                },
            );
        } else if *items == Items::Set {
            self.doubled(values, |item| (!item.is_null()).then(|| item.to_string()), plain);
        }
    }

    /// Reports the items that are the same by their identity.
    fn doubled(
        &mut self,
        values: &'v [Value],
        identity: impl Fn(&Value) -> Option<String>,
        name: impl Fn(&Value) -> String,
    ) {
        let mut first = std::collections::HashMap::new();
        for (n, value) in values.iter().enumerate() {
            let Some(identity) = identity(value) else { continue };
            match first.entry(identity) {
                std::collections::hash_map::Entry::Vacant(free) => {
                    free.insert(n);
                }
                std::collections::hash_map::Entry::Occupied(first) => {
                    let name = forms::short(&name(value));
                    let evidence = format!(
                        "`{}` has {name} twice, as items {} and {n}; server-side apply refuses that",
                        self.path,
                        first.get()
                    );
                    self.faults.add(Code::DuplicateItem, self.path.item(n), evidence, "keep one of them");
                }
            }
        }
    }

    fn scalar(&mut self, of: &Type<'_>, value: &'v Value) {
        let (is_right, wanted) = match of {
            Type::Text => (value.is_string(), "a text"),
            Type::Choice(choices) => {
                if let Some(text) = value.as_str().filter(|text| !text.is_empty() && !choices.contains(text))
                {
                    let evidence = format!(
                        "`{}` is {}, which is none of its values",
                        self.path,
                        self.faults.shown(text)
                    );
                    let hint = similar::did_you_mean(text, choices);
                    let remedy = format!("{hint}It takes {}", choices.join(", "));
                    self.faults.add(Code::InvalidField, self.path.clone(), evidence, remedy);
                    return;
                }
                (value.is_string(), "a text")
            }
            Type::Bool => (value.is_boolean(), "`true` or `false`, without quotes,"),
            Type::Int32 => (forms::is_int32(value), "a whole number of 32 bits"),
            Type::Int64 => (forms::is_int64(value), "a whole number"),
            Type::Count32 => {
                (forms::is_int32(value) && !forms::is_negative(value), "a whole number from 0 on")
            }
            Type::Count64 => {
                (forms::is_int64(value) && !forms::is_negative(value), "a whole number from 0 on")
            }
            Type::Number => (value.is_number(), "a number"),
            Type::IntOrText => (value.is_string() || forms::is_int32(value), "a whole number or a text"),
            Type::Quantity => (forms::is_quantity(value), "a quantity such as 500m or 1.5Gi"),
            Type::Bytes => (value.as_str().is_some_and(forms::is_base64), "a text of base64"),
            Type::Time => (value.as_str().is_some_and(forms::is_time), "a time such as 2030-01-02T03:04:05Z"),
            Type::Map(_) | Type::Object(_) => (false, "a mapping"),
            Type::List(..) => (false, "a list"),
            Type::Any | Type::AnyMap => return,
        };
        if is_right {
            return;
        }
        let is = self.is(value);
        let evidence = format!("`{}` is {is} to YAML, and {wanted} is needed", self.path);
        let remedy = match (of, value) {
            (Type::Text | Type::Choice(_), Value::Number(_) | Value::Bool(_)) => "put it between quotes",
            (Type::Int32 | Type::Int64 | Type::Count32 | Type::Count64 | Type::Number, Value::String(_)) => {
                "write the number without quotes"
            }
            (Type::Bool, Value::String(_)) => "write it without quotes",
            (Type::Bytes, Value::String(_)) => "encode it: `base64 -w0`",
            _ => "correct it",
        };
        self.faults.add(Code::InvalidField, self.path.clone(), evidence, remedy);
    }

    /// Says what a value is, for people.
    fn is(&self, value: &Value) -> String {
        match value {
            Value::Bool(truth) if !self.faults.is_secret => format!("the truth value {truth}"),
            Value::Number(number) if !self.faults.is_secret => format!("the number {number}"),
            Value::String(text) if !self.faults.is_secret => format!("the text {}", self.faults.shown(text)),
            Value::Bool(_) => "a truth value".to_owned(),
            Value::Number(_) => "a number".to_owned(),
            Value::String(_) => "a text".to_owned(),
            Value::Array(_) => "a list".to_owned(),
            Value::Object(_) => "a mapping".to_owned(),
            Value::Null => "null".to_owned(),
        }
    }
}

/// Returns what tells an item apart from the others of its list; `None` if a part of it is unknown.
fn identity(item: &Value, keys: &[&str]) -> Option<String> {
    let mut identity = String::new();
    for key in keys {
        match item.get(key) {
            Some(value) if !value.is_null() => identity += &value.to_string(),
            // The one key with a default that Kubernetes has.
            _ if *key == "protocol" => identity += "\"TCP\"",
            _ => return None,
        }
        identity.push(',');
    }
    Some(identity)
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
