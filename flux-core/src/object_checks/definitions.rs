//! The kinds that definitions among the manifests define, with their schemas.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::{
    manifest::{Resource, Scope},
    manifest_set::Manifests,
    schema::types::{Field, Items, KindType, NameForm, Names, ObjectType, Type, Types},
};

/// The kinds that are defined in git.
#[derive(Debug, Default)]
pub(super) struct Defined<'m> {
    pub(super) types: Types<'m>,
    scopes: BTreeMap<(String, String), Scope>,
}

impl<'m> Defined<'m> {
    /// Reads the definitions of these manifests.
    pub(super) fn by(manifests: &'m Manifests, definitions: &'m [Value]) -> Self {
        let mut defined = Self { scopes: manifests.defined_kinds().clone(), ..Self::default() };
        for definition in definitions {
            defined.read(definition);
        }
        defined
    }

    /// Returns `true` if objects of a kind are in namespaces, as far as is known.
    pub(super) fn is_namespaced(&self, api_version: &str, kind: &str) -> bool {
        let group = crate::api_version::group_of(api_version).to_owned();
        self.scopes.get(&(group, kind.to_owned())) != Some(&Scope::Cluster)
    }

    fn read(&mut self, definition: &'m Value) -> Option<()> {
        let spec = definition.get("spec")?;
        let group = spec.get("group")?.as_str()?;
        let kind = spec.pointer("/names/kind")?.as_str()?;
        let is_namespaced = spec.get("scope").and_then(Value::as_str) != Some("Cluster");
        let keeps_all = spec.get("preserveUnknownFields") == Some(&Value::Bool(true));
        for version in spec.get("versions")?.as_array()? {
            let named = version.get("name").and_then(Value::as_str);
            let schema = version.pointer("/schema/openAPIV3Schema");
            if let Some((name, schema)) = named.zip(schema).filter(|_| !keeps_all) {
                let of = self.whole(schema);
                let names = Some(Names { form: NameForm::Subdomain, longest: None });
                self.types
                    .kinds
                    .insert(format!("{group}/{name} {kind}"), KindType { is_namespaced, names, of });
            }
        }
        Some(())
    }

    /// Returns the type of whole objects: the API server knows what is common to all.
    fn whole(&mut self, schema: &'m Value) -> Type<'m> {
        let of = self.type_of(schema);
        if let Type::Object(index) = of
            && let Some(object) = self.types.objects.get_mut(index)
        {
            for name in ["apiVersion", "kind", "metadata"] {
                // Metadata is walked along its own type.
                object.fields.insert(name, Field { of: Type::Any, is_required: false, refuses_null: false });
            }
        }
        of
    }

    fn type_of(&mut self, schema: &'m Value) -> Type<'m> {
        let is = |key: &str| schema.get(key) == Some(&Value::Bool(true));
        if is(INT_OR_STRING) {
            return Type::IntOrText;
        }
        if is("x-kubernetes-embedded-resource") {
            return Type::AnyMap;
        }
        let text = |key: &str| schema.get(key).and_then(Value::as_str);
        match text("type") {
            Some("string") => match schema.get("enum").and_then(Value::as_array) {
                // An empty text is one of the choices or none; the walk takes it.
                Some(choices) => {
                    choices.iter().map(Value::as_str).collect::<Option<_>>().map_or(Type::Text, Type::Choice)
                }
                None => Type::Text,
            },
            Some("boolean") => Type::Bool,
            Some("integer") if text("format") == Some("int32") => Type::Int32,
            Some("integer") => Type::Int64,
            Some("number") => Type::Number,
            Some("array") => {
                let of = schema.get("items").map_or(Type::Any, |items| self.type_of(items));
                let keys = schema.get("x-kubernetes-list-map-keys").and_then(Value::as_array);
                let items = match (text("x-kubernetes-list-type"), keys) {
                    // A protocol may have a default, which tells items apart that look alike.
                    (Some("map"), Some(keys)) if keys.iter().any(|key| key == "protocol") => Items::Atomic,
                    (Some("map"), Some(keys)) => Items::Map(keys.iter().filter_map(Value::as_str).collect()),
                    (Some("set"), _) => Items::Set,
                    _ => Items::Atomic,
                };
                Type::List(Box::new(of), items)
            }
            Some("object") => self.mapping(schema, is("x-kubernetes-preserve-unknown-fields")),
            _ => Type::Any,
        }
    }

    fn mapping(&mut self, schema: &'m Value, is_open: bool) -> Type<'m> {
        let of_schema = |key: &str| schema.get(key).and_then(Value::as_object);
        let properties = match (of_schema("properties"), of_schema("additionalProperties")) {
            (None, Some(_)) => {
                let of = schema.get("additionalProperties").map_or(Type::Any, |values| self.type_of(values));
                return Type::Map(Box::new(of));
            }
            (Some(properties), None) if !properties.is_empty() => properties,
            // Nothing is said of what it holds.
            _ => return Type::AnyMap,
        };
        let is_open = is_open || schema.get("additionalProperties") == Some(&Value::Bool(true));
        let required = schema.get("required").and_then(Value::as_array);
        let required: BTreeSet<&str> = required.into_iter().flatten().filter_map(Value::as_str).collect();
        let mut object = ObjectType { is_open, ..ObjectType::default() };
        for (name, property) in properties {
            // What is left out gets its default.
            let is_required = required.contains(name.as_str()) && property.get("default").is_none();
            let is_typed = property.get("type").is_some() || property.get(INT_OR_STRING).is_some();
            let takes_null = property.get("nullable") == Some(&Value::Bool(true));
            let refuses_null = is_typed && !takes_null && property.get("default").is_none();
            let of = self.type_of(property);
            object.fields.insert(name, Field { of, is_required, refuses_null });
        }
        self.types.objects.push(object);
        Type::Object(self.types.objects.len() - 1)
    }
}

const INT_OR_STRING: &str = "x-kubernetes-int-or-string";

pub(super) fn is_definition(resource: &Resource) -> bool {
    resource.kind == "CustomResourceDefinition" && resource.group() == "apiextensions.k8s.io"
}
