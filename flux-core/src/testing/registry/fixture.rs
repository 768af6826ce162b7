//! The fixture that the suite is run on.

use std::{collections::BTreeMap, fmt};

use async_trait::async_trait;
use jiff::Timestamp;

use crate::{
    backend::Registry,
    image::{ArtifactKind, Digest, ImageName, Platform, Tag},
};

/// One build of an image: what is pushed for one platform.
///
/// Exhaustive: a fixture must push all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Build {
    /// The platform that it was built for.
    pub platform: Platform,
    /// When, in whole seconds.
    pub created: Timestamp,
    /// The labels of its configuration.
    pub labels: BTreeMap<String, String>,
}

/// A registry under test, and a way to put images into it.
#[async_trait]
pub trait RegistryFixture: fmt::Debug + Send + Sync {
    /// Returns the registry under test.
    fn registry(&self) -> &dyn Registry;

    /// Returns a repository name that was never used before; `hint` may be part of it.
    fn name(&self, hint: &str) -> ImageName;

    /// Other spellings of `name` that mean the same repository.
    fn aliases(&self, name: &ImageName) -> Vec<ImageName>;

    /// Puts an image under a tag, moving the tag if it is there: a plain image when there is one
    /// build, an index when there are several.
    ///
    /// Returns the digest that the tag then points to.
    async fn push(&self, name: &ImageName, tag: &Tag, builds: &[Build]) -> Digest;

    /// Puts an artifact under a tag, as the tools that make such artifacts do.
    ///
    /// Returns `false` if the registry under test cannot hold artifacts of that kind.
    async fn push_artifact(&self, name: &ImageName, tag: &Tag, kind: ArtifactKind) -> bool;
}
