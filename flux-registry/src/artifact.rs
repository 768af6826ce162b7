//! Artifacts: what manifests and indexes are that no container can be run from. Pure.
//!
//! A runtime looks at the configuration and the layers of a manifest, so these decide whether it is
//! an image; `artifactType` only says what else it is.

use flux_core::image::ArtifactKind;
use oci_distribution::manifest::{
    IMAGE_CONFIG_MEDIA_TYPE, IMAGE_DOCKER_CONFIG_MEDIA_TYPE, OciImageIndex, OciImageManifest,
};

/// The beginnings of the media types of what containers are run from. An image that has layers has
/// one of these.
const RUNNABLE_LAYERS: &[&str] = &[
    "application/vnd.oci.image.layer.",
    "application/vnd.docker.image.rootfs.",
    "application/vnd.wasm.",
    "application/wasm",
];

/// The beginnings of the media types of the configurations that runnable images have.
const RUNNABLE_CONFIGS: &[&str] =
    &[IMAGE_CONFIG_MEDIA_TYPE, IMAGE_DOCKER_CONFIG_MEDIA_TYPE, "application/vnd.wasm.config."];

/// The configuration of a cache of BuildKit, which is an entry of an index or the configuration of
/// a manifest.
const BUILD_CACHE: &str = "application/vnd.buildkit.cacheconfig.";

/// The type of bundles of sigstore, which hold signatures as well as attestations.
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle";

/// The beginnings of the types that are known, be they of an artifact, a configuration or a layer.
const KNOWN: &[(&str, ArtifactKind)] = &[
    (BUILD_CACHE, ArtifactKind::BuildCache),
    ("application/vnd.cncf.helm.", ArtifactKind::HelmChart),
    ("application/vnd.cncf.notary.", ArtifactKind::Signature),
    ("application/vnd.dev.cosign.simplesigning.", ArtifactKind::Signature),
    ("application/vnd.dev.cosign.artifact.sig.", ArtifactKind::Signature),
    ("application/vnd.dev.cosign.artifact.att.", ArtifactKind::Attestation),
    ("application/vnd.dev.cosign.artifact.sbom.", ArtifactKind::Sbom),
    ("application/vnd.docker.attestation.manifest.", ArtifactKind::Attestation),
    ("application/vnd.dsse.envelope.", ArtifactKind::Attestation),
    ("application/vnd.in-toto", ArtifactKind::Attestation),
    ("application/spdx", ArtifactKind::Sbom),
    ("text/spdx", ArtifactKind::Sbom),
    ("application/vnd.cyclonedx", ArtifactKind::Sbom),
    ("application/vnd.syft", ArtifactKind::Sbom),
];

/// Something that no container can be run from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Artifact {
    pub(crate) kind: ArtifactKind,
    /// The fact that shows it.
    pub(crate) evidence: String,
    /// `true` if it refers to another manifest.
    pub(crate) refers: bool,
}

impl Artifact {
    pub(crate) fn new(kind: ArtifactKind, evidence: impl Into<String>) -> Self {
        Self { kind, evidence: evidence.into(), refers: false }
    }

    /// Returns what a manifest of a type is that is neither an image nor an index of images.
    pub(crate) fn of_media_type(media_type: &str, artifact_type: Option<&str>) -> Self {
        let kind = artifact_type.and_then(known).unwrap_or(ArtifactKind::Other);
        Self::new(kind, format!("its manifest is of type {media_type}"))
    }

    /// Returns what a manifest is; `None` for an image.
    pub(crate) fn of_manifest(manifest: &OciImageManifest) -> Option<Self> {
        let config = manifest.config.media_type.as_str();
        let layers = || manifest.layers.iter().map(|layer| layer.media_type.as_str());
        let evidence = match layers().next() {
            _ if !starts_with_one_of(config, RUNNABLE_CONFIGS) => {
                format!("its configuration is of type {config}")
            }
            Some(first) if !layers().any(|layer| starts_with_one_of(layer, RUNNABLE_LAYERS)) => {
                format!("it holds {first}")
            }
            _ => return None,
        };
        let mut types = manifest.artifact_type.as_deref().into_iter().chain([config]).chain(layers());
        let kind = if types.clone().any(|found| found.starts_with(BUNDLE)) {
            of_bundle(manifest)
        } else {
            types.find_map(known).unwrap_or(ArtifactKind::Other)
        };
        Some(Self { kind, evidence, refers: manifest.subject.is_some() })
    }

    /// Returns what an index is by its entries alone; `None` where they must be looked at.
    pub(crate) fn of_index(index: &OciImageIndex) -> Option<Self> {
        let entries = &index.manifests;
        if entries.iter().any(|entry| entry.media_type.starts_with(BUILD_CACHE)) {
            return Some(Self::new(ArtifactKind::BuildCache, "its index lists the configuration of a cache"));
        }
        if entries.is_empty() {
            return Some(Self::new(ArtifactKind::Other, "its index is empty"));
        }
        let is_artifact = |found: &Option<String>| found.as_deref().is_some_and(is_artifact_type);
        entries
            .iter()
            .all(|entry| is_artifact(&entry.artifact_type))
            .then(|| Self::new(ArtifactKind::ReferrersIndex, "its index lists artifacts"))
    }

    /// Returns what an index is of whose entries none is an image.
    pub(crate) fn of_entries(entries: &[Self]) -> Self {
        let Some(first) = entries.first() else {
            return Self::new(ArtifactKind::Other, "its index holds no image");
        };
        let kind = if entries.iter().all(|entry| entry.refers) {
            ArtifactKind::ReferrersIndex
        } else if entries.iter().all(|entry| entry.kind == first.kind) {
            first.kind
        } else {
            ArtifactKind::Other
        };
        Self::new(kind, format!("its index holds no image: of the first entry {}", first.evidence))
    }
}

/// Returns `true` if an entry of an index with this `artifactType` is no image.
///
/// Lists of referrers give images the type of their configuration.
pub(crate) fn is_artifact_type(artifact_type: &str) -> bool {
    !artifact_type.is_empty() && !starts_with_one_of(artifact_type, RUNNABLE_CONFIGS)
}

fn known(media_type: &str) -> Option<ArtifactKind> {
    KNOWN.iter().find(|(start, _)| media_type.starts_with(start)).map(|(_, kind)| *kind)
}

/// Returns what a bundle of sigstore is: a signature, if it says so.
fn of_bundle(manifest: &OciImageManifest) -> ArtifactKind {
    let annotation = |key: &str| manifest.annotations.as_ref().and_then(|all| all.get(key));
    let signs = annotation("dev.sigstore.bundle.predicateType")
        .is_some_and(|predicate| predicate == "https://sigstore.dev/cosign/sign/v1")
        || annotation("dev.sigstore.bundle.content").is_some_and(|content| content == "message-signature");
    if signs { ArtifactKind::Signature } else { ArtifactKind::Attestation }
}

fn starts_with_one_of(text: &str, starts: &[&str]) -> bool {
    starts.iter().any(|start| text.starts_with(start))
}

#[cfg(test)]
mod tests {
    use oci_distribution::manifest::OCI_IMAGE_MEDIA_TYPE;
    use serde_json::{Value, json};

    use super::*;

    const SHA: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    const OCI: &str = IMAGE_CONFIG_MEDIA_TYPE;
    const EMPTY: &str = "application/vnd.oci.empty.v1+json";

    fn manifest(artifact_type: Option<&str>, config: &str, layers: &[&str]) -> OciImageManifest {
        let layers: Vec<Value> =
            layers.iter().map(|l| json!({"mediaType": l, "size": 1, "digest": SHA})).collect();
        serde_json::from_value(
            json!({"schemaVersion": 2, "mediaType": OCI_IMAGE_MEDIA_TYPE, "layers": layers,
            "artifactType": artifact_type, "config": {"mediaType": config, "size": 2, "digest": SHA}}),
        )
        .unwrap()
    }

    #[test]
    fn only_what_containers_run_from_is_an_image() {
        use ArtifactKind::{Attestation, BuildCache, HelmChart, Other, Sbom, Signature};
        let tar = "application/vnd.oci.image.layer.v1.tar+gzip";
        let docker = "application/vnd.docker.image.rootfs.diff.tar.gzip";
        for (artifact, config, layers, expected) in [
            (None, OCI, &[tar][..], None),
            (None, OCI, &["application/vnd.oci.image.layer.v1.tar+zstd"], None),
            (None, IMAGE_DOCKER_CONFIG_MEDIA_TYPE, &[docker], None),
            (None, OCI, &[], None),
            (None, "application/vnd.wasm.config.v0+json", &["application/wasm"], None),
            // A runtime does not look at the type of an artifact.
            (Some("application/vnd.example"), OCI, &[tar], None),
            (None, OCI, &["application/vnd.dev.cosign.simplesigning.v1+json"], Some(Signature)),
            (
                Some("application/vnd.cncf.notary.signature"),
                EMPTY,
                &["application/jose+json"],
                Some(Signature),
            ),
            (None, "application/vnd.cncf.notary.signature", &["application/cose"], Some(Signature)),
            (None, OCI, &["application/vnd.dsse.envelope.v1+json"], Some(Attestation)),
            (None, OCI, &["application/vnd.in-toto+json"], Some(Attestation)),
            (None, OCI, &["text/spdx+json"], Some(Sbom)),
            (Some("application/spdx+json"), EMPTY, &["application/spdx+json"], Some(Sbom)),
            (Some("application/vnd.cyclonedx+json"), EMPTY, &["application/json"], Some(Sbom)),
            (None, "application/vnd.buildkit.cacheconfig.v0", &[tar], Some(BuildCache)),
            (
                None,
                "application/vnd.cncf.helm.config.v1+json",
                &["application/vnd.cncf.helm.chart.content.v1.tar+gzip"],
                Some(HelmChart),
            ),
            (None, EMPTY, &["text/plain"], Some(Other)),
            (None, "application/vnd.cncf.flux.config.v1+json", &[tar], Some(Other)),
        ] {
            let found = Artifact::of_manifest(&manifest(artifact, config, layers));
            assert_eq!(found.map(|artifact| artifact.kind), expected, "{artifact:?} {config} {layers:?}");
        }
    }

    #[test]
    fn a_bundle_is_a_signature_if_it_says_so() {
        let bundle = "application/vnd.dev.sigstore.bundle.v0.3+json";
        for (key, value, expected) in [
            ("predicateType", "https://sigstore.dev/cosign/sign/v1", ArtifactKind::Signature),
            ("predicateType", "https://slsa.dev/provenance/v1", ArtifactKind::Attestation),
            ("content", "message-signature", ArtifactKind::Signature),
            ("content", "dsse-envelope", ArtifactKind::Attestation),
        ] {
            let mut manifest = manifest(Some(bundle), EMPTY, &[bundle]);
            manifest.annotations = Some([(format!("dev.sigstore.bundle.{key}"), value.to_owned())].into());
            assert_eq!(Artifact::of_manifest(&manifest).unwrap().kind, expected, "{key}={value}");
        }
    }

    #[test]
    fn an_index_is_known_by_its_entries() {
        let entry = |media: &str, artifact: Option<&str>| json!({"mediaType": media, "size": 1, "digest": SHA, "artifactType": artifact});
        let kind = |entries: &[Value]| {
            let index = json!({"schemaVersion": 2, "manifests": entries});
            Artifact::of_index(&serde_json::from_value(index).unwrap()).map(|artifact| artifact.kind)
        };
        let (image, signature) =
            (entry(OCI_IMAGE_MEDIA_TYPE, None), entry(OCI_IMAGE_MEDIA_TYPE, Some("application/x")));
        let cache = entry("application/vnd.buildkit.cacheconfig.v0", None);
        let layer = entry("application/vnd.oci.image.layer.v1.tar+gzip", None);
        let referring = entry(OCI_IMAGE_MEDIA_TYPE, Some(OCI));
        assert_eq!(kind(&[]), Some(ArtifactKind::Other));
        assert_eq!(kind(&[layer, cache]), Some(ArtifactKind::BuildCache));
        assert_eq!(kind(&[signature.clone(), signature.clone()]), Some(ArtifactKind::ReferrersIndex));
        assert_eq!(kind(std::slice::from_ref(&image)), None);
        assert_eq!(kind(&[image, signature]), None);
        assert_eq!(kind(&[referring]), None, "an image that refers to another is one");
    }

    #[test]
    fn an_index_of_artifacts_is_what_they_are() {
        let artifact = |kind, refers| Artifact { kind, evidence: "it holds x".to_owned(), refers };
        let chart = artifact(ArtifactKind::HelmChart, false);
        let (signature, sbom) = (artifact(ArtifactKind::Signature, true), artifact(ArtifactKind::Sbom, true));
        for (entries, expected) in [
            (&[][..], ArtifactKind::Other),
            (&[chart.clone(), chart.clone()], ArtifactKind::HelmChart),
            (&[signature.clone(), sbom], ArtifactKind::ReferrersIndex),
            (&[signature, chart], ArtifactKind::Other),
        ] {
            assert_eq!(Artifact::of_entries(entries).kind, expected, "{entries:?}");
        }
    }
}
