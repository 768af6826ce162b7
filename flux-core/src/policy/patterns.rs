//! Patterns by their texts: many workloads share few, and a regular expression takes longer to
//! compile than to match against all its tags.

use std::{collections::BTreeMap, sync::Arc};

use super::{InvalidPattern, TagPattern};

/// The patterns that were read so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Patterns(BTreeMap<String, Result<Arc<TagPattern>, InvalidPattern>>);

impl Patterns {
    /// Returns the pattern that `text` is.
    pub(crate) fn read(&mut self, text: &str) -> Result<Arc<TagPattern>, InvalidPattern> {
        if let Some(read) = self.0.get(text) {
            return read.clone();
        }
        let read = text.parse().map(Arc::new);
        self.0.insert(text.to_owned(), read.clone());
        read
    }
}
