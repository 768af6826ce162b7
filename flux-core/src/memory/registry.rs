//! [`MemoryRegistry`]: a [`Registry`](crate::backend::Registry) in memory.

/// A [`Registry`](crate::backend::Registry) in memory.
#[derive(Debug, Default)]
pub struct MemoryRegistry {}
