//! Registries: a pushed image can be read, and a push without rights is refused.

use flux_test_support::{Image, RegistryServer, Schema, registry, registry_basic, registry_token, unique};

const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// Returns the answer to a request without credentials: status, content type, digest and body.
fn get(registry: &RegistryServer, path: &str) -> (u16, String, String, String) {
    let accept = [OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST].join(", ");
    let http: ureq::Agent =
        ureq::Agent::config_builder().proxy(None).http_status_as_error(false).build().into();
    let url = format!("http://{}/v2/{path}", registry.host());
    let mut answer = http.get(url).header("Accept", accept).call().unwrap();
    let header =
        |name: &str| answer.headers().get(name).map(|v| v.to_str().unwrap().to_owned()).unwrap_or_default();
    let (media_type, digest) = (header("Content-Type"), header("Docker-Content-Digest"));
    (answer.status().as_u16(), media_type, digest, answer.body_mut().read_to_string().unwrap())
}

#[test]
fn an_image_is_a_manifest_for_one_platform_and_an_index_for_several_in_either_schema() {
    let Some(registry) = registry() else { return };
    let name = unique("web");
    let both: &[&str] = &["linux/amd64", "linux/arm64/v8"];
    let rows: [(Schema, &[&str], &str); 4] = [
        (Schema::Oci, &[], OCI_MANIFEST),
        (Schema::Oci, both, OCI_INDEX),
        (Schema::Docker, &["linux/amd64"], DOCKER_MANIFEST),
        (Schema::Docker, both, DOCKER_LIST),
    ];
    for (number, (schema, platforms, media_type)) in rows.into_iter().enumerate() {
        let tag = format!("v{number}");
        let image =
            Image::new(&name, &tag).created("2026-01-02T03:04:05Z").platforms(platforms).schema(schema);
        let pushed = registry.push(&image);
        let (status, content_type, digest, body) = get(&registry, &format!("{name}/manifests/{tag}"));
        assert_eq!(
            (status, content_type.as_str(), digest),
            (200, media_type, pushed),
            "{schema:?} {platforms:?}: {body}"
        );
        assert_eq!(body.contains("arm64"), platforms.len() > 1, "{body}");
    }
    let (status, _, _, tags) = get(&registry, &format!("{name}/tags/list"));
    assert_eq!(status, 200);
    assert!(tags.contains(r#"["v0","v1","v2","v3"]"#), "{tags}");
}

#[test]
fn the_configuration_holds_date_and_labels() {
    let Some(registry) = registry() else { return };
    let name = unique("web");
    let labels = [("org.opencontainers.image.version", "1.2.3")];
    flux_test_support::push_image(
        registry.host(),
        &name,
        "v1",
        "2026-01-02T03:04:05Z",
        &labels,
        &["linux/s390x"],
    );
    let (_, _, _, manifest) = get(&registry, &format!("{name}/manifests/v1"));
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    let digest = manifest["config"]["digest"].as_str().unwrap();
    let (_, _, _, config) = get(&registry, &format!("{name}/blobs/{digest}"));
    let config: serde_json::Value = serde_json::from_str(&config).unwrap();
    assert_eq!(config["created"], "2026-01-02T03:04:05Z");
    assert_eq!(config["architecture"], "s390x");
    assert_eq!(config["config"]["Labels"]["org.opencontainers.image.version"], "1.2.3");
}

#[test]
fn basic_authentication_takes_its_user_and_nobody_else() {
    let Some(registry) = registry_basic() else { return };
    let name = unique("web");
    registry.push_image(&name, "v1", "", &[], &[]);
    assert_eq!(get(&registry, &format!("{name}/tags/list")).0, 401);
}

#[test]
fn token_authentication_lets_anybody_pull_what_is_public_and_its_user_everything() {
    let Some(registry) = registry_token() else { return };
    let (open, closed) = (format!("public/{}", unique("web")), unique("web"));
    registry.push_image(&open, "v1", "", &[], &["linux/amd64", "linux/arm64"]);
    registry.push_image(&closed, "v1", "", &[], &[]);

    let http: ureq::Agent =
        ureq::Agent::config_builder().proxy(None).http_status_as_error(false).build().into();
    for (name, expected) in [(open, 200), (closed, 401)] {
        let url = format!("http://{}/v2/{name}/tags/list", registry.host());
        let refused = http.get(&url).call().unwrap();
        assert_eq!(refused.status(), 401);
        let challenge = refused.headers()["WWW-Authenticate"].to_str().unwrap();
        let part =
            |key: &str| challenge.split(&format!("{key}=\"")).nth(1).unwrap().split('"').next().unwrap();
        let ask = format!("{}?service={}&scope={}", part("realm"), part("service"), part("scope"));
        let token = http.get(ask).call().unwrap().body_mut().read_to_string().unwrap();
        let token: serde_json::Value = serde_json::from_str(&token).unwrap();
        let bearer = format!("Bearer {}", token["token"].as_str().unwrap());
        assert_eq!(
            http.get(&url).header("Authorization", bearer).call().unwrap().status(),
            expected,
            "{name}"
        );
    }
}
