//! The conformance suite on the distribution registry.
//!
//! The registry is open, has basic authentication, or requires bearer tokens.

use std::fmt;

use async_trait::async_trait;
use flux_core::{
    backend::{Completeness, ErrorKind, Registry, layers::RetryPolicy},
    image::{ArtifactKind, Digest, ImageName, Tag},
    testing::registry::{Build, RegistryFixture},
};
use flux_registry::{Credentials, OciRegistry};
use flux_test_support::{Artifact, Image, RegistryServer, Schema, unique};
use oci_distribution::{
    Client, Reference, RegistryOperation,
    client::{ClientConfig, ClientProtocol},
    secrets::RegistryAuth,
};
use serde_json::{Value, json};

use crate::{
    content::{OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, sha256},
    fake::{tag, tags},
};

struct Distribution {
    server: RegistryServer,
    registry: OciRegistry,
    /// Pushes: the registry under test only reads.
    client: Client,
    auth: RegistryAuth,
}

impl fmt::Debug for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Distribution").field(&self.server).finish()
    }
}

impl Distribution {
    fn new(server: RegistryServer, credentials: Credentials, auth: RegistryAuth) -> Self {
        let config = ClientConfig {
            protocol: ClientProtocol::Http,
            use_monolithic_push: true,
            ..ClientConfig::default()
        };
        let client = Client::try_from(config).unwrap();
        let registry = OciRegistry::builder().credentials(credentials).build().unwrap();
        Self { server, registry, client, auth }
    }

    fn open(server: RegistryServer) -> Self {
        Self::new(server, Credentials::new(), RegistryAuth::Anonymous)
    }

    fn with_login(server: RegistryServer) -> Self {
        let (user, password) = (server.user().to_owned(), server.password().to_owned());
        let credentials = Credentials::new().with_basic(server.host(), &user, &password);
        Self::new(server, credentials, RegistryAuth::Basic(user, password))
    }

    fn reference(&self, name: &ImageName, tag: &str) -> Reference {
        Reference::with_tag(self.server.host().to_owned(), name.path().to_owned(), tag.to_owned())
    }

    async fn push_manifest(&self, to: &Reference, media: &str, manifest: &Value) -> String {
        let body = manifest.to_string();
        let digest = sha256(body.as_bytes());
        self.client.push_manifest_raw(to, body, media.parse().unwrap()).await.unwrap();
        digest
    }
}

#[async_trait]
impl RegistryFixture for Distribution {
    fn registry(&self) -> &dyn Registry {
        &self.registry
    }

    fn name(&self, hint: &str) -> ImageName {
        format!("{}/conformance/{}", self.server.host(), unique(hint)).parse().unwrap()
    }

    fn aliases(&self, _: &ImageName) -> Vec<ImageName> {
        Vec::new()
    }

    async fn push(&self, name: &ImageName, tag: &Tag, builds: &[Build]) -> Digest {
        let client = &self.client;
        let to = self.reference(name, tag.as_str());
        client.auth(&to, &self.auth, RegistryOperation::Push).await.unwrap();
        let layer = b"layer".to_vec();
        let layer_digest = sha256(&layer);
        client.push_blob(&to, layer, &layer_digest).await.unwrap();
        let mut children = Vec::new();
        for build in builds {
            let mut platform = json!({"os": build.platform.os, "architecture": build.platform.architecture});
            if let Some(variant) = &build.platform.variant {
                platform["variant"] = variant.as_str().into();
            }
            let mut config = platform.clone();
            config["created"] = build.created.to_string().into();
            config["config"] = json!({"Labels": build.labels});
            config["rootfs"] = json!({"type": "layers", "diff_ids": []});
            let config = config.to_string().into_bytes();
            let (digest, size) = (sha256(&config), config.len());
            client.push_blob(&to, config, &digest).await.unwrap();
            let manifest = json!({
                "schemaVersion": 2, "mediaType": OCI_MANIFEST,
                "config": {"mediaType": OCI_CONFIG, "digest": digest, "size": size},
                "layers": [{"mediaType": OCI_LAYER, "digest": layer_digest, "size": 5}],
            });
            // The last of several stays under the tag until the index takes its place.
            let digest = self.push_manifest(&to, OCI_MANIFEST, &manifest).await;
            let size = manifest.to_string().len();
            children.push(json!({
                "mediaType": OCI_MANIFEST, "digest": digest, "size": size, "platform": platform,
            }));
        }
        let digest = if children.len() == 1 {
            children[0]["digest"].as_str().unwrap().to_owned()
        } else {
            let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children});
            self.push_manifest(&to, OCI_INDEX, &index).await
        };
        digest.parse().unwrap()
    }

    async fn push_artifact(&self, name: &ImageName, tag: &Tag, kind: ArtifactKind) -> bool {
        let subject = sha256(b"an image");
        let artifact = match kind {
            ArtifactKind::Signature => Artifact::Signature,
            ArtifactKind::Attestation => Artifact::Attestation,
            ArtifactKind::Sbom => Artifact::Sbom,
            ArtifactKind::ReferrersIndex => Artifact::Referrers(&subject),
            ArtifactKind::BuildCache => Artifact::BuildCache,
            ArtifactKind::HelmChart => Artifact::HelmChart,
            ArtifactKind::Other => Artifact::Other,
            // Registries do not take schema 1 any more.
            _ => return false,
        };
        self.server.push_artifact(name.path(), tag.as_str(), artifact);
        true
    }
}

mod an_open_registry_conforms {
    use super::*;

    flux_core::testing::registry_conformance!(async || {
        Some(Distribution::open(flux_test_support::registry()?))
    });
}

mod a_registry_with_basic_authentication_conforms {
    use super::*;

    flux_core::testing::registry_conformance!(async || {
        Some(Distribution::with_login(flux_test_support::registry_basic()?))
    });
}

mod a_registry_with_tokens_conforms {
    use super::*;

    flux_core::testing::registry_conformance!(async || {
        Some(Distribution::with_login(flux_test_support::registry_token()?))
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn dockers_own_manifests_are_understood() {
    let Some(server) = flux_test_support::registry() else { return };
    let repository = unique("docker");
    let image = |tag: &'static str| Image::new(&repository, tag).created("2024-05-01T10:00:00Z");
    let one = server.push(&image("one").schema(Schema::Docker).platforms(&["linux/arm/v7"]));
    let several =
        server.push(&image("several").schema(Schema::Docker).platforms(&["linux/amd64", "linux/arm64"]));
    let name = format!("{}/{repository}", server.host()).parse().unwrap();
    let registry = OciRegistry::builder().build().unwrap();
    let seen = registry.inspect(&name, &tags(&["one", "several"])).await.unwrap().value;
    for (text, digest, platforms) in
        [("one", one, &["linux/arm/v7"][..]), ("several", several, &["linux/amd64", "linux/arm64"])]
    {
        let info = seen[&tag(text)].as_ref().unwrap();
        assert_eq!(info.digest.as_ref().unwrap().as_str(), digest);
        assert_eq!(info.created.unwrap().to_string(), "2024-05-01T10:00:00Z");
        assert_eq!(info.platforms.iter().map(ToString::to_string).collect::<Vec<_>>(), platforms);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_in_which_tools_push_artifacts_is_known() {
    let Some(server) = flux_test_support::registry() else { return };
    let repository = unique("artifacts");
    let name = format!("{}/{repository}", server.host()).parse().unwrap();
    let digest = server.push(&Image::new(&repository, "1.0.0").created("2026-05-01T10:00:00Z").attested());
    let hex = digest.strip_prefix("sha256:").unwrap();
    let all = [
        (format!("sha256-{hex}.sig"), Artifact::Signature, ArtifactKind::Signature),
        ("bundle".to_owned(), Artifact::Bundle(&digest), ArtifactKind::Signature),
        (format!("sha256-{hex}"), Artifact::Referrers(&digest), ArtifactKind::ReferrersIndex),
        (format!("sha256-{hex}.att"), Artifact::Attestation, ArtifactKind::Attestation),
        ("sbom".to_owned(), Artifact::Sbom, ArtifactKind::Sbom),
        ("buildcache".to_owned(), Artifact::BuildCache, ArtifactKind::BuildCache),
        ("2.0.0".to_owned(), Artifact::HelmChart, ArtifactKind::HelmChart),
        ("readme".to_owned(), Artifact::Other, ArtifactKind::Other),
    ];
    for (tag, artifact, _) in &all {
        server.push_artifact(&repository, tag, *artifact);
    }
    let registry = OciRegistry::builder().build().unwrap();
    let listed = registry.tags(&name).await.unwrap();
    assert_eq!(listed.value.len(), all.len() + 1);
    let seen = registry.inspect(&name, &listed.value).await.unwrap();
    assert_eq!(seen.completeness, Completeness::Complete);
    let image = seen.value[&tag("1.0.0")].as_ref().unwrap();
    assert_eq!(image.platforms.iter().map(ToString::to_string).collect::<Vec<_>>(), ["linux/amd64"]);
    assert_eq!(image.created.unwrap().to_string(), "2026-05-01T10:00:00Z");
    for (text, _, kind) in all {
        let error = seen.value[&tag(&text)].as_ref().unwrap_err();
        assert_eq!(error.artifact(), Some(kind), "{text}: {error}");
        assert!(error.message.contains(&kind.to_string()), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_refused_by_name() {
    for server in [flux_test_support::registry_basic(), flux_test_support::registry_token()] {
        let Some(server) = server else { return };
        let repository = unique("refused");
        server.push_image(&repository, "v1", "", &[], &[]);
        let name: ImageName = format!("{}/{repository}", server.host()).parse().unwrap();
        let wrong = Credentials::new().with_basic(server.host(), server.user(), "wr0ng");
        for (credentials, who) in [(wrong, server.user()), (Credentials::new(), "anonymous users")] {
            let registry = OciRegistry::builder().credentials(credentials).build().unwrap();
            for error in [
                registry.tags(&name).await.unwrap_err(),
                registry.inspect(&name, &tags(&["v1", "v2"])).await.unwrap_err(),
            ] {
                assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error:?}");
                let text = error.to_string();
                assert!(
                    text.contains(who) && text.contains(server.host()) && !text.contains("wr0ng"),
                    "{text}"
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn anonymous_users_see_what_is_public() {
    let Some(server) = flux_test_support::registry_token() else { return };
    let repository = format!("public/{}", unique("open"));
    server.push_image(&repository, "v1", "2024-05-01T10:00:00Z", &[], &[]);
    let name = format!("{}/{repository}", server.host()).parse().unwrap();
    let registry = OciRegistry::builder().build().unwrap();
    let seen = registry.tags(&name).await.unwrap();
    assert_eq!((seen.value, seen.authority.as_str()), (vec![tag("v1")], "anonymous"));
    assert!(registry.inspect(&name, &tags(&["v1"])).await.unwrap().value[&tag("v1")].is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_authority_is_trusted_when_it_is_given() {
    // Any server with a certificate of a private authority does: it has no images, and says so.
    let Some(server) = flux_test_support::git_https() else { return };
    let url = server.url("any");
    let host = url.trim_start_matches("https://").split('/').next().unwrap();
    let name: ImageName = format!("{host}/a").parse().unwrap();
    let registry = || OciRegistry::builder().retry(RetryPolicy::NEVER).secure_host(host);
    let error = registry().build().unwrap().tags(&name).await.unwrap_err();
    assert!(
        error.kind() == ErrorKind::Unavailable && error.message().contains("is not trusted here"),
        "{error:?}"
    );
    let error = registry().ca_file(server.ca()).build().unwrap().tags(&name).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
}
