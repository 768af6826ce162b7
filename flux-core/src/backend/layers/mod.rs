//! Layers: each is a backend around another one, and adds one thing to it.
//!
//! - [`Retry`] asks a registry again when it is away for a moment, and keeps to the pauses that it
//!   asks for.
//! - [`Limit`] lets only so many calls to a registry run at once.
//! - [`Cache`] keeps what a registry answered for a while, and serves it when the registry is away.
//! - [`FirstSeen`] adds to images when they were first seen.
//! - [`Fault`] makes calls to any backend fail, by a script or by a seed.
//!
//! None of them needs a runtime: where time passes, a [`Clock`](super::Clock) and a [`Sleeper`] are
//! given. Each passes the conformance suite of its trait around any backend that does.
//!
//! ```
//! use std::{sync::Arc, time::Duration};
//!
//! use flux_core::{
//!     backend::{
//!         Registry, SystemClock,
//!         layers::{Cache, Limit},
//!     },
//!     memory::MemoryRegistry,
//! };
//!
//! let registry = Limit::new(MemoryRegistry::new(), 16);
//! let registry = Cache::new(registry, Duration::from_secs(60), Arc::new(SystemClock));
//! let registry: Arc<dyn Registry> = Arc::new(registry);
//! ```

#![deny(clippy::missing_trait_methods)]

mod cache;
mod fault;
mod first_seen;
mod limit;
mod pause;
mod retry;
#[cfg(test)]
#[cfg(feature = "testing")]
mod tests;

pub use cache::Cache;
pub use fault::{Fault, FaultPlan, Injected};
pub use first_seen::{FirstSeen, MemorySeen, SeenStore};
pub use limit::Limit;
pub use pause::Pause;
pub use retry::{Retry, RetryPolicy, Sleeper};
