//! The table of the built-in kinds: what the API server says of their fields.
//!
//! `kubernetes.txt` is written by a test against a real API server, from its OpenAPI document. Of
//! the restrictions that a document has, the table keeps those alone that the server was seen to
//! hold to. A line is one of these:
//!
//! ```text
//! kind apps/v1 Deployment namespaced subdomain:253 apps.v1.Deployment
//! type apps.v1.DeploymentSpec
//!  replicas int32
//!  template! core.v1.PodTemplateSpec
//! ```
//!
//! A kind has the form and the greatest length of its names, or `?`. A field with `!` is required.
//! A number with `+` is not negative. `{T}` is a mapping to values of type T, and `[T]` a list of
//! them; `@map(name)` and `@set` say how its items are told apart; `@atomic` says that a mapping is
//! one value.

use std::{collections::HashMap, sync::OnceLock};

use super::types::{Field, Items, KindType, NameForm, Names, ObjectType, Type, Types};

const TABLE: &str = include_str!("kubernetes.txt");

/// Returns the built-in kinds.
///
/// The table is read when it is first asked for.
pub(crate) fn builtin() -> &'static Types<'static> {
    static TYPES: OnceLock<Types<'static>> = OnceLock::new();
    TYPES.get_or_init(|| parse(TABLE))
}

/// Reads a table; a line that is not understood restricts nothing.
fn parse(table: &str) -> Types<'_> {
    let names = table.lines().filter_map(|line| line.strip_prefix("type "));
    let indexes: HashMap<&str, usize> =
        names.enumerate().map(|(n, name)| (name.strip_suffix(ATOMIC).unwrap_or(name), n)).collect();
    let mut types = Types::default();
    for line in table.lines() {
        if let Some(name) = line.strip_prefix("type ") {
            let name = name.strip_suffix(ATOMIC).unwrap_or(name);
            types.objects.push(ObjectType { name, ..ObjectType::default() });
        } else if let Some(kind) = line.strip_prefix("kind ") {
            types.kinds.extend(kind_of(kind, &indexes));
        } else if let Some((field, of)) = line.strip_prefix(' ').and_then(|line| line.split_once(' ')) {
            let name = field.strip_suffix('!').unwrap_or(field);
            let field = Field {
                of: type_of(of, &indexes),
                is_required: name.len() < field.len(),
                refuses_null: false,
            };
            if let Some(object) = types.objects.last_mut() {
                object.fields.insert(name, field);
            }
        }
    }
    types
}

const ATOMIC: &str = "@atomic";

fn kind_of<'a>(line: &'a str, indexes: &HashMap<&str, usize>) -> Option<(String, KindType<'a>)> {
    let mut words = line.split(' ');
    let (api_version, kind) = (words.next()?, words.next()?);
    let is_namespaced = words.next()? == "namespaced";
    let names = names_of(words.next()?);
    let of = Type::Object(*indexes.get(words.next()?)?);
    Some((format!("{api_version} {kind}"), KindType { is_namespaced, names, of }))
}

fn names_of(text: &str) -> Option<Names> {
    let (form, longest) = text.split_once(':').map_or((text, None), |(form, n)| (form, n.parse().ok()));
    let form = match form {
        "label" => NameForm::Label,
        "subdomain" => NameForm::Subdomain,
        "path" => NameForm::Path,
        _ => return None,
    };
    Some(Names { form, longest })
}

fn type_of<'a>(text: &'a str, indexes: &HashMap<&str, usize>) -> Type<'a> {
    let within = |open: char, close: char| {
        let (inner, rest) = text.strip_prefix(open)?.rsplit_once(close)?;
        Some((Box::new(type_of(inner, indexes)), rest))
    };
    if let Some((of, _)) = within('{', '}') {
        return Type::Map(of);
    }
    if let Some((of, rest)) = within('[', ']') {
        let keys = rest.strip_prefix("@map(").and_then(|keys| keys.strip_suffix(')'));
        let items = match (rest, keys) {
            ("@set", _) => Items::Set,
            (_, Some(keys)) => Items::Map(keys.split(',').collect()),
            _ => Items::Atomic,
        };
        return Type::List(of, items);
    }
    if let Some(choices) = text.strip_prefix("string(").and_then(|choices| choices.strip_suffix(')')) {
        return Type::Choice(choices.split('|').collect());
    }
    match text {
        "string" => Type::Text,
        "bool" => Type::Bool,
        "int32" => Type::Int32,
        "int64" => Type::Int64,
        "int32+" => Type::Count32,
        "int64+" => Type::Count64,
        "double" => Type::Number,
        "int-or-string" => Type::IntOrText,
        "quantity" => Type::Quantity,
        "bytes" => Type::Bytes,
        "time" => Type::Time,
        "object" => Type::AnyMap,
        name => indexes.get(name).map_or(Type::Any, |&index| Type::Object(index)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes a type as the table does.
    fn written(types: &Types<'_>, of: &Type<'_>) -> String {
        match of {
            Type::Any => "any".to_owned(),
            Type::AnyMap => "object".to_owned(),
            Type::Text => "string".to_owned(),
            Type::Choice(choices) => format!("string({})", choices.join("|")),
            Type::Bool => "bool".to_owned(),
            Type::Int32 => "int32".to_owned(),
            Type::Int64 => "int64".to_owned(),
            Type::Count32 => "int32+".to_owned(),
            Type::Count64 => "int64+".to_owned(),
            Type::Number => "double".to_owned(),
            Type::IntOrText => "int-or-string".to_owned(),
            Type::Quantity => "quantity".to_owned(),
            Type::Bytes => "bytes".to_owned(),
            Type::Time => "time".to_owned(),
            Type::Map(of) => format!("{{{}}}", written(types, of)),
            Type::List(of, items) => {
                let items = match items {
                    Items::Atomic => String::new(),
                    Items::Set => "@set".to_owned(),
                    Items::Map(keys) => format!("@map({})", keys.join(",")),
                };
                format!("[{}]{items}", written(types, of))
            }
            Type::Object(index) => types.object(*index).unwrap().name.to_owned(),
        }
    }

    #[test]
    fn every_line_of_the_table_is_understood() {
        let types = builtin();
        let mut objects = types.objects.iter();
        let (mut object, mut fields) = (None, 0);
        for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
            if let Some(name) = line.strip_prefix("type ") {
                object = objects.next();
                let object = object.unwrap();
                assert_eq!(name.trim_end_matches(ATOMIC), object.name);
            } else if let Some(kind) = line.strip_prefix("kind ") {
                let words: Vec<&str> = kind.split(' ').collect();
                let found = types.kind(words[0], words[1]).unwrap();
                assert_eq!(found.is_namespaced, words[2] == "namespaced");
                assert_eq!(found.names.is_none(), words[3] == "?", "{line}");
                assert_eq!(written(types, &found.of), words[4]);
            } else {
                let (name, of) = line.trim_start().split_once(' ').unwrap();
                let field = &object.unwrap().fields[name.trim_end_matches('!')];
                assert_eq!(field.is_required, name.ends_with('!'));
                let of = if matches!(field.of, Type::Map(_)) { of.trim_end_matches(ATOMIC) } else { of };
                assert_eq!(written(types, &field.of), of, "{line}");
                fields += 1;
            }
        }
        assert!(objects.next().is_none());
        assert_eq!(types.objects.iter().map(|object| object.fields.len()).sum::<usize>(), fields);
        assert!(types.kinds.len() > 50 && fields > 1_000, "{} kinds, {fields} fields", types.kinds.len());
    }
}
