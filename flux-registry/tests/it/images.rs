//! Descriptions of images: their content, their cost, and the sources that are trusted.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use flux_core::{
    backend::{Completeness, Images, Observation, Registry},
    image::ArtifactKind,
};
use flux_registry::{Credentials, DirStore, OciRegistry};
use serde_json::json;

use crate::{
    content::{Content, OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST},
    fake::{Fake, Reply, registry, tag, tags},
};

const MAY: &str = "2024-05-01T10:00:00Z";
const JUNE: &str = "2024-06-01T10:00:00Z";

async fn serve(content: &Content) -> Fake {
    let content = content.clone();
    Fake::start(move |seen| content.serve(seen)).await
}

async fn inspect(registry: &OciRegistry, fake: &Fake, texts: &[&str]) -> Observation<Images> {
    registry.inspect(&fake.name("a"), &tags(texts)).await.unwrap()
}

fn requests(fake: &Fake) -> Vec<String> {
    fake.take().iter().map(|seen| format!("{} {}", seen.method, seen.path)).collect()
}

#[tokio::test]
async fn an_image_is_learnt_once_and_then_costs_one_request() {
    let mut content = Content::default();
    let digest = content.image("amd64", MAY);
    for tag in ["v1", "v1.0", "v1.0.0", "latest"] {
        content.tag(tag, &digest);
    }
    let fake = serve(&content).await;
    let registry = registry().build().unwrap();
    let all = ["v1", "v1.0", "v1.0.0", "latest"];
    let first = inspect(&registry, &fake, &all).await;
    assert_eq!(first.completeness, Completeness::Complete);
    let seen = requests(&fake);
    let count = |start: &str| seen.iter().filter(|r| r.starts_with(start)).count();
    assert_eq!(
        (count("GET /v2/a/manifests/"), count("GET /v2/a/blobs/"), count("HEAD "), seen.len()),
        (1, 1, 4, 7),
        "one manifest and one configuration for four tags, and one look whether a login is wanted: {seen:?}"
    );
    assert_eq!(inspect(&registry, &fake, &all).await, first);
    let seen = requests(&fake);
    assert!(seen.len() == 4 && seen.iter().all(|r| r.starts_with("HEAD ")), "{seen:?}");
}

#[tokio::test]
async fn a_store_remembers_for_the_next_process() {
    let mut content = Content::default();
    let digest = content.image("amd64", MAY);
    content.tag("v1", &digest);
    let fake = serve(&content).await;
    let folder = tempfile::tempdir().unwrap();
    let registry = || registry().store(Arc::new(DirStore::new(folder.path()))).build().unwrap();
    let first = inspect(&registry(), &fake, &["v1"]).await;
    fake.take();
    assert_eq!(inspect(&registry(), &fake, &["v1"]).await, first);
    assert_eq!(requests(&fake), ["GET /v2/", "HEAD /v2/a/manifests/v1"]);
}

#[tokio::test]
async fn one_broken_tag_stops_no_other_and_leaves_the_observation_partial() {
    let mut content = Content::default();
    let digest = content.image("amd64", MAY);
    for tag in ["v1", "v2", "v3"] {
        content.tag(tag, &digest);
    }
    let fake = Fake::start(
        move |seen| {
            if seen.path.ends_with("/v2") { Reply::status(500) } else { content.serve(seen) }
        },
    )
    .await;
    let seen = inspect(&registry().build().unwrap(), &fake, &["v1", "v2", "v3", "v4"]).await;
    let get = |text: &str| seen.value[&tag(text)].clone();
    assert!(get("v1").is_ok() && get("v3").is_ok());
    let error = get("v2").unwrap_err();
    assert!(
        !error.is_missing() && error.message.contains("a:v2") && error.message.contains("500"),
        "{error}"
    );
    assert!(get("v4").unwrap_err().is_missing());
    let Completeness::Partial(why) = &seen.completeness else { panic!("v2 may be an image") };
    assert_eq!(why.len(), 1, "{why:?}");
}

#[tokio::test]
async fn a_registry_that_knows_no_head_and_tells_no_digest_serves_too() {
    let mut content = Content::default();
    let digest = content.image("amd64", MAY);
    content.tag("v1", &digest);
    let fake = Fake::start(move |seen| {
        if seen.method == "HEAD" {
            return Reply::status(405);
        }
        match content.serve(seen) {
            Reply::Answer { status, body, .. } => Reply::status(status).body(body),
            hang => hang,
        }
    })
    .await;
    let seen = inspect(&registry().build().unwrap(), &fake, &["v1", "gone"]).await;
    assert_eq!(seen.value[&tag("v1")].clone().unwrap().digest.unwrap().as_str(), digest);
    assert!(seen.value[&tag("gone")].clone().unwrap_err().is_missing());
    assert_eq!(fake.count(&digest), 0, "what came with the tag is not fetched again");
}

#[tokio::test]
async fn what_does_not_have_its_digest_is_not_believed() {
    let mut content = Content::default();
    let (amd, arm) = (content.image("amd64", MAY), content.image("arm64", JUNE));
    content.tag("manifest", &amd);
    content.tag("config", &arm);
    let config = format!(r#"{{"os":"linux","architecture":"arm64","created":"{JUNE}"}}"#);
    let honest = content.clone();
    let config = content.blob(serde_json::from_str::<serde_json::Value>(&config).unwrap().to_string());
    content.forge(&amd, &json!({"schemaVersion": 2, "manifests": []}).to_string());
    content.forge(config["digest"].as_str().unwrap(), r#"{"os":"linux","architecture":"evil"}"#);
    let lies = Arc::new(AtomicBool::new(true));
    let lying = Arc::clone(&lies);
    let fake =
        Fake::start(
            move |seen| {
                if lying.load(Ordering::SeqCst) { content.serve(seen) } else { honest.serve(seen) }
            },
        )
        .await;
    let registry = registry().build().unwrap();
    let seen = inspect(&registry, &fake, &["manifest", "config"]).await;
    for text in ["manifest", "config"] {
        let error = seen.value[&tag(text)].clone().unwrap_err();
        assert!(error.message.contains("does not have the digest"), "{text}: {error}");
    }
    lies.store(false, Ordering::SeqCst);
    let seen = inspect(&registry, &fake, &["manifest", "config"]).await;
    assert!(seen.value.values().all(Result::is_ok), "a lie is not kept: {seen:?}");
}

#[tokio::test]
async fn an_index_of_which_a_mirror_holds_a_part_is_what_is_there() {
    let mut content = Content::default();
    let (amd, arm) = (content.image("amd64", MAY), content.image("arm64", JUNE));
    let index = content.index(&[(&amd, "amd64"), (&arm, "arm64")]);
    content.tag("v1", &index);
    let whole = content.clone();
    content.forget_manifest(&arm);
    let served = Arc::new(Mutex::new(content));
    let serving = Arc::clone(&served);
    let fake = Fake::start(move |seen| serving.lock().unwrap().serve(seen)).await;
    let registry = registry().build().unwrap();
    let look = async || inspect(&registry, &fake, &["v1"]).await.value[&tag("v1")].clone().unwrap();
    let info = look().await;
    assert_eq!(info.digest.as_ref().unwrap().as_str(), index);
    assert_eq!(info.platforms.iter().map(ToString::to_string).collect::<Vec<_>>(), ["linux/amd64"]);
    assert_eq!(info.created, Some(MAY.parse().unwrap()));
    *served.lock().unwrap() = whole;
    let info = look().await;
    assert_eq!(info.platforms.len(), 2, "what was missing may come later");
    assert_eq!(info.created, Some(JUNE.parse().unwrap()));
}

#[tokio::test]
async fn what_is_no_image_says_so_and_is_not_asked_again() {
    let mut content = Content::default();
    let chart = content.artifact(
        "application/vnd.cncf.helm.config.v1+json",
        "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
        &json!({"name": "chart"}),
    );
    let signature =
        content.artifact(OCI_CONFIG, "application/vnd.dev.cosign.simplesigning.v1+json", &json!({}));
    let old = content.manifest(&json!({"schemaVersion": 1, "name": "old"}));
    let layer = content.blob("layer");
    // BuildKit's cache: an index of blobs.
    let cache = content.manifest(&json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [
        {"mediaType": OCI_LAYER, "digest": layer["digest"], "size": layer["size"]},
        {"mediaType": "application/vnd.buildkit.cacheconfig.v0", "digest": layer["digest"], "size": layer["size"]},
    ]}));
    let subject = json!({"mediaType": OCI_MANIFEST, "digest": chart, "size": 1});
    // Copied by a tool that leaves the types out of the index.
    let bundle = content.manifest(&json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST,
        "artifactType": "application/vnd.example", "layers": [], "subject": subject,
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": layer["digest"], "size": 2}}));
    let referrers = content.index(&[(&bundle, "")]);
    let all = [
        ("chart", chart, ArtifactKind::HelmChart),
        ("sha256-0.sig", signature, ArtifactKind::Signature),
        ("old", old, ArtifactKind::Schema1),
        ("cache", cache, ArtifactKind::BuildCache),
        ("sha256-0", referrers, ArtifactKind::ReferrersIndex),
    ];
    for (tag, digest, _) in &all {
        content.tag(tag, digest);
    }
    let fake = serve(&content).await;
    let registry = registry().build().unwrap();
    let expected = all.each_ref().map(|(.., kind)| *kind);
    let all = all.each_ref().map(|(tag, ..)| *tag);
    let seen = inspect(&registry, &fake, &all).await;
    assert_eq!(seen.completeness, Completeness::Complete, "it is known what they are");
    for (text, kind) in all.into_iter().zip(expected) {
        let error = seen.value[&tag(text)].clone().unwrap_err();
        assert_eq!(error.artifact(), Some(kind), "{text}: {error}");
        assert!(error.message.contains("not a container image"), "{text}: {error}");
    }
    fake.take();
    inspect(&registry, &fake, &all).await;
    assert!(requests(&fake).iter().all(|request| request.starts_with("HEAD ")));
}

#[tokio::test]
async fn a_blob_kept_elsewhere_is_fetched_without_the_login() {
    let mut content = Content::default();
    let digest = content.image("amd64", MAY);
    content.tag("v1", &digest);
    let elsewhere = serve(&content).await;
    let place = elsewhere.host.replace("127.0.0.1", "localhost");
    let fake = Fake::start(move |seen| match seen.authorization {
        None => Reply::status(401).header("www-authenticate", "Basic realm=\"fake\""),
        Some(_) if seen.path.contains("/blobs/") => {
            Reply::status(307).header("location", format!("http://{place}{}?signature=x", seen.path))
        }
        Some(_) => content.serve(seen),
    })
    .await;
    let credentials = Credentials::new().with_basic(&fake.host, "ann", "pw");
    let registry = registry().credentials(credentials).build().unwrap();
    let seen = inspect(&registry, &fake, &["v1"]).await;
    assert_eq!(seen.value[&tag("v1")].clone().unwrap().created, Some(MAY.parse().unwrap()));
    let seen = elsewhere.take();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].authorization, None);
}
