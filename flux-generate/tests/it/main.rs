//! The promises of flux-generate about the commands it runs.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod bounds;
mod changes;
mod isolation;
mod left_behind;
mod support;
