//! The OpenAPI document of an API server, and the table of its kinds and their fields.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use serde_json::{Map, Value};

use super::measured::Measured;

/// The beginnings of type names that say nothing.
const PREFIXES: [&str; 5] = [
    "io.k8s.api.",
    "io.k8s.apimachinery.pkg.apis.",
    "io.k8s.apimachinery.pkg.",
    "io.k8s.apiextensions-apiserver.pkg.apis.",
    "io.k8s.kube-aggregator.pkg.apis.",
];

/// A kind whose objects can be applied.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kind {
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) namespaced: bool,
    pub(super) of: String,
}

/// The kinds and types that a server publishes.
pub(super) struct Document {
    pub(super) version: String,
    types: BTreeMap<String, Value>,
    pub(super) kinds: BTreeSet<Kind>,
}

/// The restrictions of a field in the document.
#[derive(Debug, Default)]
pub(super) struct Restrictions<'a> {
    pub(super) required: bool,
    pub(super) choices: Vec<&'a str>,
}

fn short(name: &str) -> &str {
    PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

impl Document {
    pub(super) fn parse(text_of_it: &str) -> Self {
        let document: Value = serde_json::from_str(text_of_it).unwrap();
        let mut types = BTreeMap::new();
        // Other tests define kinds on the same server.
        let is_builtin = |name: &str| PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        let definitions = document["definitions"].as_object().unwrap();
        for (name, schema) in definitions.iter().filter(|(name, _)| is_builtin(name)) {
            let other = types.insert(short(name).to_owned(), schema.clone());
            assert_eq!(other, None, "two types are called {}", short(name));
        }
        let of = |group: &Value| {
            let holds = |(name, schema): (&String, &Value)| {
                let groups = schema["x-kubernetes-group-version-kind"].as_array()?;
                groups.contains(group).then(|| name.clone())
            };
            types.iter().find_map(holds)
        };
        let kind = |(path, operations): (&String, &Value)| {
            let group = operations["patch"].get("x-kubernetes-group-version-kind")?;
            if !path.ends_with("/{name}") {
                return None;
            }
            let api_version = match text(group, "group") {
                "" => text(group, "version").to_owned(),
                name => format!("{name}/{}", text(group, "version")),
            };
            let kind = text(group, "kind").to_owned();
            let namespaced = path.contains("/{namespace}/");
            Some(Kind { api_version, kind, namespaced, of: of(group)? })
        };
        let kinds = document["paths"].as_object().unwrap().iter().filter_map(kind).collect();
        let version = text(&document["info"], "version").to_owned();
        Self { version, types, kinds }
    }

    /// Returns the fields of a type; `None` if it has none of its own.
    fn fields(&self, name: &str) -> Option<&Map<String, Value>> {
        self.types[name]["properties"].as_object()
    }

    /// Returns the type of a field, by its name, if it is one that has fields.
    pub(super) fn type_of<'a>(&self, schema: &'a Value) -> Option<&'a str> {
        let name = short(schema["$ref"].as_str()?.strip_prefix("#/definitions/")?);
        self.fields(name).map(|_| name)
    }

    /// Returns the schema of a field of a type.
    pub(super) fn field(&self, name: &str, field: &str) -> Option<&Value> {
        self.fields(name)?.get(field)
    }

    /// Returns what the document restricts a field to.
    pub(super) fn restrictions(&self, name: &str, field: &str) -> Restrictions<'_> {
        let required = texts(&self.types[name]["required"]).contains(&field);
        let schema = self.field(name, field);
        let choices = schema.map(|schema| [texts(&schema["enum"]), texts(&schema["items"]["enum"])].concat());
        let choices = choices.unwrap_or_default();
        Restrictions { required, choices }
    }

    /// Returns the table: kinds and types, each in a line, with a line for each field.
    pub(super) fn table(&self, measured: &Measured) -> String {
        let mut table = format!(
            "# Kinds and fields of Kubernetes {}, written by flux-k8s/tests/it/openapi.rs.\n",
            self.version
        );
        for kind in &self.kinds {
            let scope = if kind.namespaced { "namespaced" } else { "cluster" };
            let names = measured.names.get(kind).map_or("?".to_owned(), ToString::to_string);
            writeln!(table, "kind {} {} {scope} {names} {}", kind.api_version, kind.kind, kind.of).unwrap();
        }
        let mut seen: BTreeSet<&str> = self.kinds.iter().map(|kind| kind.of.as_str()).collect();
        let mut next: Vec<&str> = seen.iter().copied().collect();
        while let Some(name) = next.pop() {
            for (field, schema) in self.fields(name).unwrap() {
                if !self.is_status(name, field) {
                    self.named(schema, &mut |name| {
                        if seen.insert(name) {
                            next.push(name);
                        }
                    });
                }
            }
        }
        for name in seen {
            let atomic = atomic(&self.types[name]);
            writeln!(table, "type {name}{atomic}").unwrap();
            for (field, schema) in self.fields(name).unwrap() {
                let place = (name.to_owned(), field.clone());
                let counted = if measured.counted.contains(&place) { "+" } else { "" };
                let required = if measured.required.contains(&place) { "!" } else { "" };
                let of = if self.is_status(name, field) {
                    "any".to_owned()
                } else {
                    self.form(schema, measured.chosen.contains(&place))
                };
                writeln!(table, " {field}{required} {of}{counted}").unwrap();
            }
        }
        table
    }

    /// Returns `true` for what the server alone writes: the status of a kind.
    pub(super) fn is_status(&self, name: &str, field: &str) -> bool {
        field == "status" && self.kinds.iter().any(|kind| kind.of == name)
    }

    /// Names the types with fields that a schema has.
    fn named<'a>(&self, schema: &'a Value, found: &mut impl FnMut(&'a str)) {
        if let Some(name) = self.type_of(schema) {
            found(name);
        }
        for within in ["items", "additionalProperties"] {
            if schema[within].is_object() {
                self.named(&schema[within], found);
            }
        }
    }

    /// Writes the type of a value.
    fn form(&self, schema: &Value, chosen: bool) -> String {
        if let Some(name) = self.type_of(schema) {
            return name.to_owned();
        }
        if let Some(to) = schema["$ref"].as_str() {
            let name = short(to.trim_start_matches("#/definitions/"));
            return match name {
                "api.resource.Quantity" => "quantity".to_owned(),
                "util.intstr.IntOrString" => "int-or-string".to_owned(),
                _ => self.form(&self.types[name], false),
            };
        }
        match (text(schema, "type"), text(schema, "format")) {
            ("string", "byte") => "bytes".to_owned(),
            ("string", "date-time") => "time".to_owned(),
            ("string", "") => match texts(&schema["enum"]) {
                choices if chosen && !choices.is_empty() => format!("string({})", choices.join("|")),
                _ => "string".to_owned(),
            },
            ("integer", format @ ("int32" | "int64")) => format.to_owned(),
            ("number", "double") => "double".to_owned(),
            ("boolean", "") => "bool".to_owned(),
            ("array", "") => {
                format!("[{}]{}", self.form(&schema["items"], chosen), list(schema))
            }
            ("object", "") if schema["additionalProperties"].is_object() => {
                format!("{{{}}}{}", self.form(&schema["additionalProperties"], chosen), atomic(schema))
            }
            ("object", "") => "object".to_owned(),
            ("", "") => "any".to_owned(),
            other => panic!("a type of a form that is not known: {other:?} in {schema}"),
        }
    }
}

fn atomic(schema: &Value) -> &'static str {
    if schema["x-kubernetes-map-type"] == "atomic" { "@atomic" } else { "" }
}

/// Writes how the items of a list belong together, as the server derives it.
fn list(schema: &Value) -> String {
    let key = schema["x-kubernetes-patch-merge-key"].as_str();
    let merges = text(schema, "x-kubernetes-patch-strategy").starts_with("merge");
    match (text(schema, "x-kubernetes-list-type"), key) {
        ("map", _) => format!("@map({})", texts(&schema["x-kubernetes-list-map-keys"]).join(",")),
        ("set", _) => "@set".to_owned(),
        ("", Some(key)) if merges => format!("@map({key})"),
        ("", None) if merges => "@set".to_owned(),
        _ => String::new(),
    }
}
