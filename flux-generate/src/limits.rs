//! The limits of what commands print and add.

use flux_core::manifest::MAX_FILE_BYTES;

/// The limits of what commands print and add.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Bytes of standard output.
    pub(crate) output: u64,
    /// Bytes at the end of standard error that are kept.
    pub(crate) stderr: usize,
    /// Files that are added in one change.
    pub(crate) new_files: usize,
    /// Bytes of these files together.
    pub(crate) new_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { output: MAX_FILE_BYTES, stderr: 2000, new_files: 1000, new_bytes: MAX_FILE_BYTES }
    }
}
