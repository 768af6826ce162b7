//! [`Registry`](flux_core::backend::Registry) over the OCI distribution API: tags and image details
//! from any registry, anonymous, with basic authentication or with bearer tokens.
//!
//! ```no_run
//! use flux_core::backend::Registry;
//! use flux_registry::{Credentials, OciRegistry};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let registry = OciRegistry::builder()
//!     .credentials(Credentials::new().with_basic("ghcr.io", "me", "token"))
//!     .build()?;
//! let tags = registry.tags(&"ghcr.io/fluxcd/flux".parse()?).await?;
//! println!("{} tags, {:?}", tags.value.len(), tags.completeness);
//! # Ok(())
//! # }
//! ```
//!
//! # What it costs
//! A tag costs one `HEAD` request. What a digest stands for never changes, so manifests and
//! configurations are fetched once a process, and once at all with an [`ImageStore`]. Requests to
//! one host are limited in number, and a host that asks for a pause gets it.
//!
//! Answers are bounded, so that no registry exhausts memory: a page of tags by 16 MiB, all tags of
//! a repository by [number](OciRegistryBuilder::max_tags) and
//! [pages](OciRegistryBuilder::max_pages), a manifest by 4 MiB, a configuration by 8 MiB, the
//! answer of a token server by 1 MiB, an index by 1,000 images, and every request in time. Where a
//! page fails that is not the first, those before it are a partial observation, which says why.
//!
//! # What counts as an image
//! OCI manifests and indexes, Docker schema 2 manifests and manifest lists, for any platform;
//! attestations that builders hang into an index are no platforms. A chart, a signature or another
//! artifact under a tag is an [`InspectError`](flux_core::backend::InspectError) that says of what
//! [kind](flux_core::image::ArtifactKind) it is: it cannot be run, so it is never a candidate. The
//! configuration and the layers decide, as they do for runtimes.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod artifact;
mod builder;
mod cache;
mod credentials;
mod fault;
mod helper;
mod host;
mod inspect;
mod manifest;
mod page;
mod pager;
mod registry;
mod retry_after;
mod session;
mod token;

pub use builder::OciRegistryBuilder;
pub use cache::{DirStore, ImageStore};
pub use credentials::{Credentials, CredentialsError, Login, Secret};
pub use registry::OciRegistry;
