//! [`Footprint`]: what a part of a process keeps in memory.

use std::fmt;

use serde::Serialize;

/// Memory that a part of a process keeps, so that growth names its part.
///
/// Bytes are those of contents: what the allocator needs beside them is not counted, and neither is
/// what another part shares and counts.
///
/// ```
/// use flux_core::Footprint;
///
/// let watched = Footprint::new("watched objects", 2, 3_000);
/// assert_eq!(watched.to_string(), "watched objects: 2 in 3000 bytes");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Footprint {
    /// The name of the part, for people.
    pub part: &'static str,
    /// The number of things that are kept.
    pub items: usize,
    /// The bytes of their contents.
    pub bytes: usize,
}

impl Footprint {
    /// Makes the footprint of a part.
    pub fn new(part: &'static str, items: usize, bytes: usize) -> Self {
        Self { part, items, bytes }
    }

    /// Adds up things, each with the bytes of its content.
    pub fn of(part: &'static str, bytes: impl IntoIterator<Item = usize>) -> Self {
        let add = |all: Self, bytes| Self { items: all.items + 1, bytes: all.bytes + bytes, ..all };
        bytes.into_iter().fold(Self::new(part, 0, 0), add)
    }
}

impl fmt::Display for Footprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} in {} bytes", self.part, self.items, self.bytes)
    }
}
