//! Manifests and configurations to be served.

use std::{collections::BTreeMap, fmt::Write as _};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::fake::{Reply, Seen};

pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(crate) const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

pub(crate) fn sha256(content: &[u8]) -> String {
    Sha256::digest(content).iter().fold("sha256:".to_owned(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The content of one repository: tags, manifests and blobs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Content {
    tags: BTreeMap<String, String>,
    manifests: BTreeMap<String, Vec<u8>>,
    blobs: BTreeMap<String, Vec<u8>>,
}

impl Content {
    pub(crate) fn blob(&mut self, content: impl Into<Vec<u8>>) -> Value {
        let content = content.into();
        let (digest, size) = (sha256(&content), content.len());
        self.blobs.insert(digest.clone(), content);
        json!({"digest": digest, "size": size})
    }

    pub(crate) fn manifest(&mut self, manifest: &Value) -> String {
        let content = manifest.to_string().into_bytes();
        let digest = sha256(&content);
        self.manifests.insert(digest.clone(), content);
        digest
    }

    /// An image of one platform; returns its digest.
    pub(crate) fn image(&mut self, architecture: &str, created: &str) -> String {
        let config = json!({"os": "linux", "architecture": architecture, "created": created});
        self.artifact(OCI_CONFIG, OCI_LAYER, &config)
    }

    /// Adds any manifest; returns its digest.
    pub(crate) fn artifact(&mut self, config_type: &str, layer_type: &str, config: &Value) -> String {
        let mut config = self.blob(config.to_string());
        config["mediaType"] = config_type.into();
        let mut layer = self.blob("layer");
        layer["mediaType"] = layer_type.into();
        self.manifest(&json!({
            "schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": [layer],
        }))
    }

    /// An index of some manifests; returns its digest.
    pub(crate) fn index(&mut self, children: &[(&str, &str)]) -> String {
        let entries: Vec<Value> = children
            .iter()
            .map(|(digest, architecture)| {
                json!({"mediaType": OCI_MANIFEST, "digest": digest, "size": 1,
                    "platform": {"os": "linux", "architecture": architecture}})
            })
            .collect();
        self.manifest(&json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}))
    }

    pub(crate) fn tag(&mut self, tag: &str, digest: &str) {
        self.tags.insert(tag.to_owned(), digest.to_owned());
    }

    pub(crate) fn forget_manifest(&mut self, digest: &str) {
        self.manifests.remove(digest);
    }

    /// Other content under the same digest.
    pub(crate) fn forge(&mut self, digest: &str, content: &str) {
        for kind in [&mut self.manifests, &mut self.blobs] {
            if let Some(old) = kind.get_mut(digest) {
                *old = content.into();
            }
        }
    }

    pub(crate) fn serve(&self, seen: &Seen) -> Reply {
        let what = seen.path.rsplit('/').next().unwrap();
        let found = if seen.path.contains("/manifests/") {
            let digest = self.tags.get(what).map_or(what, String::as_str);
            self.manifests.get(digest).map(|content| (digest, content))
        } else if seen.path.contains("/blobs/") {
            self.blobs.get(what).map(|content| (what, content))
        } else if seen.path == "/v2/" {
            return Reply::status(200);
        } else {
            None
        };
        match found {
            Some((digest, content)) => {
                Reply::status(200).header("docker-content-digest", digest).body(content.clone())
            }
            None => Reply::status(404)
                .body(json!({"errors": [{"code": "MANIFEST_UNKNOWN", "message": "unknown"}]}).to_string()),
        }
    }
}
