//! The promises of flux-generate about the commands it runs.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bounds;
mod changes;
mod isolation;
mod left_behind;
mod support;
