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
    /// Sets the folder in which private copies are made.
    ///
    /// It must allow programs to be run. The default is the machine's folder for temporary files.
    pub fn folder(self, folder: impl Into<PathBuf>) -> Self {
        Self { folder: Some(folder.into()), ..self }
    }

    /// Sets the limit of the bytes that a command may print to standard output.
    ///
    /// The default is the limit of a manifest file.
    pub fn max_output(mut self, bytes: u64) -> Self {
        self.limits.output = bytes;
        self
    }

    /// Sets the number of bytes of the end of standard error that an error quotes; 2000 by default.
    pub fn max_stderr(mut self, bytes: usize) -> Self {
        self.limits.stderr = bytes;
        self
    }

    /// Sets the limit of the files that commands may add in one change; 1000 by default.
    pub fn max_new_files(mut self, files: usize) -> Self {
        self.limits.new_files = files;
        self
    }

    /// Sets the limit of the bytes of these files together.
    ///
    /// The default is the limit of one manifest file.
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
    /// Returns a builder with the default settings.
    pub fn builder() -> ProcessGeneratorBuilder {
        ProcessGeneratorBuilder::default()
    }
}
