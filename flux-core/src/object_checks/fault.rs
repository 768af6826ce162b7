//! Faults: what is wrong with an object, and where within it.

use std::fmt;

use crate::finding::Code;

/// A step of a path within an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step<'v> {
    Key(&'v str),
    Item(usize),
}

/// A path within an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Path<'v>(pub(super) Vec<Step<'v>>);

impl<'v> Path<'v> {
    /// Returns the path of keys within this one.
    pub(super) fn within(&self, keys: &[&'v str]) -> Self {
        Self(self.0.iter().copied().chain(keys.iter().map(|key| Step::Key(key))).collect())
    }

    /// Returns the path of an item of a list within this one.
    pub(super) fn item(&self, index: usize) -> Self {
        Self(self.0.iter().copied().chain([Step::Item(index)]).collect())
    }
}

/// Writes the path as the API server does: `spec.ports[0].name`.
impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, step) in self.0.iter().enumerate() {
            match step {
                Step::Item(index) => write!(f, "[{index}]")?,
                Step::Key(key) if key.contains(['.', '/']) => write!(f, "[{key}]")?,
                Step::Key(key) if n > 0 => write!(f, ".{key}")?,
                Step::Key(key) => f.write_str(key)?,
            }
        }
        Ok(())
    }
}

/// The part of an entry that a fault is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum On {
    Key,
    Value,
}

/// Something that the API server refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault<'v> {
    pub(super) code: Code,
    pub(super) path: Path<'v>,
    pub(super) on: On,
    pub(super) evidence: String,
    pub(super) remedy: String,
}

/// The faults of one object.
#[derive(Debug, Default)]
pub(super) struct Faults<'v> {
    pub(super) all: Vec<Fault<'v>>,
    /// `true` if values are not shown: they are those of a Secret.
    pub(super) is_secret: bool,
    /// `true` if a kustomization changes the object before it is sent.
    pub(super) is_unfinished: bool,
    /// The names of the claims that the object makes volumes of.
    pub(super) claims: Vec<&'v str>,
}

/// The most faults that are reported of one object.
const MAX: usize = 100;

impl<'v> Faults<'v> {
    /// Adds a fault of a value.
    pub(super) fn add(&mut self, code: Code, path: Path<'v>, evidence: String, remedy: impl Into<String>) {
        self.put(Fault { code, path, on: On::Value, evidence, remedy: remedy.into() });
    }

    /// Adds a fault of a key.
    pub(super) fn add_on_key(
        &mut self,
        code: Code,
        path: Path<'v>,
        evidence: String,
        remedy: impl Into<String>,
    ) {
        self.put(Fault { code, path, on: On::Key, evidence, remedy: remedy.into() });
    }

    fn put(&mut self, fault: Fault<'v>) {
        if self.all.len() < MAX {
            self.all.push(fault);
        }
    }

    /// Returns a text of the file for people, or what stands in its place.
    pub(super) fn shown(&self, text: &str) -> String {
        const LONGEST: usize = 80;
        if self.is_secret {
            return "the value".to_owned();
        }
        match text.char_indices().nth(LONGEST) {
            Some((end, _)) => format!("`{}…`", text.get(..end).unwrap_or_default()),
            None => format!("`{text}`"),
        }
    }
}
