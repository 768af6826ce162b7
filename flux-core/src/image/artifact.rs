//! Kinds of artifacts: content that lies in image repositories and that no container is run from.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A kind of content that lies in image repositories and that no container is run from.
///
/// Tools push such content beside the images that it is about, often into the same repository. It
/// is never a candidate, and nothing is wrong with the repository that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ArtifactKind {
    /// A signature of an image, as cosign and notation push it.
    Signature,
    /// A statement about an image, such as its provenance.
    Attestation,
    /// A list of the software in an image.
    Sbom,
    /// The index of what refers to an image, for registries without the referrers API.
    ReferrersIndex,
    /// The cache of a builder.
    BuildCache,
    /// A Helm chart.
    HelmChart,
    /// An image in Docker's schema 1, which current registries and runtimes do not take.
    Schema1,
    /// Something else.
    Other,
}

impl ArtifactKind {
    /// All kinds with their codes and their names for people.
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Signature, "signature", "a signature"),
        (Self::Attestation, "attestation", "an attestation"),
        (Self::Sbom, "sbom", "an SBOM"),
        (Self::ReferrersIndex, "referrers-index", "an index of referrers"),
        (Self::BuildCache, "build-cache", "a build cache"),
        (Self::HelmChart, "helm-chart", "a Helm chart"),
        (Self::Schema1, "schema1", "an image in Docker's schema 1"),
        (Self::Other, "other", "an artifact"),
    ];

    /// Returns all kinds.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::ALL.iter().map(|(kind, ..)| *kind)
    }

    /// Returns the stable code, in lower-case kebab form.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(kind, ..)| *kind == self).map_or("", |(_, code, _)| code)
    }

    /// Returns the kind with a code.
    pub fn of_code(code: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known, _)| *known == code).map(|(kind, ..)| *kind)
    }

    /// Returns the kind that a tag is known to have by its name alone.
    ///
    /// Two shapes of names are given to nothing else: `sha256-` with 64 hexadecimal digits, which
    /// is the [referrers tag] of the distribution specification, and the same with `.sig`, `.att`
    /// or `.sbom`, which are [cosign's] before version 3.
    ///
    /// ```
    /// use flux_core::image::ArtifactKind;
    ///
    /// let digest = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    /// let kind = |tag: &str| ArtifactKind::named_by(tag);
    /// assert_eq!(kind(&format!("sha256-{digest}")), Some(ArtifactKind::ReferrersIndex));
    /// assert_eq!(kind(&format!("sha256-{digest}.sig")), Some(ArtifactKind::Signature));
    /// assert_eq!(kind(&format!("sha256-{digest}.txt")), None);
    /// assert_eq!(kind("1.4.2"), None);
    /// ```
    ///
    /// [referrers tag]:
    /// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#referrers-tag-schema
    /// [cosign's]: https://github.com/sigstore/cosign/blob/v2.6.5/specs/SIGNATURE_SPEC.md
    pub fn named_by(tag: &str) -> Option<Self> {
        const HEX_DIGITS: usize = 64;
        let (digest, suffix) = tag.strip_prefix("sha256-")?.split_at_checked(HEX_DIGITS)?;
        if !digest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return None;
        }
        match suffix {
            "" => Some(Self::ReferrersIndex),
            ".sig" => Some(Self::Signature),
            ".att" => Some(Self::Attestation),
            ".sbom" => Some(Self::Sbom),
            _ => None,
        }
    }
}

/// The kind with its article, such as `a Helm chart`.
impl fmt::Display for ArtifactKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::ALL.iter().find(|(kind, ..)| kind == self).map_or("", |(.., words)| words))
    }
}
