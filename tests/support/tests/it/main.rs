//! Each server answers the clients that it should.
#![expect(clippy::unwrap_used, reason = "what a test asks its surroundings for has to be there")]

mod git;
mod kube;
mod registry;
