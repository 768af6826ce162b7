//! The identities of objects: `namespace:kind/name` in v1's text.

use std::{
    borrow::Cow,
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    str::FromStr,
    sync::Arc,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

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

/// The identity of any Kubernetes object: namespace, kind, name and group.
///
/// The version is no part of it. Its text is v1's, without the group. Ids are in the order of
/// their parts, those of cluster-scoped objects first. Clones share the text of it, which takes the
/// same memory however many there are.
///
/// ```
/// use flux_core::manifest::ResourceId;
///
/// let id = ResourceId::new(Some("shop"), "Deployment", "web", "apps");
/// assert_eq!(id.to_string(), "shop:deployment/web");
/// assert_eq!((id.namespace(), id.group()), (Some("shop"), "apps"));
/// ```
#[derive(Clone)]
pub struct ResourceId {
    /// Namespace, kind, name and group, with a `\0` between each two: no name in Kubernetes has
    /// one.
    text: Arc<str>,
    /// Where namespace, kind and name end in the text.
    ends: [u32; 3],
    is_namespaced: bool,
}

impl ResourceId {
    /// Makes an id of its parts, which are not checked.
    ///
    /// `namespace` is `None` for a cluster-scoped object, `kind` is as the object writes it, and
    /// `group` is empty for the core group.
    pub fn new(namespace: Option<&str>, kind: &str, name: &str, group: &str) -> Self {
        let mut text = String::with_capacity(256);
        let mut ends = [0; 3];
        for (part, end) in [namespace.unwrap_or_default(), kind, name].into_iter().zip(&mut ends) {
            text.push_str(part);
            *end = u32::try_from(text.len()).unwrap_or(u32::MAX);
            text.push('\0');
        }
        text.push_str(group);
        Self { text: text.into(), ends, is_namespaced: namespace.is_some() }
    }

    /// Returns the same object in another namespace.
    #[must_use]
    pub fn in_namespace(&self, namespace: Option<&str>) -> Self {
        if self.namespace() == namespace {
            return self.clone();
        }
        Self::new(namespace, self.kind(), self.name(), self.group())
    }

    /// Returns the length of the text that clones share, in bytes.
    pub(crate) fn text_len(&self) -> usize {
        self.text.len()
    }

    /// Returns the text between two places.
    fn part(&self, start: usize, end: usize) -> &str {
        self.text.get(start..end).unwrap_or_default()
    }

    fn end(&self, n: usize) -> usize {
        self.ends[n] as usize
    }

    /// Returns the namespace; `None` for a cluster-scoped object.
    pub fn namespace(&self) -> Option<&str> {
        self.is_namespaced.then(|| self.part(0, self.end(0)))
    }

    /// Returns the kind as the object writes it.
    pub fn kind(&self) -> &str {
        self.part(self.end(0) + 1, self.end(1))
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        self.part(self.end(1) + 1, self.end(2))
    }

    /// Returns the API group, empty for the core group.
    pub fn group(&self) -> &str {
        self.part(self.end(2) + 1, self.text.len())
    }

    /// Returns the id in v1's text form, as a workload id.
    pub fn workload_id(&self) -> WorkloadId {
        WorkloadId::new(self.namespace().unwrap_or(CLUSTER), self.kind(), self.name())
    }
}

impl PartialEq for ResourceId {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for ResourceId {}

impl PartialOrd for ResourceId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ResourceId {
    fn cmp(&self, other: &Self) -> Ordering {
        let text =
            if Arc::ptr_eq(&self.text, &other.text) { Ordering::Equal } else { self.text.cmp(&other.text) };
        text.then_with(|| (self.is_namespaced, self.ends).cmp(&(other.is_namespaced, other.ends)))
    }
}

impl Hash for ResourceId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let namespace = self.namespace().unwrap_or(CLUSTER);
        write!(f, "{namespace}:{}/{}", self.kind().to_lowercase(), self.name())
    }
}

impl fmt::Debug for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourceId")
            .field("namespace", &self.namespace())
            .field("kind", &self.kind())
            .field("name", &self.name())
            .field("group", &self.group())
            .finish()
    }
}

/// An id in JSON.
#[derive(Serialize, Deserialize)]
#[serde(rename = "ResourceId")]
struct Parts<'t> {
    namespace: Option<Cow<'t, str>>,
    kind: Cow<'t, str>,
    name: Cow<'t, str>,
    group: Cow<'t, str>,
}

impl Serialize for ResourceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let namespace = self.namespace().map(Cow::Borrowed);
        let [kind, name, group] = [self.kind(), self.name(), self.group()].map(Cow::Borrowed);
        Parts { namespace, kind, name, group }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ResourceId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Parts { namespace, kind, name, group } = Parts::deserialize(deserializer)?;
        Ok(Self::new(namespace.as_deref(), &kind, &name, &group))
    }
}
