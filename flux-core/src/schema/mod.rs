//! The fields of Kubernetes objects: how they are addressed, and how their lists merge.
//!
//! Shared by syncs, patches of generated objects and the cluster in memory; it knows none of them.

pub(crate) mod defaults;
pub(crate) mod lists;
pub(crate) mod path;
#[cfg(feature = "deployer")]
pub(crate) mod table;
#[cfg(feature = "deployer")]
pub(crate) mod types;
