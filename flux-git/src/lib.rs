//! [`ConfigRepo`](flux_core::backend::ConfigRepo) over git, with libgit2.
//!
//! [`GitRepo`] takes any git repository: a path, `file`, `http(s)`, `ssh`. What it does, and what
//! not:
//!
//! - **No checkout.** Files are addressed by the ids of their blobs and read from the object
//!   database; a commit is made of the changed blobs and the trees above them, and pushed.
//! - **Compare and swap.** The branch moves from the revision planned on to the new one, or not at
//!   all: just before a push is sent, what the server says its branch is at is compared, and the
//!   server compares again under its lock. A branch is never forced. When an answer gets lost,
//!   upstream is asked whether the commit landed before anything is reported.
//! - **Notes travel with their commits**, in the same push. Should the server refuse them, or
//!   others write notes faster, the commit lands all the same.
//! - **The mirror is a cache.** It may be shared by processes and deleted at any time; when it is
//!   damaged it is made anew.
//! - **SSH host keys are checked**, always, against `~/.ssh/known_hosts` or a file given.
//!
//! Objects are named by SHA-1; repositories of SHA-256 are not supported by libgit2 yet. Shallow
//! clones are not made.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod builder;
mod changed;
mod compact;
mod credentials;
mod errors;
mod globals;
mod history;
mod known_hosts;
mod local;
mod mirror;
mod notes;
mod objects;
mod paths;
mod remote;
mod repo;
mod secret;
mod session;
mod store;
mod upstream;
mod url;

pub use builder::GitRepoBuilder;
pub use credentials::Credentials;
pub use repo::GitRepo;
