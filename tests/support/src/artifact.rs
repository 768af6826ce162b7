//! Artifacts as their tools push them: what lies in image repositories and no container is run
//! from.

use serde_json::{Value, json};

use crate::failure::Result;
use crate::image::{INDEX, LAYER, LAYER_TYPE, MANIFEST, Repository};

const IMAGE_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const EMPTY: &str = "application/vnd.oci.empty.v1+json";
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// An artifact to push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Artifact<'a> {
    /// A signature of cosign before version 3.
    Signature,
    /// A signature of cosign 3 about an image of this digest.
    Bundle(&'a str),
    /// The index of referrers that cosign 3 keeps for an image of this digest.
    Referrers(&'a str),
    /// An attestation of cosign before version 3.
    Attestation,
    /// An SBOM, attached with oras.
    Sbom,
    /// A cache of BuildKit as a manifest (`image-manifest=true`).
    ///
    /// Its default, an index, is refused by distribution 3: it takes no blobs for entries.
    BuildCache,
    /// A chart of Helm.
    HelmChart,
    /// A file, pushed with oras.
    Other,
}

/// Pushes an artifact and returns its digest.
pub(crate) fn push(to: &Repository<'_>, tag: &str, artifact: Artifact<'_>) -> Result<String> {
    let manifest = |artifact_type: Option<&str>, config: &str, layers: &[&str]| {
        described(to, artifact_type, config, layers)
    };
    let value = match artifact {
        Artifact::Signature => {
            manifest(None, IMAGE_CONFIG, &["application/vnd.dev.cosign.simplesigning.v1+json"])?
        }
        Artifact::Attestation => manifest(None, IMAGE_CONFIG, &["application/vnd.dsse.envelope.v1+json"])?,
        Artifact::Sbom => manifest(Some("application/spdx+json"), EMPTY, &["application/spdx+json"])?,
        Artifact::HelmChart => manifest(
            None,
            "application/vnd.cncf.helm.config.v1+json",
            &["application/vnd.cncf.helm.chart.content.v1.tar+gzip"],
        )?,
        Artifact::BuildCache => manifest(None, "application/vnd.buildkit.cacheconfig.v0", &[LAYER_TYPE])?,
        Artifact::Other => manifest(Some("application/vnd.example"), EMPTY, &["text/plain"])?,
        Artifact::Bundle(subject) => bundle(to, subject)?,
        Artifact::Referrers(subject) => {
            let bundle = bundle(to, subject)?.to_string();
            let digest = to.manifest(&crate::image::digest_of(bundle.as_bytes()), MANIFEST, &bundle)?;
            let entry = json!({
                "mediaType": MANIFEST, "size": bundle.len(), "digest": digest, "artifactType": BUNDLE,
            });
            return index(to, tag, &[entry]);
        }
    };
    to.manifest(tag, MANIFEST, &value.to_string())
}

fn index(to: &Repository<'_>, tag: &str, entries: &[Value]) -> Result<String> {
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": entries });
    to.manifest(tag, INDEX, &index.to_string())
}

fn bundle(to: &Repository<'_>, subject: &str) -> Result<Value> {
    let mut manifest = described(to, Some(BUNDLE), EMPTY, &[BUNDLE])?;
    manifest["subject"] = json!({ "mediaType": MANIFEST, "size": 1, "digest": subject });
    manifest["annotations"] = json!({
        "dev.sigstore.bundle.content": "dsse-envelope",
        "dev.sigstore.bundle.predicateType": "https://sigstore.dev/cosign/sign/v1",
        "org.opencontainers.image.created": "2026-11-01T10:00:00Z",
    });
    Ok(manifest)
}

fn described(
    to: &Repository<'_>,
    artifact_type: Option<&str>,
    config: &str,
    layers: &[&str],
) -> Result<Value> {
    let layers: Vec<Value> = layers.iter().map(|kind| blob(to, kind, LAYER)).collect::<Result<_>>()?;
    let mut manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "config": blob(to, config, b"{}")?, "layers": layers,
    });
    if let Some(artifact_type) = artifact_type {
        manifest["artifactType"] = json!(artifact_type);
    }
    Ok(manifest)
}

/// Uploads a blob and returns its descriptor.
fn blob(to: &Repository<'_>, media_type: &str, bytes: &[u8]) -> Result<Value> {
    Ok(json!({ "mediaType": media_type, "size": bytes.len(), "digest": to.blob(bytes)? }))
}
