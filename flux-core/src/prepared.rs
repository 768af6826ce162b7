//! A release that is planned and proven, and not carried out yet.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{release::ReleasePlan, repo_path::RepoPath};

/// A plan that is not carried out yet, with the proven contents of the files it changes.
///
/// It can be stored, sent, and approved elsewhere.
/// [`Deployer::carry_out`](crate::deployer::Deployer::carry_out) proves it again, so a plan whose
/// files were altered on the way is refused. That proof does not tell who made the plan: if it
/// passes through hands that may not commit, sign it.
///
/// In JSON a file is its text, or `{"base64": …}` if it is not UTF-8.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PreparedRelease {
    /// The plan.
    pub plan: ReleasePlan,
    /// The new contents by path.
    #[serde(with = "contents")]
    pub files: BTreeMap<RepoPath, Bytes>,
}

/// Contents of files in JSON: text if they are UTF-8, else base64.
mod contents {
    use std::collections::BTreeMap;

    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use bytes::Bytes;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

    use crate::repo_path::RepoPath;

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Content {
        Text(String),
        Binary { base64: String },
    }

    pub(super) fn serialize<S: Serializer>(
        files: &BTreeMap<RepoPath, Bytes>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_map(files.iter().map(|(path, bytes)| {
            let content = match std::str::from_utf8(bytes) {
                Ok(text) => Content::Text(text.to_owned()),
                Err(_) => Content::Binary { base64: STANDARD.encode(bytes) },
            };
            (path, content)
        }))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<RepoPath, Bytes>, D::Error> {
        let files: BTreeMap<RepoPath, Content> = BTreeMap::deserialize(deserializer)?;
        files
            .into_iter()
            .map(|(path, content)| match content {
                Content::Text(text) => Ok((path, Bytes::from(text))),
                Content::Binary { base64 } => {
                    let bytes = STANDARD.decode(base64);
                    let bytes =
                        bytes.map_err(|error| D::Error::custom(format!("{path}: no base64: {error}")))?;
                    Ok((path, Bytes::from(bytes)))
                }
            })
            .collect()
    }
}
