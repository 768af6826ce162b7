//! The real servers that the tests run against.
//!
//! A server is started when the first test of a run asks for it, shared by all test processes of
//! that run, and ended by the run.
//!
//! A test asks for a server and returns early when there is none:
//!
//! ```
//! use flux_test_support::{registry, unique};
//! # fn a_test() {
//! let Some(registry) = registry() else { return };
//! let name = unique("web"); // its own, so that tests run side by side
//! registry.push_image(&name, "v1", "2026-01-01T00:00:00Z", &[], &["linux/amd64"]);
//! # }
//! # a_test();
//! ```
//!
//! `cargo test` alone is hermetic: every server here is `None`, and the test prints that it is
//! skipped. `tests/run` sets `FLUX_TEST_REAL=1`, and from then on a server that cannot be started
//! is a failure that names the server's log.
//!
//! | variable | meaning |
//! |---|---|
//! | `FLUX_TEST_REAL` | `1`: servers are required |
//! | `FLUX_TEST_RUN_DIR` | this run's folder: state, logs and process ids of what was started; whoever made it ends them |
//! | `FLUX_TEST_BIN` | folder of the servers that `tests/run` built |
//! | `KUBEBUILDER_ASSETS` | folder of another `etcd`, `kube-apiserver` and `kubectl`, which come first |
//!
//! Everything here panics when it cannot do its work, because it is for tests only.

mod artifact;
mod failure;
mod git;
mod http;
mod image;
mod kube;
mod process;
mod real;
mod registry;
mod run;
mod servers;
mod ssh;
mod tls;
mod unique;

pub use artifact::Artifact;
pub use git::{GitServer, commit_files, git};
pub use image::{Image, Schema};
pub use kube::{ControlPlane, KubeServer};
pub use real::real;
pub use registry::{RegistryServer, push_image};
pub use servers::{
    git_http, git_http_auth, git_https, git_ssh, kube, registry, registry_basic, registry_token,
};
pub use unique::unique;
