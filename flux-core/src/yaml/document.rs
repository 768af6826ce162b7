//! YAML that describes no object: the configuration of tools.

use granit_parser::Event;
use serde_json::Value;

use super::{
    Places,
    limits::{Budget, Limit},
    text::{checked, marker_position, parser},
    tree::{Builder, Tree},
    value::{Reader, Unreadable},
};
use crate::{
    finding::{Code, Problem},
    position::Position,
};

/// The only document of a file.
#[derive(Debug)]
pub(crate) struct Document {
    /// The value; null for an empty file.
    pub(crate) value: Value,
    /// The positions of keys and items.
    pub(crate) places: Places,
}

/// Reads a file of one document, under the limits that hold for manifests.
///
/// # Errors
/// The problem, if the file is no YAML, too large, or has several documents.
pub(crate) fn document(source: &[u8]) -> Result<Document, Problem> {
    read(source, Others::Refused)
}

/// Reads the first document of a file, as kustomize does, and ignores those that follow.
///
/// # Errors
/// The problem, if the file is no YAML, or too large.
#[cfg(feature = "deployer")]
pub(crate) fn first_document(source: &[u8]) -> Result<Document, Problem> {
    read(source, Others::Unread)
}

/// The treatment of further documents in a file.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(
    not(feature = "deployer"),
    allow(dead_code, reason = "kustomizations are read by the checks, which the deployer makes")
)]
enum Others {
    Refused,
    Unread,
}

fn read(source: &[u8], others: Others) -> Result<Document, Problem> {
    let text = checked(source).map_err(|problem| *problem)?;
    let mut builder = Builder::new(text, None);
    let mut read: Option<Value> = None;
    for event in parser(text) {
        let (event, span) = event.map_err(|error| {
            problem(Code::InvalidYaml, marker_position(error.marker()), error.kind().to_string())
        })?;
        let at = marker_position(&span.start);
        let large = |limit: Limit| problem(Code::TooLarge, at, limit.evidence());
        match event {
            Event::DocumentStart(..) if read.is_some() => {
                let evidence = "there is a second document".to_owned();
                return Err(problem(Code::InvalidYaml, at, evidence));
            }
            Event::DocumentStart(..) => builder = Builder::new(text, None),
            Event::DocumentEnd => {
                let tree = std::mem::replace(&mut builder, Builder::new(text, None)).finish();
                read = Some(value(&tree)?);
                if others == Others::Unread {
                    break;
                }
            }
            event => builder.take(event, &span).map_err(large)?,
        }
        if builder.len() > Limit::NODES {
            return Err(large(Limit::Nodes));
        }
    }
    Ok(Document { value: read.unwrap_or_default(), places: Places::of(text, 1) })
}

fn value(tree: &Tree<'_>) -> Result<Value, Problem> {
    let Some(root) = tree.root() else { return Ok(Value::Null) };
    Reader::new(tree, &mut Budget::default()).value(root).map_err(|unreadable| match unreadable {
        Unreadable::TooLarge(limit) => problem(Code::TooLarge, tree[root].position, limit.evidence()),
        Unreadable::Invalid(node, evidence) => problem(Code::InvalidYaml, tree[node].position, evidence),
    })
}

fn problem(code: Code, position: Position, evidence: String) -> Problem {
    Problem::new(code, position, evidence, "correct the file")
}
