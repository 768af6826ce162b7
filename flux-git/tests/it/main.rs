//! `GitRepo` against the contract of `ConfigRepo`, and against what git alone can do to it.

mod local;
mod upstream;
