//! The `apiVersion` of objects: an API group and a version of it.

use std::{borrow::Borrow, convert::Infallible, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

/// The `apiVersion` of an object, as written: `group/version`, or the version of the core group.
///
/// Any text is one.
///
/// ```
/// use flux_core::manifest::ApiVersion;
///
/// let apps = ApiVersion::from("apps/v1");
/// assert_eq!((apps.group(), apps.version()), ("apps", "v1"));
/// let core = ApiVersion::from("v1");
/// assert_eq!((core.group(), core.version()), ("", "v1"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ApiVersion(Arc<str>);

impl ApiVersion {
    /// Returns the API group; empty for the core group.
    pub fn group(&self) -> &str {
        group_of(&self.0)
    }

    /// Returns the version within the API group.
    pub fn version(&self) -> &str {
        self.0.split_once('/').map_or(&self.0, |(_, version)| version)
    }

    /// Returns the text as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Returns the API group of the text of an `apiVersion`; empty for the core group.
pub(crate) fn group_of(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

impl From<String> for ApiVersion {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<&str> for ApiVersion {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<ApiVersion> for String {
    fn from(api_version: ApiVersion) -> Self {
        api_version.0.as_ref().to_owned()
    }
}

impl FromStr for ApiVersion {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(text.into())
    }
}

impl AsRef<str> for ApiVersion {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for ApiVersion {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for ApiVersion {
    fn eq(&self, text: &str) -> bool {
        *self.0 == *text
    }
}

impl PartialEq<&str> for ApiVersion {
    fn eq(&self, text: &&str) -> bool {
        *self.0 == **text
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_has_a_group_and_a_version_and_stays_as_written() {
        let table = [
            ("apps/v1", ("apps", "v1")),
            ("v1", ("", "v1")),
            ("", ("", "")),
            ("/v1", ("", "v1")),
            ("a/b/c", ("a", "b/c")),
        ];
        for (text, parts) in table {
            let api_version: ApiVersion = text.parse().unwrap();
            assert_eq!((api_version.group(), api_version.version()), parts, "{text}");
            assert_eq!(api_version.to_string(), text);
            assert_eq!(api_version, text);
            let json = serde_json::Value::from(text);
            assert_eq!(serde_json::to_value(&api_version).unwrap(), json);
            assert_eq!(serde_json::from_value::<ApiVersion>(json).unwrap(), api_version);
        }
    }
}
