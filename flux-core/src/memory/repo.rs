//! [`MemoryRepo`]: a [`ConfigRepo`](crate::backend::ConfigRepo) in memory.

/// A [`ConfigRepo`](crate::backend::ConfigRepo) in memory.
#[derive(Debug, Default)]
pub struct MemoryRepo {}
