//! From the bytes of a file to its objects, document by document: what one document has wrong does not touch the others.

use std::{collections::BTreeMap, sync::Arc};

use granit_parser::{ErrorKind, Event, Marker, Options, Parser};
use serde_json::{Map, Value};

use super::{
    Annotation, ParsedFile, Problem, Resource, WorkloadId, dialect, kustomize, labels,
    leaves::{LeafBudget, leaves},
    limits::{Budget, Limit},
    mend::{self, Mended, place},
    scalar::other_than_text,
    setter, template,
    tree::{Builder, NodeId, Tree},
    value::{Reader, Unreadable},
    walk::Cursor,
    workload,
};
use crate::finding::Code;

/// Reads a file.
///
/// Any bytes give a result: what cannot be read is told in [`ParsedFile::problems`]. Files of more than 16 MiB, values nested deeper than 120
/// levels and aliases that multiply past 2 million values or 64 MiB of text are refused.
pub fn parse(source: &[u8]) -> ParsedFile {
    read(source, &mut |_| {})
}

/// An object of a file, as it is met.
#[derive(Debug)]
pub(super) struct Met<'t, 's> {
    /// Its index among the file's resources.
    pub index: usize,
    /// Where it stands.
    pub at: Cursor<'t, 's>,
    /// What was read of it.
    pub resource: &'t Resource,
}

/// How files are parsed.
pub(super) fn options() -> Options {
    let mut options = granit_parser::options! {
        emit_anchor_events: true,
        flow_nesting_limit: Limit::DEPTH,
        block_nesting_limit: Limit::DEPTH,
    };
    options.set_emit_comments(false);
    options
}

/// Reads a file and shows every object to `visit`. Where a part of it can only be read when it is mended, the objects before that part are
/// shown twice.
pub(super) fn read(source: &[u8], visit: &mut dyn FnMut(Met<'_, '_>)) -> ParsedFile {
    let text = match checked(source) {
        Ok(text) => text,
        Err(problem) => return ParsedFile { resources: Vec::new(), problems: vec![*problem] },
    };
    if !mend::has_odd_separators(text) {
        let (file, mendable) = load(text, None, visit);
        if !mendable {
            return file;
        }
    }
    let mended = mend::mended(text);
    load(text, Some(mended.as_ref()), visit).0
}

/// Reads a file. Unless `mended` says what there was to mend, reading ends where something might be, which is told.
fn load(
    text: &str,
    mended: Option<Option<&Mended>>,
    visit: &mut dyn FnMut(Met<'_, '_>),
) -> (ParsedFile, bool) {
    let mut loader = Loader {
        text,
        mended: mended.flatten(),
        final_try: mended.is_some(),
        mendable: false,
        file: ParsedFile::default(),
        budget: Budget::default(),
        leaves: LeafBudget::default(),
        duplicates_left: Limit::DUPLICATES + 1,
        has_setters: text.contains(setter::MARK),
        visit,
    };
    // A passed limit is among the problems.
    let _ = loader.stream();
    (loader.file, loader.mendable)
}

/// The text of a file, unless it has bytes that no YAML has.
pub(super) fn checked(source: &[u8]) -> Result<&str, Box<Problem>> {
    let problem = |code, offset: usize, evidence: String, remedy: &str| {
        let (line, column) = place_of(source, offset);
        Box::new(Problem { code, subject: None, line, column, evidence, remedy: remedy.to_owned() })
    };
    if source.len() > Limit::BYTES {
        return Err(problem(Code::TooLarge, 0, Limit::Bytes.evidence(), TOO_LARGE));
    }
    let text = std::str::from_utf8(source).map_err(|e| {
        let evidence = format!("the bytes from {} on are not UTF-8", e.valid_up_to());
        problem(Code::InvalidYaml, e.valid_up_to(), evidence, "save the file as UTF-8")
    })?;
    let control = |b: u8| b < 0x20 && !matches!(b, b'\t' | b'\n' | b'\r') || b == 0x7f;
    match text.bytes().position(control) {
        None => Ok(text),
        Some(at) => {
            let evidence = format!("the control character U+{:04X} is not allowed in YAML", source[at]);
            Err(problem(
                Code::InvalidYaml,
                at,
                evidence,
                "remove it, or write it as an escape between double quotes",
            ))
        }
    }
}

/// Line and column of a byte, counted from 1, columns in characters.
fn place_of(source: &[u8], offset: usize) -> (u32, u32) {
    let before = &source[..offset];
    let line_start = before.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
    let line = before.iter().filter(|&&b| b == b'\n').count() + 1;
    let column = String::from_utf8_lossy(&before[line_start..]).chars().count() + 1;
    (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
}

const TOO_LARGE: &str = "split the file, or write out what its aliases repeat";
const NOT_AN_OBJECT: &str =
    "give it `apiVersion`, `kind` and `metadata.name`, or keep it outside of the synced paths";

/// The problems that a file may have before it is given up.
const PROBLEMS: usize = 1_000;

/// Reading of the file ended early; why is among the problems.
#[derive(Debug)]
struct Stop;

struct Loader<'s, 'v> {
    text: &'s str,
    /// The text that is parsed, if it is not the file's own.
    mended: Option<&'s Mended>,
    /// Whether what can be mended is mended.
    final_try: bool,
    /// Whether reading ended at something that may be mended.
    mendable: bool,
    file: ParsedFile,
    budget: Budget,
    leaves: LeafBudget,
    /// How many keys that stand twice may still be told, the last of them for all that follow.
    duplicates_left: usize,
    /// Whether any comment of the file marks a place to write.
    has_setters: bool,
    visit: &'v mut dyn FnMut(Met<'_, '_>),
}

impl<'s> Loader<'s, '_> {
    fn stream(&mut self) -> Result<(), Stop> {
        let parsed = self.mended.map_or(self.text, |mended| mended.text.as_str());
        let mut parser = Parser::new_from_str_with_options(parsed, options());
        let mut builder = Builder::new(self.text, self.mended);
        let mut start = 0;
        loop {
            match parser.next_event() {
                None | Some(Ok((Event::StreamEnd, _))) => return Ok(()),
                Some(Ok((Event::DocumentStart(..), span))) => {
                    builder = Builder::new(self.text, self.mended);
                    start = self.at(&span.end).byte;
                }
                Some(Ok((Event::DocumentEnd, span))) => {
                    let end = self.at(&span.start).byte;
                    let next = Builder::new(self.text, self.mended);
                    let tree = std::mem::replace(&mut builder, next).finish();
                    self.document(tree, self.text.get(start..end).unwrap_or_default())?;
                }
                Some(Ok((event, span))) => {
                    builder.take(event, &span).or_else(|limit| self.too_large(limit, &span.start))?;
                    if builder.len() > self.budget.nodes_left() {
                        self.too_large(Limit::Nodes, &span.start)?;
                    }
                }
                Some(Err(error)) => {
                    if !self.final_try && mend::is_mendable(error.kind(), self.text) {
                        self.mendable = true;
                        return Err(Stop);
                    }
                    let more = parser.proceed_next_document().unwrap_or(false);
                    let end = match parser.peek() {
                        Some(Ok((_, span))) if more => self.at(&span.start).byte,
                        _ => self.text.len(),
                    };
                    let document = self.text.get(start..end).unwrap_or_default();
                    self.broken(error.kind(), error.marker(), document)?;
                    if !more {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// A place in the file.
    fn at(&self, marker: &Marker) -> mend::At {
        place(marker, self.mended)
    }

    /// A document that is no YAML.
    fn broken(&mut self, error: &ErrorKind, at: &Marker, document: &str) -> Result<(), Stop> {
        if *error == ErrorKind::RecursionLimitExceeded {
            return self.too_large(Limit::Depth, at);
        }
        let at = self.at(at);
        let line_start = self.text[..at.byte].rfind('\n').map_or(0, |nl| nl + 1);
        let line = self.text[line_start..].lines().next().unwrap_or_default();
        if template::is_template(document) || line.contains("{{") {
            return self.problem(template::problem((at.line, at.column), &error.to_string()));
        }
        self.unreadable((at.line, at.column), error.to_string())
    }

    fn unreadable(&mut self, (line, column): (u32, u32), evidence: String) -> Result<(), Stop> {
        self.problem(Problem {
            code: Code::InvalidYaml,
            subject: None,
            line,
            column,
            evidence,
            remedy: "correct the document; the others of the file are used".to_owned(),
        })
    }

    /// A document that is YAML.
    fn document(&mut self, mut tree: Tree<'s>, text: &str) -> Result<(), Stop> {
        let Some(root) = tree.root() else { return Ok(()) };
        if Cursor::at(&tree, self.text, root).is_null() {
            return Ok(());
        }
        let mut reader = Reader::new(&tree, &mut self.budget);
        let read = reader.value(root);
        let mut duplicates = std::mem::take(&mut reader.duplicates);
        duplicates.sort_unstable_by_key(|&(_, second)| second);
        match read {
            Ok(value) => {
                if let Some((node, evidence)) = dialect::differs(&tree, self.text, text) {
                    return self.unreadable((tree[node].line, tree[node].column), evidence);
                }
                self.duplicates(&tree, &duplicates)?;
                tree.count_uses();
                tree.has_setters = self.has_setters && text.contains(setter::MARK);
                self.object(&Cursor::at(&tree, self.text, root), value, None)
            }
            Err(Unreadable::TooLarge(limit)) => self.too_large_at(limit, tree[root].line, tree[root].column),
            Err(Unreadable::Invalid(node, evidence)) => {
                let place = (tree[node].line, tree[node].column);
                if template::is_template(text) {
                    return self.problem(template::problem(place, &evidence));
                }
                self.unreadable(place, evidence)
            }
        }
    }

    /// Keys that stand twice in a mapping, each with the one before it.
    fn duplicates(&mut self, tree: &Tree<'_>, keys: &[(NodeId, NodeId)]) -> Result<(), Stop> {
        for &(first, second) in keys {
            let Some(left) = self.duplicates_left.checked_sub(1) else { return Ok(()) };
            self.duplicates_left = left;
            let evidence = if left == 0 {
                "there are more keys that stand twice in their mapping than are told".to_owned()
            } else {
                let text: String =
                    tree.scalar(second).map_or("", |(text, _)| text).chars().take(80).collect();
                format!("the key `{text}` stands on line {} already; the last one counts", tree[first].line)
            };
            self.problem(Problem {
                code: Code::DuplicateKey,
                subject: None,
                line: tree[second].line,
                column: tree[second].column,
                evidence,
                remedy: "keep one of them".to_owned(),
            })?;
        }
        Ok(())
    }

    /// A value that should be an object, or a list of such. `listed` is what the items of a typed list need not say.
    fn object(
        &mut self,
        at: &Cursor<'_, 's>,
        value: Value,
        listed: Option<(&str, &str)>,
    ) -> Result<(), Stop> {
        let Value::Object(mut object) = value else {
            return match value {
                Value::Array(_) => self.not_for_kubernetes(at, "it is a list".to_owned()),
                _ => self.not_an_object(at, "it is no mapping".to_owned()),
            };
        };
        if let Some((api_version, kind)) = listed {
            object.entry("apiVersion").or_insert_with(|| api_version.into());
            object.entry("kind").or_insert_with(|| kind.into());
        }
        let text = |key: &str| object.get(key).and_then(Value::as_str).filter(|s| !s.is_empty());
        let (api_version, kind) = match (text("apiVersion"), text("kind")) {
            (Some(api_version), Some(kind)) => (api_version.to_owned(), kind.to_owned()),
            (None, None | Some(kustomize::KIND)) if kustomize::looks_like_one(&object) => {
                (kustomize::VERSION.to_owned(), kustomize::KIND.to_owned())
            }
            (None, None) => {
                return self.not_for_kubernetes(at, "it has neither `apiVersion` nor `kind`".to_owned());
            }
            (Some(_), None) => return self.not_an_object(at, "it has no `kind`".to_owned()),
            (None, Some(kind)) => {
                let evidence = format!("it has `kind: {kind}` and no `apiVersion`");
                return self.not_an_object(at, evidence);
            }
        };
        let sealed = is_sealed(&object);
        match list_items(&kind, &mut object) {
            Some(_) if sealed => self.problem(encrypted(at, None)),
            Some(items) => {
                let item_kind = kind.trim_end_matches("List");
                let listed = (!item_kind.is_empty()).then_some((api_version.as_str(), item_kind));
                let cursors = at.get("items").and_then(|items| items.items()).unwrap_or_default();
                for (at, item) in cursors.into_iter().zip(items) {
                    self.object(&at.as_object(), item, listed)?;
                }
                Ok(())
            }
            None => self.resource(at, api_version, kind, object),
        }
    }

    fn resource(
        &mut self,
        at: &Cursor<'_, 's>,
        api_version: String,
        kind: String,
        object: Map<String, Value>,
    ) -> Result<(), Stop> {
        let (line, column) = at.place();
        let metadata = object.get("metadata");
        let name = match metadata.and_then(|m| m.get("name")) {
            Some(Value::String(name)) if !name.is_empty() => name.clone(),
            None | Some(Value::Null) if kustomize::is_kind(&api_version, &kind) => String::new(),
            other => {
                let evidence = match other.and_then(other_than_text) {
                    Some(what) => format!("the `metadata.name` of a {kind} is {what} to YAML, not a text"),
                    None => format!("a {kind} has no `metadata.name`"),
                };
                let remedy = "give it a name, between quotes if YAML reads it as something else";
                let remedy = remedy.to_owned();
                return self.problem(Problem {
                    code: Code::MissingName,
                    subject: None,
                    line,
                    column,
                    evidence,
                    remedy,
                });
            }
        };
        let namespace = match metadata.and_then(|m| m.get("namespace")) {
            None | Some(Value::Null) => None,
            Some(Value::String(namespace)) => Some(namespace.clone()).filter(|n| !n.is_empty()),
            Some(value) => {
                let what = other_than_text(value).unwrap_or_default();
                let evidence =
                    format!("the `metadata.namespace` of {kind} {name} is {what} to YAML, not a text");
                return self.not_an_object(at, evidence);
            }
        };
        let subject = WorkloadId::new(namespace.as_deref().unwrap_or("default"), &kind, &name).to_string();
        let mut problems = Vec::new();
        let mut resource = Resource {
            api_version,
            kind,
            namespace,
            name,
            line,
            column,
            annotations: annotations(at, metadata),
            object: Arc::new(Value::Object(object)),
            workload: None,
            leaves: Vec::new(),
            version_labels: Vec::new(),
        };
        if resource.is_encrypted() {
            problems.push(encrypted(at, Some(&subject)));
        }
        let index = self.file.resources.len();
        resource.workload = workload::containers(at, &resource, (index, &subject), &mut problems);
        resource.leaves = leaves(at, &resource, &mut self.leaves);
        if resource.workload.is_some() || !resource.leaves.is_empty() {
            resource.version_labels = labels::version_labels(at, &resource);
        }
        (self.visit)(Met { index, at: at.clone(), resource: &resource });
        self.file.resources.push(resource);
        problems.into_iter().try_for_each(|problem| self.problem(problem))
    }

    /// Something else than an object, as other tools keep beside manifests: told, and in nobody's way.
    fn not_for_kubernetes(&mut self, at: &Cursor<'_, '_>, evidence: String) -> Result<(), Stop> {
        let (line, column) = at.place();
        let remedy = NOT_AN_OBJECT.to_owned();
        self.problem(Problem { code: Code::NotForKubernetes, subject: None, line, column, evidence, remedy })
    }

    fn not_an_object(&mut self, at: &Cursor<'_, '_>, evidence: String) -> Result<(), Stop> {
        let (line, column) = at.place();
        let remedy = NOT_AN_OBJECT.to_owned();
        self.problem(Problem { code: Code::NotAnObject, subject: None, line, column, evidence, remedy })
    }

    fn too_large(&mut self, limit: Limit, at: &Marker) -> Result<(), Stop> {
        let at = self.at(at);
        self.too_large_at(limit, at.line, at.column)
    }

    fn too_large_at(&mut self, limit: Limit, line: u32, column: u32) -> Result<(), Stop> {
        self.file.problems.push(Problem {
            code: Code::TooLarge,
            subject: None,
            line,
            column,
            evidence: limit.evidence(),
            remedy: TOO_LARGE.to_owned(),
        });
        Err(Stop)
    }

    fn problem(&mut self, problem: Problem) -> Result<(), Stop> {
        let (line, column) = (problem.line, problem.column);
        self.file.problems.push(problem);
        if self.file.problems.len() < PROBLEMS {
            Ok(())
        } else {
            self.too_large_at(Limit::Problems, line, column)
        }
    }
}

/// The problem of a document that SOPS has encrypted.
fn encrypted(at: &Cursor<'_, '_>, subject: Option<&str>) -> Problem {
    let (line, column) = at.place();
    Problem {
        code: Code::Encrypted,
        subject: subject.map(str::to_owned),
        line,
        column,
        evidence: "the document is encrypted with SOPS: it is left alone".to_owned(),
        remedy: "edit it with sops".to_owned(),
    }
}

/// Whether SOPS has put its seal on an object.
pub(super) fn is_sealed(object: &Map<String, Value>) -> bool {
    object.get("sops").and_then(|sops| sops.get("mac")).is_some_and(Value::is_string)
}

/// The items of an object that is a list by its shape: a kind that ends in `List`, `items` at the top and no name of its own.
fn list_items(kind: &str, object: &mut Map<String, Value>) -> Option<Vec<Value>> {
    let named = object.get("metadata").and_then(|m| m.get("name")).is_some_and(|n| !n.is_null());
    if !kind.ends_with("List") || named {
        return None;
    }
    match object.get_mut("items")? {
        Value::Array(items) => Some(std::mem::take(items)),
        Value::Null => Some(Vec::new()),
        _ => None,
    }
}

/// The annotations. One that is no text to YAML (`fluxcd.io/automated: true`) is taken as it is written.
fn annotations(at: &Cursor<'_, '_>, metadata: Option<&Value>) -> BTreeMap<String, Annotation> {
    let values = metadata.and_then(|m| m.get("annotations"));
    let entries = at.path(&["metadata", "annotations"]).and_then(|a| a.entries()).unwrap_or_default();
    let annotation = |(key, at): (String, Cursor<'_, '_>)| {
        let value = match values.and_then(|v| v.get(&key))? {
            Value::String(text) => text.clone(),
            Value::Bool(_) | Value::Number(_) => at.scalar()?.0.to_owned(),
            _ => return None,
        };
        let (line, column) = at.place();
        Some((key, Annotation { value, line, column }))
    };
    entries.into_iter().filter_map(annotation).collect()
}
