//! Public enums and structs are exhaustive on purpose, or not at all.

use syn::{Attribute, Expr, ExprLit, Fields, Ident, Item, Lit, Meta, Visibility};

use crate::{
    problem::{Error, Problem, Rule},
    tokens::only_in_tests,
};

/// The beginning of the doc line that says why an item is exhaustive.
const REASON: &str = "Exhaustive: ";

/// Returns the public enums and structs of a file that are neither `#[non_exhaustive]` nor say why.
///
/// A struct with a private field, and one without fields, cannot be written out elsewhere in a way
/// that a new field would break. The compiler warns of items that are `pub` and cannot be reached.
pub(crate) fn items(file: &str, source: &str) -> Result<Vec<Problem>, Error> {
    let parsed = syn::parse_file(source).map_err(|error| Error::Syntax {
        file: file.to_owned(),
        line: error.span().start().line,
        message: error.to_string(),
    })?;
    let mut problems = Vec::new();
    add(file, &parsed.items, &mut problems);
    Ok(problems)
}

fn add(file: &str, items: &[Item], problems: &mut Vec<Problem>) {
    for item in items {
        match item {
            Item::Mod(item) if !only_in_tests(&item.attrs) => {
                let inner = item.content.as_ref().map_or(&[][..], |(_, items)| items);
                add(file, inner, problems);
            }
            Item::Enum(item) if is_public(&item.vis) => {
                problems.extend(undecided(file, &item.ident, &item.attrs));
            }
            Item::Struct(item) if is_public(&item.vis) && can_be_written(&item.fields) => {
                problems.extend(undecided(file, &item.ident, &item.attrs));
            }
            _ => {}
        }
    }
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

/// Returns `true` if other crates can write out a struct with these fields.
fn can_be_written(fields: &Fields) -> bool {
    !fields.is_empty() && fields.iter().all(|field| is_public(&field.vis))
}

fn undecided(file: &str, name: &Ident, attributes: &[Attribute]) -> Option<Problem> {
    let is_decided = |attribute: &Attribute| {
        attribute.path().is_ident("non_exhaustive")
            || doc_line(attribute).is_some_and(|line| line.trim().starts_with(REASON))
    };
    let message = || {
        format!(
            "`{name}` is public: give it `#[non_exhaustive]`, or a doc line that begins with \"{REASON}\""
        )
    };
    (!only_in_tests(attributes) && !attributes.iter().any(is_decided)).then(|| Problem {
        rule: Rule::Exhaustive,
        file: file.to_owned(),
        line: name.span().start().line,
        message: message(),
    })
}

/// Returns the text of a line of a doc comment.
fn doc_line(attribute: &Attribute) -> Option<String> {
    match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    }
}
