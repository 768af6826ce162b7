//! Image names, references, tags and digests, and images as registries describe them.
//!
//! # The form of a reference
//!
//! A reference is `[host/]path[:tag][@digest]`. Printing gives back exactly what was written;
//! comparing is done on [canonical](ImageName::canonical) names.
//!
//! ```
//! use flux_core::image::ImageRef;
//!
//! let image: ImageRef = "registry:5000/team/web:1.2".parse()?;
//! assert_eq!(image.name.host(), Some("registry:5000"));
//! assert_eq!(image.name.path(), "team/web");
//! assert_eq!(image.tag.as_ref().map(|t| t.as_str()), Some("1.2"));
//! assert_eq!(image.to_string(), "registry:5000/team/web:1.2");
//! # Ok::<(), flux_core::image::InvalidImage>(())
//! ```
//!
//! - **Host**: the part before the first `/` is a host if it contains a `.` or a `:`, or is
//!   `localhost`; the kubelet reads it in the same way. `a/b/c` is a path on Docker Hub. A host is
//!   a DNS name, an IPv4 address or an IPv6 address in brackets, with an optional port.
//! - **Path**: elements of letters, digits and, between them, `.`, `_`, `__` or any number of `-`;
//!   255 characters at most. Upper case is read and printed, as Flux v1 did: the reference is not
//!   corrected, and its registry will answer that it does not exist. White space, empty elements,
//!   `.` and `..` are refused.
//! - **Tag**: up to 128 letters, digits, `_`, `.`, `-`; the first is neither `.` nor `-`.
//! - **Digest**: `algorithm:value` of any algorithm, with a value of 32 characters or more.
//! - **Docker Hub**: no host, `docker.io` and `index.docker.io` are the same host, and there a path
//!   of one element is under `library/`.
//!
//! ```
//! # use flux_core::image::ImageName;
//! let canonical = |text: &str| text.parse::<ImageName>().map(|name| name.canonical().to_string());
//! assert_eq!(canonical("alpine")?, "index.docker.io/library/alpine");
//! assert_eq!(canonical("docker.io/library/alpine")?, canonical("alpine")?);
//! assert_eq!(canonical("a/b/c")?, "index.docker.io/a/b/c");
//! assert_eq!(canonical("[::1]:5000/web")?, "[::1]:5000/web");
//! # Ok::<(), flux_core::image::InvalidImage>(())
//! ```
//!
//! # Differences from Flux v1
//!
//! | text | v1 | here |
//! |---|---|---|
//! | `registry:5000/web` | image `registry`, tag `5000/web` | host `registry:5000`, path `web` |
//! | `registry:5000/web:v1` | error | host `registry:5000`, path `web`, tag `v1` |
//! | `a/b/c` | host `a` | a path on Docker Hub |
//! | `mylocalhost/x` | host `mylocalhost` | a path on Docker Hub |
//! | `[::1]:5000/x` | error | host `[::1]:5000`, path `x` |
//! | `x@sha512:…` | image `x@sha512` | image `x` with a digest |
//! | `x:1@sha256:…` | printed without `:1` | printed as written |
//! | `" x "`, `a//b` | accepted | error |
//!
//! # Setting a tag
//!
//! In Flux v1 setting a tag on a reference with a digest changed nothing. Here
//! [`ImageRef::with_tag`] sets both, or returns [`Pinned`] if the digest of
//! the new tag is not given.

mod artifact;
mod built;
mod host;
mod info;
mod inspect_error;
mod invalid;
mod name;
mod reference;
mod tag;

#[cfg(test)]
mod tests;

pub use artifact::ArtifactKind;
pub use built::{DatePreference, Dates, UntrustedDate};
pub use info::{ImageInfo, Platform};
pub use inspect_error::{InspectError, InspectErrorKind};
pub use invalid::InvalidImage;
pub use name::{CanonicalName, DEFAULT_REGISTRY, ImageName};
pub use reference::{ImageRef, Pinned};
pub use tag::{Digest, Tag};

/// Adds the conversions from and to text by which types are read from and written to JSON.
macro_rules! text_conversions {
    ($($type:ty),*) => {$(
        impl TryFrom<String> for $type {
            type Error = InvalidImage;

            fn try_from(text: String) -> Result<Self, InvalidImage> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.to_string()
            }
        }
    )*};
}

text_conversions!(ImageName, CanonicalName, Tag, Digest, ImageRef, Platform);
