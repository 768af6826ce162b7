//! In-memory backends: the embedded default, and the model that the real ones are compared with.

mod cluster;
mod registry;
mod repo;

pub use cluster::MemoryCluster;
pub use registry::{Counts, ImagesError, ImagesFile, MemoryRegistry};
pub use repo::MemoryRepo;

#[cfg(test)]
pub(crate) use registry::at_once;
