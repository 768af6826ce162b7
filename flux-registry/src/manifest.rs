//! Manifests and configurations of images, read. Pure.

use std::collections::BTreeMap;

use flux_core::image::{ArtifactKind, Digest, ImageInfo, Platform};
use oci_distribution::manifest::{
    IMAGE_MANIFEST_LIST_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE, ImageIndexEntry, OCI_IMAGE_INDEX_MEDIA_TYPE,
    OCI_IMAGE_MEDIA_TYPE, OciImageIndex, OciImageManifest,
};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    artifact::{Artifact, is_artifact_type},
    fault::Fault,
};

/// The kinds of manifest that are understood, as they are asked for.
pub(crate) const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json";

/// The kinds of manifests.
#[derive(Clone, Debug)]
pub(crate) enum Manifest {
    /// One image; its configuration says the rest.
    Image(Box<OciImageManifest>),
    /// Images for several platforms.
    Index(Vec<Child>),
}

/// An image of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Child {
    pub(crate) digest: Digest,
    pub(crate) platform: Option<Platform>,
}

/// Reads a manifest.
///
/// # Errors
/// [`Fault::NotAnImage`] for what containers cannot be run from, [`Fault::Invalid`] for what is no
/// manifest.
pub(crate) fn read(body: &[u8]) -> Result<Manifest, Fault> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Outline {
        schema_version: u32,
        media_type: Option<String>,
        artifact_type: Option<String>,
        manifests: Option<serde::de::IgnoredAny>,
    }
    let invalid = |e: serde_json::Error| Fault::Invalid(format!("its manifest: {e}"));
    let outline: Outline = serde_json::from_slice(body).map_err(invalid)?;
    if outline.schema_version == 1 {
        let evidence = "registries and runtimes gave that up; push it again with a current client";
        return Err(Fault::NotAnImage(Artifact::new(ArtifactKind::Schema1, evidence)));
    }
    let index = match outline.media_type.as_deref() {
        Some(OCI_IMAGE_INDEX_MEDIA_TYPE | IMAGE_MANIFEST_LIST_MEDIA_TYPE) => true,
        Some(OCI_IMAGE_MEDIA_TYPE | IMAGE_MANIFEST_MEDIA_TYPE) => false,
        Some(other) => {
            let artifact = Artifact::of_media_type(other, outline.artifact_type.as_deref());
            return Err(Fault::NotAnImage(artifact));
        }
        // OCI manifests need not say what they are.
        None => outline.manifests.is_some(),
    };
    if index {
        let index: OciImageIndex = serde_json::from_slice(body).map_err(invalid)?;
        return match Artifact::of_index(&index) {
            Some(artifact) => Err(Fault::NotAnImage(artifact)),
            None => Ok(Manifest::Index(index.manifests.iter().filter_map(child).collect())),
        };
    }
    let image: OciImageManifest = serde_json::from_slice(body).map_err(invalid)?;
    match Artifact::of_manifest(&image) {
        Some(artifact) => Err(Fault::NotAnImage(artifact)),
        None => Ok(Manifest::Image(Box::new(image))),
    }
}

/// Returns the entry of an index, if it is an image: not an attestation, not an artifact.
fn child(entry: &ImageIndexEntry) -> Option<Child> {
    const MANIFESTS: &[&str] = &[
        OCI_IMAGE_MEDIA_TYPE,
        IMAGE_MANIFEST_MEDIA_TYPE,
        OCI_IMAGE_INDEX_MEDIA_TYPE,
        IMAGE_MANIFEST_LIST_MEDIA_TYPE,
    ];
    let attestation = entry.annotations.iter().flatten().any(|(key, _)| key == "vnd.docker.reference.type");
    let artifact = entry.artifact_type.as_deref().is_some_and(is_artifact_type);
    if attestation || artifact || !MANIFESTS.contains(&entry.media_type.as_str()) {
        return None;
    }
    let platform = entry.platform.as_ref().map(|p| Platform {
        os: p.os.to_string(),
        architecture: p.architecture.to_string(),
        variant: p.variant.clone().filter(|v| !v.is_empty()),
    });
    if platform.as_ref().is_some_and(|p| p.os == "unknown" && p.architecture == "unknown") {
        return None;
    }
    let platform = platform.filter(|p| !p.os.is_empty() && !p.architecture.is_empty());
    Some(Child { digest: entry.digest.parse().ok()?, platform })
}

/// Reads an image's configuration. Whatever is damaged in it is as good as not there.
pub(crate) fn read_config(digest: Digest, body: &[u8]) -> Result<ImageInfo, Fault> {
    #[derive(Deserialize)]
    struct Config {
        #[serde(default)]
        created: Value,
        #[serde(default)]
        os: Value,
        #[serde(default)]
        architecture: Value,
        #[serde(default)]
        variant: Value,
        #[serde(default)]
        config: Value,
    }
    let config: Config =
        serde_json::from_slice(body).map_err(|e| Fault::Invalid(format!("its configuration: {e}")))?;
    let labels: BTreeMap<String, String> = config
        .config
        .get("Labels")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect();
    let word = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let platform = word(&config.os).zip(word(&config.architecture)).map(|(os, architecture)| Platform {
        os,
        architecture,
        variant: word(&config.variant),
    });
    let created = config.created.as_str().and_then(|text| text.trim().parse().ok());
    Ok(ImageInfo {
        digest: Some(digest),
        created,
        first_seen: None,
        labels,
        platforms: platform.into_iter().collect(),
    })
}

/// Returns the details of an index from those of its images: it is as new as the newest of them and
/// has its labels.
pub(crate) fn merge(digest: Digest, images: &[(&Child, ImageInfo)]) -> ImageInfo {
    let mut platforms = Vec::new();
    for (child, info) in images {
        let own = child.platform.as_ref();
        for platform in own.into_iter().chain(info.platforms.iter().filter(|_| own.is_none())) {
            if !platforms.contains(platform) {
                platforms.push(platform.clone());
            }
        }
    }
    // The first of equally new ones.
    let newest = images.iter().map(|(_, info)| info).rev().max_by_key(|info| info.created);
    ImageInfo {
        digest: Some(digest),
        created: newest.and_then(|info| info.created),
        first_seen: None,
        labels: newest.map(|info| info.labels.clone()).unwrap_or_default(),
        platforms,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SHA: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

    fn read(manifest: &Value) -> Result<Manifest, Fault> {
        super::read(manifest.to_string().as_bytes())
    }

    fn config(config: Value) -> ImageInfo {
        read_config(SHA.parse().unwrap(), config.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn attestations_and_artifacts_are_no_children() {
        let entry = |media: &str, os: &str, arch: &str, annotations: Value| {
            json!({"mediaType": media, "size": 1, "digest": SHA, "annotations": annotations,
                "platform": {"os": os, "architecture": arch}})
        };
        let index = json!({"schemaVersion": 2, "manifests": [
            entry(OCI_IMAGE_MEDIA_TYPE, "linux", "amd64", Value::Null),
            entry(OCI_IMAGE_MEDIA_TYPE, "unknown", "unknown", Value::Null),
            entry(OCI_IMAGE_MEDIA_TYPE, "linux", "amd64", json!({"vnd.docker.reference.type": "attestation-manifest"})),
            entry("application/vnd.example", "linux", "amd64", Value::Null),
            {"mediaType": OCI_IMAGE_MEDIA_TYPE, "size": 1, "digest": SHA, "artifactType": "application/vnd.example"},
            {"mediaType": IMAGE_MANIFEST_MEDIA_TYPE, "size": 1, "digest": SHA},
            entry(OCI_IMAGE_MEDIA_TYPE, "linux", "made-up", Value::Null),
        ]});
        let Ok(Manifest::Index(children)) = read(&index) else { panic!("an index") };
        let platforms: Vec<_> =
            children.iter().map(|c| c.platform.as_ref().map(ToString::to_string)).collect();
        assert_eq!(platforms, [Some("linux/amd64".to_owned()), None, Some("linux/made-up".to_owned())]);
    }

    #[test]
    fn a_date_and_labels_are_told_as_they_are() {
        let label = json!({"Labels": {"org.opencontainers.image.created": "2024-02-01T00:00:00Z"}});
        for (created, expected) in [
            (json!("2024-01-01T02:00:00.123456789+02:00"), Some("2024-01-01T00:00:00.123456789Z")),
            (json!("1970-01-01T00:00:00Z"), Some("1970-01-01T00:00:00Z")),
            (json!("yesterday"), None),
            (Value::Null, None),
        ] {
            let info = config(json!({"created": created, "config": label}));
            assert_eq!(info.created, expected.map(|t| t.parse().unwrap()), "{created}");
            assert_eq!(info.labels["org.opencontainers.image.created"], "2024-02-01T00:00:00Z");
        }
    }

    #[test]
    fn what_is_damaged_in_a_configuration_is_as_good_as_not_there() {
        let info = config(
            json!({"os": 5, "architecture": "amd64", "created": {}, "config": {"Labels": {"a": 1, "b": "c"}}}),
        );
        assert_eq!((info.created, info.platforms), (None, Vec::new()));
        assert_eq!(info.labels, BTreeMap::from([("b".to_owned(), "c".to_owned())]));
        let info = config(json!({"os": "linux", "architecture": "arm", "variant": "v7"}));
        assert_eq!(info.platforms[0].to_string(), "linux/arm/v7");
        assert!(matches!(read_config(SHA.parse().unwrap(), b"[]x"), Err(Fault::Invalid(_))));
    }

    #[test]
    fn no_manifest_is_an_error_that_says_why() {
        for (manifest, why) in [
            (json!({"schemaVersion": 1}), "Schema1"),
            (json!({"schemaVersion": 2, "mediaType": "application/x"}), "application/x"),
            (json!({"schemaVersion": 2}), "missing field"),
            (json!([]), "its manifest"),
            (json!({"schemaVersion": 2, "manifests": [1]}), "its manifest"),
        ] {
            let fault = read(&manifest).unwrap_err();
            assert!(format!("{fault:?}").contains(why), "{manifest}: {fault:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(body: Vec<u8>, text in "[\\[{\"a-z:,0-9}\\]]{0,40}") {
            for body in [body, text.into_bytes()] {
                let _ = super::read(&body);
                let _ = read_config(SHA.parse().unwrap(), &body);
            }
        }
    }
}
