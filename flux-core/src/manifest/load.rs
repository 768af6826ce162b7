//! From the bytes of a file to its objects, document by document.
//!
//! A problem in one document does not affect the others.

use granit_parser::{ErrorKind, Event, Marker};
use serde_json::{Map, Value};

use super::{
    ParsedFile, Resource, WorkloadId,
    annotations::annotations,
    kustomization,
    sops::{encrypted, is_sealed, sealed_whole},
    template,
};
pub(crate) use crate::yaml::limits::Cost;
use crate::{
    finding::{Code, Problem},
    position::Position,
    yaml::{
        cursor::Cursor,
        dialect,
        kubectl_compat::{self, Mended, place},
        limits::{Budget, Limit},
        scalar::other_than_text,
        text::{TOO_LARGE, before, between, checked, from, parser},
        tree::{Builder, NodeId, Tree},
        uses,
        value::{Reader, Unreadable},
    },
};

/// An object of a file, while the file is read.
#[derive(Debug)]
pub(crate) struct VisitedObject<'t, 's> {
    /// Its index among the file's resources.
    pub(crate) index: usize,
    /// The cursor at the object.
    pub(crate) at: Cursor<'t, 's>,
    /// The resource, as far as it is read.
    pub(crate) resource: &'t mut Resource,
    /// The object's id in v1's text form, for problems.
    pub(crate) subject: &'t str,
    /// The problems of the file, to which those of the object are added.
    pub(crate) problems: &'t mut Vec<Problem>,
}

/// Reads a file and shows every object to `visit`.
///
/// If a part of the file can only be read when it is mended, the objects before that part are shown
/// twice.
///
/// `mark` is a text in comments that describe the values beside them; [`Tree::is_marked`] is set
/// for documents with such comments.
pub(crate) fn read(
    source: &[u8],
    mark: Option<&str>,
    visit: &mut dyn FnMut(VisitedObject<'_, '_>),
) -> ParsedFile {
    let text = match checked(source) {
        Ok(text) => text,
        Err(problem) => return ParsedFile { resources: Vec::new(), problems: vec![*problem] },
    };
    if !kubectl_compat::has_odd_separators(text) {
        let first = load(text, Pass::First, mark, visit);
        if !first.mendable {
            return first.file;
        }
    }
    let mended = kubectl_compat::mended(text);
    load(text, mended.as_ref().map_or(Pass::Last, Pass::Mended), mark, visit).file
}

/// Reads the objects of a text, and measures what it costs of the limits of a file.
///
/// `None` for a text that can only be read when it is mended.
pub(crate) fn read_measured(text: &str) -> Option<(ParsedFile, Cost)> {
    if kubectl_compat::has_odd_separators(text) {
        return None;
    }
    let loaded = load(text, Pass::First, None, &mut |_| {});
    (!loaded.mendable).then_some((loaded.file, loaded.cost))
}

/// A reading of a file.
#[derive(Clone, Copy, Debug)]
enum Pass<'m> {
    /// Of the file's own text, up to the first place that may need mending.
    First,
    /// Of the file's own text, which needs no mending.
    Last,
    /// Of the mended text.
    Mended(&'m Mended),
}

/// A file that was read.
struct Loaded {
    file: ParsedFile,
    /// `true` if reading ended at a place that may need mending.
    mendable: bool,
    cost: Cost,
}

/// Reads a file.
fn load(
    text: &str,
    pass: Pass<'_>,
    mark: Option<&str>,
    visit: &mut dyn FnMut(VisitedObject<'_, '_>),
) -> Loaded {
    let mut loader = Loader {
        text,
        mended: match pass {
            Pass::First | Pass::Last => None,
            Pass::Mended(mended) => Some(mended),
        },
        is_first: matches!(pass, Pass::First),
        mendable: false,
        is_json: kubectl_compat::is_json(text),
        file: ParsedFile::default(),
        budget: Budget::default(),
        duplicates_left: Limit::DUPLICATES + 1,
        mark: mark.filter(|mark| text.contains(mark)),
        visit,
    };
    // A passed limit is among the problems.
    let _ = loader.stream();
    Loaded { cost: loader.budget.cost(), file: loader.file, mendable: loader.mendable }
}

const INVALID: &str = "correct the document; the others of the file are used";
const NOT_AN_OBJECT: &str =
    "give it `apiVersion`, `kind` and `metadata.name`, or keep it outside of the synced paths";

/// The problems after which the rest of a file is not read.
const PROBLEMS: usize = 1_000;

/// Reading of the file ended early, for a reason that is among the problems.
#[derive(Debug)]
struct Stop;

struct Loader<'s, 'v> {
    text: &'s str,
    /// The text that is parsed, if it is not the file's own.
    mended: Option<&'s Mended>,
    /// `true` if reading ends at a place that may need mending.
    is_first: bool,
    /// `true` if reading ended at a place that may need mending.
    mendable: bool,
    /// `true` if kubectl takes the file for JSON.
    is_json: bool,
    file: ParsedFile,
    budget: Budget,
    /// The number of duplicate keys that may still be reported.
    ///
    /// The last report covers all that follow.
    duplicates_left: usize,
    /// The text in marked comments, if any comment of the file may have it.
    mark: Option<&'v str>,
    visit: &'v mut dyn FnMut(VisitedObject<'_, '_>),
}

impl<'s> Loader<'s, '_> {
    fn stream(&mut self) -> Result<(), Stop> {
        let mut parser = parser(self.mended.map_or(self.text, |mended| mended.text.as_str()));
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
                    self.document(tree, between(self.text, start, end))?;
                }
                Some(Ok((event, span))) => {
                    builder.take(event, &span).or_else(|limit| self.too_large(limit, &span.start))?;
                    if builder.len() > self.budget.nodes_left() {
                        self.too_large(Limit::Nodes, &span.start)?;
                    }
                }
                Some(Err(error)) => {
                    if self.is_first && kubectl_compat::is_mendable(error.kind(), self.is_json) {
                        self.mendable = true;
                        return Err(Stop);
                    }
                    let more = parser.proceed_next_document().unwrap_or(false);
                    let end = match parser.peek() {
                        Some(Ok((_, span))) if more => self.at(&span.start).byte,
                        _ => self.text.len(),
                    };
                    let document = between(self.text, start, end);
                    self.broken(error.kind(), error.marker(), document)?;
                    if !more {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Returns the position in the file of a parser's marker.
    fn at(&self, marker: &Marker) -> kubectl_compat::At {
        place(marker, self.mended)
    }

    /// Reports a document that is no YAML.
    fn broken(&mut self, error: &ErrorKind, at: &Marker, document: &str) -> Result<(), Stop> {
        if *error == ErrorKind::RecursionLimitExceeded {
            return self.too_large(Limit::Depth, at);
        }
        let at = self.at(at);
        if template::is_template(document) || self.line(at.byte).contains("{{") {
            return self.problem(template::problem(at.position, &error.to_string()));
        }
        self.unreadable(at.position, error.to_string())
    }

    /// Returns the line of a byte.
    fn line(&self, byte: usize) -> &'s str {
        let start = before(self.text, byte).rfind('\n').map_or(0, |nl| nl + 1);
        from(self.text, start).lines().next().unwrap_or_default()
    }

    fn unreadable(&mut self, position: Position, evidence: String) -> Result<(), Stop> {
        self.problem(Problem::new(Code::InvalidYaml, position, evidence, INVALID))
    }

    /// Reads a document that is YAML.
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
                if let Some((node, evidence)) = dialect::differs(&tree, self.text, text, self.is_json) {
                    return self.unreadable(tree[node].position, evidence);
                }
                self.duplicates(&tree, &duplicates)?;
                tree.set_uses(uses::count(&tree));
                tree.is_marked = self.mark.is_some_and(|mark| text.contains(mark));
                self.object(&Cursor::at(&tree, self.text, root), value, None)
            }
            Err(Unreadable::TooLarge(limit)) => self.too_large_at(limit, tree[root].position),
            Err(Unreadable::Invalid(node, evidence))
                if template::is_template(text) || self.line(tree[node].start).contains("{{") =>
            {
                self.problem(template::problem(tree[node].position, &evidence))
            }
            Err(Unreadable::Invalid(node, evidence)) => self.unreadable(tree[node].position, evidence),
        }
    }

    /// Reports duplicate keys of mappings, each with the one before it.
    fn duplicates(&mut self, tree: &Tree<'_>, keys: &[(NodeId, NodeId)]) -> Result<(), Stop> {
        for &(first, second) in keys {
            let Some(left) = self.duplicates_left.checked_sub(1) else { return Ok(()) };
            self.duplicates_left = left;
            let evidence = if left == 0 {
                "there are more keys that stand twice in their mapping than are reported".to_owned()
            } else {
                let text: String =
                    tree.scalar(second).map_or("", |(text, _)| text).chars().take(80).collect();
                format!(
                    "the key `{text}` stands on line {} already; the last one counts",
                    tree[first].position.line
                )
            };
            let position = tree[second].position;
            self.problem(Problem::new(Code::DuplicateKey, position, evidence, "keep one of them"))?;
        }
        Ok(())
    }

    /// Reads a value that should be an object, or a list of objects.
    ///
    /// `listed` is the version and kind that the items of a typed list may leave out.
    fn object(
        &mut self,
        at: &Cursor<'_, 's>,
        value: Value,
        listed: Option<(&str, &str)>,
    ) -> Result<(), Stop> {
        let Value::Object(mut object) = value else {
            return match value {
                Value::Array(_) => self.not_for_kubernetes(at, "it is a list"),
                _ => self.not_an_object(at, "it is no mapping"),
            };
        };
        if let Some((api_version, kind)) = listed {
            object.entry("apiVersion").or_insert_with(|| api_version.into());
            object.entry("kind").or_insert_with(|| kind.into());
        }
        let text = |key: &str| object.get(key).and_then(Value::as_str).filter(|s| !s.is_empty());
        let identified = kustomization::completed(text("apiVersion"), text("kind"), &object);
        let (api_version, kind) = match identified {
            (Some(api_version), Some(kind)) => (api_version.to_owned(), kind.to_owned()),
            (None, None) if is_sealed(&object) => return self.problem(sealed_whole(at)),
            (None, None) => {
                return self.not_for_kubernetes(at, "it has neither `apiVersion` nor `kind`");
            }
            (Some(_), None) => return self.not_an_object(at, "it has no `kind`"),
            (None, Some(kind)) => {
                let evidence = format!("it has `kind: {kind}` and no `apiVersion`");
                return self.not_an_object(at, &evidence);
            }
        };
        let sealed = is_sealed(&object);
        match list_items(&kind, &mut object) {
            Some(_) if sealed => self.problem(sealed_whole(at)),
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
        let metadata = object.get("metadata");
        let name = match metadata.and_then(|m| m.get("name")) {
            Some(Value::String(name)) if !name.is_empty() => name.clone(),
            None | Some(Value::Null) if kustomization::is_kind(&api_version, &kind) => String::new(),
            other => {
                let evidence = match other.and_then(other_than_text) {
                    Some(what) => format!("the `metadata.name` of a {kind} is {what} to YAML, not a text"),
                    None => format!("a {kind} has no `metadata.name`"),
                };
                let remedy = "give it a name, between quotes if YAML reads it as something else";
                return self.problem(Problem::new(Code::MissingName, at.position(), evidence, remedy));
            }
        };
        let namespace = match metadata.and_then(|m| m.get("namespace")) {
            None | Some(Value::Null) => None,
            Some(Value::String(namespace)) => Some(namespace.clone()).filter(|n| !n.is_empty()),
            Some(value) => {
                let what = other_than_text(value).unwrap_or_default();
                let evidence =
                    format!("the `metadata.namespace` of {kind} {name} is {what} to YAML, not a text");
                return self.not_an_object(at, &evidence);
            }
        };
        let subject = WorkloadId::new(namespace.as_deref().unwrap_or("default"), &kind, &name).to_string();
        let mut problems = Vec::new();
        let mut resource = Resource {
            api_version: api_version.into(),
            kind,
            namespace,
            name,
            position: at.position(),
            annotations: annotations(at, metadata),
            encrypted: is_sealed(&object),
            object: Value::Object(object).into(),
            workload: None,
            scalars: Vec::new(),
            version_labels: Vec::new(),
        };
        if resource.is_encrypted() {
            problems.push(encrypted(at, &subject));
        }
        let index = self.file.resources.len();
        (self.visit)(VisitedObject {
            index,
            at: at.clone(),
            resource: &mut resource,
            subject: &subject,
            problems: &mut problems,
        });
        self.file.resources.push(resource);
        problems.into_iter().try_for_each(|problem| self.problem(problem))
    }

    /// Reports a value that is no object, as other tools keep them beside manifests.
    ///
    /// It blocks nothing.
    fn not_for_kubernetes(&mut self, at: &Cursor<'_, '_>, evidence: &str) -> Result<(), Stop> {
        self.problem(Problem::new(Code::NotForKubernetes, at.position(), evidence, NOT_AN_OBJECT))
    }

    fn not_an_object(&mut self, at: &Cursor<'_, '_>, evidence: &str) -> Result<(), Stop> {
        self.problem(Problem::new(Code::NotAnObject, at.position(), evidence, NOT_AN_OBJECT))
    }

    fn too_large(&mut self, limit: Limit, at: &Marker) -> Result<(), Stop> {
        let at = self.at(at);
        self.too_large_at(limit, at.position)
    }

    fn too_large_at(&mut self, limit: Limit, position: Position) -> Result<(), Stop> {
        self.file.problems.push(Problem::new(Code::TooLarge, position, limit.evidence(), TOO_LARGE));
        Err(Stop)
    }

    fn problem(&mut self, problem: Problem) -> Result<(), Stop> {
        let position = problem.position;
        self.file.problems.push(problem);
        if self.file.problems.len() < PROBLEMS {
            Ok(())
        } else {
            self.too_large_at(Limit::Problems, position)
        }
    }
}

/// Returns the items of an object that is a list by its shape.
///
/// Such a list has a kind that ends in `List`, `items` at the top, and no name of its own.
fn list_items(kind: &str, object: &mut Map<String, Value>) -> Option<Vec<Value>> {
    let name = object.get("metadata").and_then(|m| m.get("name"));
    let named = name.is_some_and(|name| !name.is_null() && name != "");
    if !kind.ends_with("List") || (named && kind != "List") {
        return None;
    }
    match object.get_mut("items")? {
        Value::Array(items) => Some(std::mem::take(items)),
        Value::Null => Some(Vec::new()),
        _ => None,
    }
}
