//! A repository behind a server.
//!
//! It is mirrored, asked for its tip each time, fetched when the tip moved, and pushed to.

mod fetch;
mod push;
mod upstream;

pub(crate) use fetch::Remote;
