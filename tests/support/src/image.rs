//! Images that consist of their description only, and their upload to a registry.

use std::fmt::Write as _;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::failure::{Failure, Result};
use crate::http::http;

/// The media types that describe an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schema {
    /// OCI image manifest and image index.
    Oci,
    /// Docker image manifest V2, schema 2, and manifest list.
    Docker,
}

pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const LAYER_TYPE: &str = "application/vnd.oci.image.layer.v1.tar";

impl Schema {
    fn index(self) -> &'static str {
        match self {
            Self::Oci => INDEX,
            Self::Docker => "application/vnd.docker.distribution.manifest.list.v2+json",
        }
    }

    fn manifest(self) -> &'static str {
        match self {
            Self::Oci => MANIFEST,
            Self::Docker => "application/vnd.docker.distribution.manifest.v2+json",
        }
    }

    fn config(self) -> &'static str {
        match self {
            Self::Oci => "application/vnd.oci.image.config.v1+json",
            Self::Docker => "application/vnd.docker.container.image.v1+json",
        }
    }

    fn layer(self) -> &'static str {
        match self {
            Self::Oci => LAYER_TYPE,
            Self::Docker => "application/vnd.docker.image.rootfs.diff.tar.gzip",
        }
    }
}

/// An image to push.
///
/// By default it is an OCI image for linux/amd64, without a date or labels.
#[derive(Clone, Debug)]
pub struct Image {
    pub(crate) name: String,
    tag: String,
    created: String,
    labels: Vec<(String, String)>,
    platforms: Vec<String>,
    schema: Schema,
    attested: bool,
}

impl Image {
    /// Returns the image `name:tag`; the name is without the registry's host.
    pub fn new(name: &str, tag: &str) -> Self {
        Self {
            name: name.to_owned(),
            tag: tag.to_owned(),
            created: String::new(),
            labels: Vec::new(),
            platforms: Vec::new(),
            schema: Schema::Oci,
            attested: false,
        }
    }

    /// Sets the build date, RFC 3339; an empty text for an image without one.
    #[must_use]
    pub fn created(mut self, created: &str) -> Self {
        created.clone_into(&mut self.created);
        self
    }

    /// Sets the labels of its configuration.
    #[must_use]
    pub fn labels(mut self, labels: &[(&str, &str)]) -> Self {
        self.labels = labels.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect();
        self
    }

    /// Sets its platforms, `os/arch` or `os/arch/variant`: with several it is an index of images.
    #[must_use]
    pub fn platforms(mut self, platforms: &[&str]) -> Self {
        self.platforms = platforms.iter().map(|&platform| platform.to_owned()).collect();
        self
    }

    /// Sets the schema of its manifests.
    #[must_use]
    pub fn schema(mut self, schema: Schema) -> Self {
        self.schema = schema;
        self
    }

    /// Adds an attestation of each platform, as BuildKit does: the image is an index then.
    #[must_use]
    pub fn attested(mut self) -> Self {
        self.attested = true;
        self
    }

    fn config(&self, platform: &Platform<'_>, layer: &str) -> Value {
        let labels: serde_json::Map<_, _> =
            self.labels.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
        let mut config = platform.json();
        config["config"] = json!({ "Labels": labels });
        config["rootfs"] = json!({ "type": "layers", "diff_ids": [layer] });
        if !self.created.is_empty() {
            config["created"] = json!(self.created);
        }
        config
    }
}

/// `os/arch[/variant]` in its parts.
struct Platform<'a> {
    os: &'a str,
    architecture: &'a str,
    variant: Option<&'a str>,
}

impl<'a> Platform<'a> {
    fn parse(text: &'a str) -> Self {
        let mut parts = text.split('/');
        let os = parts.next().unwrap_or("linux");
        Self { os, architecture: parts.next().unwrap_or("amd64"), variant: parts.next() }
    }

    fn json(&self) -> Value {
        let mut json = json!({ "os": self.os, "architecture": self.architecture });
        if let Some(variant) = self.variant {
            json["variant"] = json!(variant);
        }
        json
    }
}

/// The bytes of the one layer of every image, which is never run.
pub(crate) const LAYER: &[u8] = b"flux tests";

/// Pushes `image` to `host` over plain HTTP and returns its digest.
pub(crate) fn push(host: &str, authorization: Option<&str>, image: &Image) -> Result<String> {
    let to = Repository::new(host, &image.name, authorization);
    let layer = to.blob(LAYER)?;
    let schema = image.schema;
    let platforms: Vec<&str> = match image.platforms.as_slice() {
        [] => vec!["linux/amd64"],
        given => given.iter().map(String::as_str).collect(),
    };

    let mut manifests = Vec::new();
    for platform in platforms.iter().map(|text| Platform::parse(text)) {
        let config = image.config(&platform, &layer).to_string();
        let config_digest = to.blob(config.as_bytes())?;
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": schema.manifest(),
            "config": { "mediaType": schema.config(), "size": config.len(), "digest": config_digest },
            "layers": [{ "mediaType": schema.layer(), "size": LAYER.len(), "digest": layer }],
        });
        manifests.push((platform, manifest.to_string()));
    }
    if let [(_, only)] = manifests.as_slice()
        && !image.attested
    {
        return to.manifest(&image.tag, schema.manifest(), only);
    }

    let mut entries = Vec::new();
    for (platform, manifest) in &manifests {
        let digest = to.manifest(&digest_of(manifest.as_bytes()), schema.manifest(), manifest)?;
        entries.push(json!({
            "mediaType": schema.manifest(), "size": manifest.len(), "digest": digest, "platform": platform.json(),
        }));
    }
    if image.attested {
        let images: Vec<Value> = entries.clone();
        for entry in images {
            entries.push(attestation(&to, entry["digest"].as_str().unwrap_or_default())?);
        }
    }
    let index = json!({ "schemaVersion": 2, "mediaType": schema.index(), "manifests": entries });
    to.manifest(&image.tag, schema.index(), &index.to_string())
}

/// Uploads BuildKit's attestation of an image, and returns its entry of the index.
fn attestation(to: &Repository<'_>, image: &str) -> Result<Value> {
    let (config, layer) = (b"{\"architecture\":\"unknown\",\"os\":\"unknown\"}", b"statement");
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": { "mediaType": Schema::Oci.config(), "size": config.len(), "digest": to.blob(config)? },
        "layers": [{ "mediaType": "application/vnd.in-toto+json", "size": layer.len(), "digest": to.blob(layer)? }],
    })
    .to_string();
    let digest = to.manifest(&digest_of(manifest.as_bytes()), MANIFEST, &manifest)?;
    Ok(json!({
        "mediaType": MANIFEST, "size": manifest.len(), "digest": digest,
        "platform": { "os": "unknown", "architecture": "unknown" },
        "annotations": {
            "vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": image,
        },
    }))
}

/// One repository of a registry, for writing.
pub(crate) struct Repository<'a> {
    http: ureq::Agent,
    base: String,
    authorization: Option<&'a str>,
}

impl<'a> Repository<'a> {
    /// Makes the repository `name` of `host`, over plain HTTP.
    pub(crate) fn new(host: &str, name: &str, authorization: Option<&'a str>) -> Self {
        Self { http: http(), base: format!("http://{host}/v2/{name}"), authorization }
    }

    /// Uploads a blob unless it is there, and returns its digest.
    pub(crate) fn blob(&self, bytes: &[u8]) -> Result<String> {
        let digest = digest_of(bytes);
        let there = self.send(self.http.head(format!("{}/blobs/{digest}", self.base)), "look for a blob")?;
        if there.status() == 200 {
            return Ok(digest);
        }
        let upload = self.send(self.http.post(format!("{}/blobs/uploads/", self.base)), "start an upload")?;
        let location = upload.headers().get("Location").and_then(|value| value.to_str().ok());
        let location = location.ok_or_else(|| refused("start an upload", &self.base, upload.status()))?;
        let root = self.base.split_once("/v2/").map_or("", |(root, _)| root);
        let absolute =
            if location.starts_with('/') { format!("{root}{location}") } else { location.to_owned() };
        let joint = if absolute.contains('?') { '&' } else { '?' };
        let url = format!("{absolute}{joint}digest={digest}");
        self.put(&url, "application/octet-stream", bytes)?;
        Ok(digest)
    }

    /// Uploads a manifest under a tag or a digest, and returns its digest.
    pub(crate) fn manifest(&self, reference: &str, media_type: &str, manifest: &str) -> Result<String> {
        self.put(&format!("{}/manifests/{reference}", self.base), media_type, manifest.as_bytes())?;
        Ok(digest_of(manifest.as_bytes()))
    }

    fn put(&self, url: &str, media_type: &str, bytes: &[u8]) -> Result<()> {
        let request = self.authorized(self.http.put(url)).header("Content-Type", media_type);
        let answer = request.send(bytes).map_err(Failure::of(&format!("push to {}", self.base)))?;
        if answer.status() == 201 { Ok(()) } else { Err(refused("push", &self.base, answer.status())) }
    }

    fn send<B: BodyOrNone>(&self, request: ureq::RequestBuilder<B>, doing: &str) -> Result<Answer> {
        B::finish(self.authorized(request)).map_err(Failure::of(&format!("{doing} at {}", self.base)))
    }

    fn authorized<B>(&self, request: ureq::RequestBuilder<B>) -> ureq::RequestBuilder<B> {
        match self.authorization {
            Some(header) => request.header("Authorization", header),
            None => request,
        }
    }
}

type Answer = ureq::http::Response<ureq::Body>;

/// The two kinds of request of the client, each sent with an empty body.
trait BodyOrNone: Sized {
    fn finish(request: ureq::RequestBuilder<Self>) -> std::result::Result<Answer, ureq::Error>;
}

impl BodyOrNone for ureq::typestate::WithBody {
    fn finish(request: ureq::RequestBuilder<Self>) -> std::result::Result<Answer, ureq::Error> {
        request.send_empty()
    }
}

impl BodyOrNone for ureq::typestate::WithoutBody {
    fn finish(request: ureq::RequestBuilder<Self>) -> std::result::Result<Answer, ureq::Error> {
        request.call()
    }
}

fn refused(doing: &str, base: &str, status: impl std::fmt::Display) -> Failure {
    Failure(format!("cannot {doing} at {base}: it answered {status}"))
}

pub(crate) fn digest_of(bytes: &[u8]) -> String {
    let mut text = String::from("sha256:");
    for byte in Sha256::digest(bytes) {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
