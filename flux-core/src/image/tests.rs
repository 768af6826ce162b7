use proptest::prelude::*;

use super::*;

const SHA: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// Text, canonical name, tag, digest.
#[test]
fn a_canonical_name_is_read_from_canonical_text_only() {
    let read = |text: &str| serde_json::from_value::<CanonicalName>(text.into());
    for text in ["index.docker.io/library/nginx", "quay.io/team/web", "registry:5000/web"] {
        assert_eq!(read(text).unwrap().as_str(), text);
    }
    for text in ["nginx", "docker.io/library/nginx", "index.docker.io/nginx", "Quay.io/team/web", "", "a:1"] {
        assert!(read(text).is_err(), "{text}");
    }
    assert_eq!(Tag::try_from("1.0"), "1.0".parse());
}

#[test]
fn references_are_read_as_the_kubelet_reads_them() {
    let sha512 = format!("sha512:{}", "ab".repeat(64));
    let table: &[(&str, &str, Option<&str>, Option<&str>)] = &[
        ("alpine", "index.docker.io/library/alpine", None, None),
        ("alpine:3.20", "index.docker.io/library/alpine", Some("3.20"), None),
        ("library/alpine:3.20", "index.docker.io/library/alpine", Some("3.20"), None),
        ("docker.io/alpine", "index.docker.io/library/alpine", None, None),
        ("Docker.IO/library/alpine", "index.docker.io/library/alpine", None, None),
        ("index.docker.io/weaveworks/flux:1", "index.docker.io/weaveworks/flux", Some("1"), None),
        ("registry-1.docker.io/a", "registry-1.docker.io/a", None, None),
        ("a/b/c", "index.docker.io/a/b/c", None, None),
        ("mylocalhost/x", "index.docker.io/mylocalhost/x", None, None),
        ("localhost/x", "localhost/x", None, None),
        ("localhost:5000/x:y", "localhost:5000/x", Some("y"), None),
        ("registry:5000/img", "registry:5000/img", None, None),
        ("registry:5000/img:v1", "registry:5000/img", Some("v1"), None),
        ("quay.io/team/app:1.0", "quay.io/team/app", Some("1.0"), None),
        ("QUAY.io/team/app:1.0", "quay.io/team/app", Some("1.0"), None),
        ("10.0.0.1:5000/a/b/c/d:x", "10.0.0.1:5000/a/b/c/d", Some("x"), None),
        ("[::1]:5000/x", "[::1]:5000/x", None, None),
        ("[2001:db8::1]/x/y:v1", "[2001:db8::1]/x/y", Some("v1"), None),
        ("UPPER/Img:T", "index.docker.io/UPPER/Img", Some("T"), None),
        ("a-b/c.d__e--f", "index.docker.io/a-b/c.d__e--f", None, None),
        (&format!("x@{SHA}"), "index.docker.io/library/x", None, Some(SHA)),
        (&format!("x:1@{SHA}"), "index.docker.io/library/x", Some("1"), Some(SHA)),
        (&format!("h:1/x:1@{sha512}"), "h:1/x", Some("1"), Some(&sha512)),
    ];
    for (text, canonical, tag, digest) in table {
        let image: ImageRef = text.parse().unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(image.name.canonical().as_str(), *canonical, "{text}");
        assert_eq!(image.tag.as_ref().map(Tag::as_str), *tag, "{text}");
        assert_eq!(image.digest.as_ref().map(Digest::as_str), *digest, "{text}");
        assert_eq!(image.to_string(), *text);
        let canonical_again: ImageName = canonical.parse().unwrap();
        assert_eq!(canonical_again.canonical().as_str(), *canonical, "a canonical name is its own");
    }
}

#[test]
fn an_invalid_reference_is_refused_with_the_whole_text() {
    let long_path = "a".repeat(256);
    let long_tag = format!("a:{}", "t".repeat(129));
    let table = [
        "",
        "/",
        "/a",
        "a/",
        "a//b",
        " alpine ",
        "alpine ",
        "a b",
        "a:",
        ":a",
        "a:b:c",
        "a@",
        "@",
        "a@sha256:",
        "a@sha256:",
        &format!("a@{SHA}@{SHA}"),
        &format!("a@:{SHA}"),
        "a:.b",
        "a:-b",
        "..",
        "a/../b",
        "./a",
        "a/.",
        "_a",
        "a_",
        "a___b",
        "a..b",
        "my.org_foo/x",
        "host:/x",
        "host:port/x",
        "host:99999/x",
        "host:1:2/x",
        "[::1/x",
        "[::1]x/y",
        "[nope]/x",
        "-a.b/x",
        "a.-b/x",
        "quay.io/",
        "quay.io:5000",
        "localhost/",
        "é",
        "a:é",
        "a\0b",
        "{{ .Values.image }}",
        &long_path,
        &long_tag,
    ];
    for text in table {
        match text.parse::<ImageRef>() {
            // `quay.io:5000` alone is a name with a tag, as everywhere.
            Ok(image) => assert_eq!((text, image.to_string().as_str()), ("quay.io:5000", "quay.io:5000")),
            Err(e) => assert_eq!(e.text, text),
        }
    }
}

#[test]
fn a_name_has_neither_tag_nor_digest() {
    assert!("a:b".parse::<ImageName>().is_err());
    assert!(format!("a@{SHA}").parse::<ImageName>().is_err());
}

#[test]
fn a_bare_name_stands_for_latest_and_a_digest_for_no_tag() {
    let tag = |text: &str| text.parse::<ImageRef>().unwrap().effective_tag().map(str::to_owned);
    assert_eq!(tag("a"), Some("latest".to_owned()));
    assert_eq!(tag("a:b"), Some("b".to_owned()));
    assert_eq!(tag(&format!("a:b@{SHA}")), Some("b".to_owned()));
    assert_eq!(tag(&format!("a@{SHA}")), None);
}

#[test]
fn texts_are_their_json() {
    let text = format!("quay.io/a/b:c@{SHA}");
    let image: ImageRef = text.parse().unwrap();
    let json = serde_json::to_string(&image).unwrap();
    assert_eq!(json, format!("\"{text}\""));
    assert_eq!(serde_json::from_str::<ImageRef>(&json).unwrap(), image);
    assert!(serde_json::from_str::<ImageRef>("\"a b\"").is_err());
}

fn name() -> impl Strategy<Value = String> {
    let host = prop_oneof![
        Just(String::new()),
        "(localhost|[a-z]{1,5}\\.[a-z]{2,3}|127\\.0\\.0\\.1|\\[::1\\])(:[1-9][0-9]{0,3})?/".prop_map(|s| s),
        "[a-z]{1,5}:[1-9][0-9]{0,3}/".prop_map(|s| s),
    ];
    (host, "[a-zA-Z0-9]{1,4}([._-][a-z0-9]{1,3})?(/[a-z0-9]{1,4}){0,3}").prop_map(|(host, path)| host + &path)
}

proptest! {
    #[test]
    fn printing_gives_back_what_was_written(name in name(), tag in "(:[a-zA-Z0-9_][a-zA-Z0-9._-]{0,9})?", digest: bool) {
        let text = format!("{name}{tag}{}", if digest { format!("@{SHA}") } else { String::new() });
        let image: ImageRef = text.parse().unwrap();
        prop_assert_eq!(image.to_string(), text.as_str());
        prop_assert_eq!(image.name.to_string(), name);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,40}|[a-c:/@.\\[\\]_-]{0,12}") {
        if let Ok(image) = text.parse::<ImageRef>() {
            prop_assert_eq!(image.to_string(), text.as_str());
            prop_assert_eq!(image.name.canonical(), image.name.canonical().as_str().parse::<ImageName>().unwrap().canonical());
        }
        let _ = (text.parse::<Platform>(), text.parse::<Tag>(), text.parse::<Digest>());
    }
}
