//! Files of images, read.

use super::*;
use crate::{
    backend::{ErrorKind, Images, Registry},
    memory::at_once,
};

fn registry(yaml: &str) -> Result<MemoryRegistry, ImagesError> {
    MemoryRegistry::from_images(&serde_yaml::from_str(yaml).unwrap())
}

fn inspect(registry: &MemoryRegistry, name: &str, tags: &[&str]) -> Images {
    let tags: Vec<Tag> = tags.iter().map(|t| t.parse().unwrap()).collect();
    at_once(registry.inspect(&name.parse().unwrap(), &tags)).unwrap().value
}

#[test]
fn a_file_says_what_there_is() {
    let registry = registry(
        "nginx:\n\
         - {tag: '1.10', created: 2024-05-01T10:00:00+02:00, labels: {a: b}, platforms: [linux/arm/v7]}\n\
         - {tag: bad, error: damaged}\n\
         - tag: bare\n  created:\n\
         empty: []\n\
         private: {error: no credentials}\n",
    )
    .unwrap();
    let name = "docker.io/library/nginx";
    let images = inspect(&registry, name, &["1.10", "bad", "bare", "gone"]);
    let get = |tag: &str| images[&tag.parse::<Tag>().unwrap()].clone();
    let info = get("1.10").unwrap();
    assert_eq!(info.created.unwrap().to_string(), "2024-05-01T08:00:00Z");
    assert_eq!(info.labels["a"], "b");
    assert_eq!(info.platforms[0].to_string(), "linux/arm/v7");
    assert_eq!(get("bad").unwrap_err(), InspectError::unreadable("damaged"));
    assert_eq!(get("bare").unwrap(), ImageInfo::default());
    assert!(get("gone").unwrap_err().is_missing());
    let tags = |name: &str| at_once(registry.tags(&name.parse().unwrap()));
    assert_eq!(tags("empty").unwrap().value, []);
    let error = tags("private").unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::Unavailable, "no credentials"));
    assert_eq!(tags("absent").unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn texts_are_taken_as_they_are_written() {
    let registry = registry(
        "web:\n- {tag: 1.10, created: 2024-05-01, digest: 'sha256:abc', labels: {build: 7}}\n- {tag: 012, error: 404}\n",
    )
    .unwrap();
    let images = inspect(&registry, "web", &["1.10", "012"]);
    let info = images[&"1.10".parse::<Tag>().unwrap()].clone().unwrap();
    assert_eq!(info.created.unwrap().to_string(), "2024-05-01T00:00:00Z");
    assert_eq!(info.labels["build"], "7");
    let error = images[&"012".parse::<Tag>().unwrap()].clone().unwrap_err();
    assert_eq!(error.message, "404");
}

#[test]
fn an_empty_file_is_an_empty_registry() {
    assert!(registry("").is_ok());
    assert!(registry("{}").is_ok());
}

#[test]
fn what_is_wrong_is_named() {
    let cases = [
        (
            "a b: []",
            "image name `a b`: a name is made of letters, digits, `.`, `_` and `-`, with single `/` between",
        ),
        ("web:v1: []", "image name `web:v1`: a name has no tag and no digest"),
        (
            "nginx: []\nindex.docker.io/nginx: []",
            "images `nginx` and `index.docker.io/nginx` are the same repository: list its tags under one of the two names",
        ),
        ("web:", "image `web`: nothing where a list of tags, or {error: \"…\"}, is wanted"),
        ("web: {tag: v1}", "image `web`: unknown key `tag`: write a list of tags, or {error: \"…\"} alone"),
        ("web: [v1]", "image `web`, entry 1: a text where {tag: …} is wanted"),
        ("web: [{created: 2024-05-01T10:00:00Z}]", "image `web`, entry 1: there is no `tag`"),
        ("web: [{tag: a}, {tag: a}]", "image `web` lists tag `a` twice: remove one of the two"),
        (
            "web: [{tag: a, creatd: x}]",
            "image `web`, tag `a`: unknown key `creatd`: known are tag, created, digest, labels, platforms, artifact, error",
        ),
        (
            "web: [{tag: a, created: yesterday}]",
            "image `web`, tag `a`: `created: yesterday` is no date: write it as RFC 3339 has it, 2024-05-01T10:00:00Z",
        ),
        ("web: [{tag: a, digest: abc}]", "image `web`, tag `a`: `digest: abc`: a digest is algorithm:value"),
        (
            "web: [{tag: a, platforms: linux}]",
            "image `web`, tag `a`: `platforms` is a list of os/architecture[/variant]",
        ),
    ];
    for (yaml, message) in cases {
        assert_eq!(registry(yaml).unwrap_err().to_string(), message, "{yaml}");
    }
}
