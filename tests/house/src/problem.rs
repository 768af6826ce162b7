//! The rules, and a place where one is broken.

use std::{fmt, path::PathBuf};

/// A rule of the workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Rule {
    /// No two files import each other, and no longer circle of files.
    FileCircle,
    /// No two folders of modules import each other.
    FolderCircle,
    /// A line of a doc comment has at most 100 columns.
    DocWidth,
    /// No line of a doc comment begins with a question word.
    DocQuestion,
    /// Names are words that a reader of the field searches for.
    Name,
    /// A library names no flag of a command line.
    Flag,
    /// A file has at most 450 lines.
    FileLength,
    /// A public enum or struct is `#[non_exhaustive]`, or says why it is not.
    Exhaustive,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FileCircle => "file-circle",
            Self::FolderCircle => "folder-circle",
            Self::DocWidth => "doc-width",
            Self::DocQuestion => "doc-question",
            Self::Name => "name",
            Self::Flag => "flag",
            Self::FileLength => "file-length",
            Self::Exhaustive => "exhaustive",
        })
    }
}

/// A place where a rule is broken.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The rule that is broken.
    pub rule: Rule,
    /// The file, relative to the workspace, with `/` between folders.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The explanation, a sentence without its full stop.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.file, self.line, self.rule, self.message)
    }
}

/// A workspace that cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A file is not Rust.
    #[error("{file}:{line}: this is not Rust: {message}")]
    Syntax {
        /// The file, relative to the workspace.
        file: String,
        /// The line, from 1.
        line: usize,
        /// The parser's words.
        message: String,
    },
    /// A module is declared and its file is missing.
    #[error("{file}:{line}: the file of module `{module}` is missing")]
    MissingModule {
        /// The file that declares the module.
        file: String,
        /// The line of the declaration, from 1.
        line: usize,
        /// The name of the module.
        module: String,
    },
    /// Cargo does not describe the workspace.
    #[error("`cargo metadata` failed: {0}")]
    Cargo(String),
}
