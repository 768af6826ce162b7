//! The model, the backend traits, the pure planners and the engine of Flux.
//!
//! Look, plan, act: three backends ([`backend::ConfigRepo`], [`backend::Registry`], [`backend::Cluster`]) are looked
//! at, a pure planner ([`release::plan`], [`sync::plan`]) turns what was seen into a plan, and the plan is plain data
//! that is read, tested or approved before it is acted on.
//!
//! Modules stand in the order in which data flows: [`image`], [`policy`], [`manifest`], [`generate`], [`release`], [`sync`],
//! [`backend`], `deployer`, `daemon`, [`memory`], `testing`. All but the last four are pure.
//!
//! With default features off only the model, the planners, the traits and the in-memory backends are compiled;
//! there is no async runtime, network, disk or clock among the dependencies.

pub mod backend;
#[cfg(feature = "daemon")]
pub mod daemon;
#[cfg(feature = "deployer")]
pub mod deployer;
pub mod finding;
pub mod generate;
pub mod image;
pub mod manifest;
pub mod memory;
mod path;
mod plan;
mod pointer;
pub mod policy;
pub mod release;
mod schema;
pub mod sync;
#[cfg(feature = "testing")]
pub mod testing;

pub use finding::{Code, Finding, Place, Severity};
