//! [`ProcessGeneratorBuilder`]: the settings of a [`ProcessGenerator`].

use std::path::PathBuf;

use crate::{generator::ProcessGenerator, limits::Limits};

/// Makes a [`ProcessGenerator`].
///
/// How long a command may run is not set here but in
/// [`Generation::timeout`](flux_core::generate::Generation::timeout), as a command may have a limit
/// of its own.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct ProcessGeneratorBuilder {
    folder: Option<PathBuf>,
    limits: Limits,
}

impl ProcessGeneratorBuilder {
    /// The folder in which private copies are made. It must allow programs to be run. By default
    /// that of the machine for temporary files.
    pub fn folder(self, folder: impl Into<PathBuf>) -> Self {
        Self { folder: Some(folder.into()), ..self }
    }

    /// How many bytes a command may print to standard output. By default as many as a manifest file
    /// may have.
    pub fn max_output(mut self, bytes: u64) -> Self {
        self.limits.output = bytes;
        self
    }

    /// How many bytes of the end of standard error an error tells. Default 2000.
    pub fn max_stderr(mut self, bytes: usize) -> Self {
        self.limits.stderr = bytes;
        self
    }

    /// How many files commands may add in one change. Default 1000.
    pub fn max_new_files(mut self, files: usize) -> Self {
        self.limits.new_files = files;
        self
    }

    /// How many bytes these files may have together. By default as many as one manifest file may
    /// have.
    pub fn max_new_bytes(mut self, bytes: u64) -> Self {
        self.limits.new_bytes = bytes;
        self
    }

    /// Makes the generator.
    pub fn build(self) -> ProcessGenerator {
        ProcessGenerator::new(self.folder, self.limits)
    }
}

impl ProcessGenerator {
    /// Begins to make one.
    pub fn builder() -> ProcessGeneratorBuilder {
        ProcessGeneratorBuilder::default()
    }
}
