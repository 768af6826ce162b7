//! [`MemoryCluster`]: a [`Cluster`](crate::backend::Cluster) in memory.

/// A [`Cluster`](crate::backend::Cluster) in memory.
#[derive(Debug, Default)]
pub struct MemoryCluster {}
