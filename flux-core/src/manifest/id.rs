//! The identities of objects: `namespace:kind/name` in v1's text.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The namespace part of a cluster-scoped object's id.
///
/// It means "none".
pub const CLUSTER: &str = "<cluster>";

/// The id of a workload in v1's text, `namespace:kind/name`, with the kind in lower case.
///
/// Where two workloads of different API groups would have the same id, the group follows the kind:
/// `shop:helmrelease.helm.fluxcd.io/web`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WorkloadId {
    namespace: String,
    kind: String,
    name: String,
}

/// The error for a text that is no [`WorkloadId`].
///
/// Exhaustive: it is its text and nothing else.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a workload id: write namespace:kind/name, as in shop:deployment/web")]
pub struct InvalidId {
    /// The text.
    pub text: String,
}

impl WorkloadId {
    /// Makes an id of its parts.
    ///
    /// The kind is put in lower case. The parts are taken from parsed objects and not checked;
    /// [`FromStr`] checks.
    pub fn new(namespace: impl Into<String>, kind: impl AsRef<str>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), kind: kind.as_ref().to_lowercase(), name: name.into() }
    }

    /// Returns the same id with the API group behind the kind:
    /// `shop:helmrelease.helm.fluxcd.io/web`.
    ///
    /// The core group has no name, and adds none.
    #[must_use]
    pub fn in_group(mut self, group: &str) -> Self {
        if !group.is_empty() {
            self.kind = format!("{}.{}", self.kind, group.to_lowercase());
        }
        self
    }

    /// Parses `namespace:kind/name`, or `kind/name` within `default_namespace`.
    ///
    /// # Errors
    /// [`InvalidId`] if the text has neither form.
    pub fn parse_in(default_namespace: &str, text: &str) -> Result<Self, InvalidId> {
        if text.contains(':') { text.parse() } else { format!("{default_namespace}:{text}").parse() }
            .map_err(|_| InvalidId { text: text.to_owned() })
    }

    /// Returns the namespace, [`CLUSTER`] for a cluster-scoped object.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Returns the kind in lower case, without the group.
    pub fn kind(&self) -> &str {
        self.kind.split_once('.').map_or(&self.kind, |(kind, _)| kind)
    }

    /// Returns the API group, if the id has one.
    ///
    /// Ids have it if two objects differ in nothing else.
    pub fn group(&self) -> Option<&str> {
        self.kind.split_once('.').map(|(_, group)| group)
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for WorkloadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}/{}", self.namespace, self.kind, self.name)
    }
}

impl FromStr for WorkloadId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let invalid = || InvalidId { text: text.to_owned() };
        let word = |s: &str, extra: &str| {
            !s.is_empty()
                && s.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c) || extra.contains(c))
        };
        let (namespace, rest) = text.split_once(':').ok_or_else(invalid)?;
        let (kind, name) = rest.split_once('/').ok_or_else(invalid)?;
        let namespace_ok = namespace == CLUSTER || word(namespace, "");
        if namespace_ok && word(kind, ".") && !kind.starts_with('.') && word(name, ".:") {
            Ok(Self::new(namespace, kind, name))
        } else {
            Err(invalid())
        }
    }
}

impl TryFrom<String> for WorkloadId {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<WorkloadId> for String {
    fn from(id: WorkloadId) -> Self {
        id.to_string()
    }
}

/// The identity of any Kubernetes object: group, kind, namespace and name.
///
/// The version is no part of it. Its text is v1's, without the group.
///
/// Exhaustive: it is an identity, and two are equal if all of it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ResourceId {
    /// The namespace; `None` for a cluster-scoped object.
    pub namespace: Option<String>,
    /// The kind as the object writes it.
    pub kind: String,
    /// The name.
    pub name: String,
    /// The API group, empty for the core group.
    pub group: String,
}

impl ResourceId {
    /// Returns the id in v1's text form, as a workload id.
    pub fn workload_id(&self) -> WorkloadId {
        WorkloadId::new(self.namespace.as_deref().unwrap_or(CLUSTER), &self.kind, &self.name)
    }
}

/// A [`ResourceId`] by its parts, in the same order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct IdRef<'a> {
    pub(crate) namespace: Option<&'a str>,
    pub(crate) kind: &'a str,
    pub(crate) name: &'a str,
    pub(crate) group: &'a str,
}

impl IdRef<'_> {
    /// Returns the id.
    pub(crate) fn to_id(self) -> ResourceId {
        ResourceId {
            namespace: self.namespace.map(str::to_owned),
            kind: self.kind.to_owned(),
            name: self.name.to_owned(),
            group: self.group.to_owned(),
        }
    }
}

impl<'a> From<&'a ResourceId> for IdRef<'a> {
    fn from(id: &'a ResourceId) -> Self {
        Self { namespace: id.namespace.as_deref(), kind: &id.kind, name: &id.name, group: &id.group }
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let namespace = self.namespace.as_deref().unwrap_or(CLUSTER);
        write!(f, "{namespace}:{}/{}", self.kind.to_lowercase(), self.name)
    }
}
