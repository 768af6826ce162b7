//! Names of image repositories, as written and in canonical form.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::host::{is_host, looks_like_host};

/// The registry that an image name without a host belongs to, in v1's canonical spelling.
pub const DEFAULT_REGISTRY: &str = "index.docker.io";

/// The longest path of a name, in characters.
const LONGEST_PATH: usize = 255;

/// The name of an image repository, as written: `[host/]path`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ImageName {
    host: Option<String>,
    path: String,
}

/// An image name with its host spelt out and Docker Hub's aliases resolved, for comparing.
///
/// One is made by [`ImageName::canonical`], or read from text that is canonical already.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CanonicalName(String);

impl CanonicalName {
    /// Returns the text, `host/path`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CanonicalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl ImageName {
    /// Returns the host as written, with its port.
    pub fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// Returns the path as written.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the canonical host: [`DEFAULT_REGISTRY`] for none and for Docker Hub's aliases.
    pub fn registry(&self) -> &str {
        match self.host.as_deref() {
            None => DEFAULT_REGISTRY,
            Some(host)
                if ["docker.io", DEFAULT_REGISTRY].iter().any(|hub| host.eq_ignore_ascii_case(hub)) =>
            {
                DEFAULT_REGISTRY
            }
            Some(host) => host,
        }
    }

    /// Returns the canonical path.
    ///
    /// On Docker Hub a single element is prefixed with `library/`.
    pub fn repository(&self) -> String {
        if self.registry() == DEFAULT_REGISTRY && !self.path.contains('/') {
            format!("library/{}", self.path)
        } else {
            self.path.clone()
        }
    }

    /// Returns the canonical form, for comparing.
    ///
    /// The host is spelt out and in lower case, since hosts differ in case only by accident.
    pub fn canonical(&self) -> CanonicalName {
        CanonicalName(format!("{}/{}", self.registry().to_ascii_lowercase(), self.repository()))
    }

    /// Reads a name that has neither tag nor digest; `Err` has the rule that it breaks.
    pub(super) fn parse(name: &str) -> Result<Self, &'static str> {
        let (host, path) = match name.split_once('/') {
            Some((first, path)) if looks_like_host(first) => (Some(first), path),
            _ => (None, name),
        };
        if host.is_some_and(|host| !is_host(host)) {
            return Err(
                "the part before the first `/` is no host: write a DNS name or an address, and a port if need be",
            );
        }
        if path.is_empty() {
            return Err("the name is blank");
        }
        if path.len() > LONGEST_PATH {
            return Err("the name is longer than 255 characters");
        }
        if !path.split('/').all(is_element) {
            return Err("a name is made of letters, digits, `.`, `_` and `-`, with single `/` between");
        }
        Ok(Self { host: host.map(str::to_owned), path: path.to_owned() })
    }
}

/// Returns `true` if a text is one element of a path.
///
/// It has words of letters and digits, joined by `.`, `_`, `__` or any number of `-`.
fn is_element(text: &str) -> bool {
    let joint = |s: &str| matches!(s, "." | "_" | "__") || s.bytes().all(|b| b == b'-');
    let is_word = |c: char| c.is_ascii_alphanumeric();
    text.starts_with(is_word) && text.ends_with(is_word) && text.split(is_word).all(joint)
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Some(host) => write!(f, "{host}/{}", self.path),
            None => f.write_str(&self.path),
        }
    }
}
