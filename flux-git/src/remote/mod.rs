//! A repository behind a server: mirrored, asked for its tip each time, fetched when it moved,
//! pushed to.

mod fetch;
mod push;
mod upstream;

pub(crate) use fetch::Remote;
