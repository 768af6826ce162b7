//! Contents of files in JSON: text where they are UTF-8, else base64.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Binary { base64: String },
}

pub(super) fn serialize<S: Serializer>(
    files: &BTreeMap<String, Bytes>,
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
) -> Result<BTreeMap<String, Bytes>, D::Error> {
    let files: BTreeMap<String, Content> = BTreeMap::deserialize(deserializer)?;
    files
        .into_iter()
        .map(|(path, content)| match content {
            Content::Text(text) => Ok((path, Bytes::from(text))),
            Content::Binary { base64 } => {
                let bytes = STANDARD.decode(base64);
                let bytes = bytes.map_err(|error| D::Error::custom(format!("{path}: no base64: {error}")))?;
                Ok((path, Bytes::from(bytes)))
            }
        })
        .collect()
}
