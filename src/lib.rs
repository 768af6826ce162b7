//! Flux automates the deployment of services.
//!
//! It keeps a cluster equal to a git repository, and the git repository equal to the newest images
//! that policy allows.
//!
//! Three backends are observed through traits, a *pure* planner turns the observations into a plan,
//! and the plan is plain data that can be read, tested or approved before it is carried out. A
//! [`deployer::Deployer`] composes the three:
//!
//! ```no_run
//! use std::sync::Arc;
//! use flux::{deployer::Deployer, git::GitRepo, k8s::KubeCluster, registry::OciRegistry};
//! use flux::{release::Request, sync::{SyncOptions, SyncSet}};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let url = "https://git.example.com/shop/config.git";
//! let repo = GitRepo::builder(url).branch("main").mirror("/var/cache/shop/mirror.git").open()?;
//! let registry = OciRegistry::builder().build()?;
//! let cluster = KubeCluster::builder().open().await?;
//! let deployer = Deployer::new(Arc::new(repo), Arc::new(registry), Arc::new(cluster));
//!
//! // What would a release of the newest images do, and why not more?
//! let request = Request::latest("shop:deployment/web".parse()?);
//! for (id, verdict) in &deployer.plan_release(&request).await?.plan.workloads {
//!     println!("{id}: {} {}", verdict.status, verdict.message);
//! }
//! // Do it: one commit. Then make the cluster equal to git.
//! deployer.release(&request).await?;
//! deployer.sync(&SyncOptions::new(SyncSet::v1(url, "main", &[])), &()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! - Embedders add the backends they need, by features. Whoever wants the planner only takes
//!   `flux-core` with default features off: no network, no runtime.
//! - Teams run `fluxd` and `fluxctl`, the reference composition, from `examples/`.
//! - Release policies are tested with [`memory`] backends or with [`release::plan`] itself: no
//!   cluster, no network, no async.
//! - Implementors of a backend run its conformance suite, in `testing`.
//!
//! # Features
//!
//! | feature | default | adds |
//! |---|---|---|
//! | `git` | yes | `git`: the config repository over git (libgit2 is built with it, by a C compiler) |
//! | `registry` | yes | `registry`: tags and images from registries of the OCI distribution API |
//! | `k8s` | yes | `k8s`: the cluster over the Kubernetes API |
//! | `generate` | no | `process`: runs the commands of `.flux.yaml` files and kustomize; whoever can write to the repository then runs commands on this machine |
//! | `testing` | no | `testing`: conformance suites for implementors of the traits, and mocks |

#![cfg_attr(docsrs, feature(doc_cfg))]

#[doc(inline)]
pub use flux_core::*;
/// [`generate::Generator`] over processes.
#[cfg(feature = "generate")]
pub use flux_generate as process;
/// [`backend::ConfigRepo`] over git.
#[cfg(feature = "git")]
pub use flux_git as git;
/// [`backend::Cluster`] over the Kubernetes API.
#[cfg(feature = "k8s")]
pub use flux_k8s as k8s;
/// [`backend::Registry`] over the OCI distribution API.
#[cfg(feature = "registry")]
pub use flux_registry as registry;

/// The Rust code of the README is compiled and run with the doc tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
