//! Images in the values of a HelmRelease, by v1's conventions.

use flux_core::{Code, workload::parse};

use super::{containers, images, problems, set_images};

fn release(annotations: &str, values: &str) -> String {
    let values: String = values.lines().map(|line| format!("    {line}\n")).collect();
    format!(
        "apiVersion: helm.fluxcd.io/v1\nkind: HelmRelease\nmetadata:\n  name: r\n  annotations: {{{annotations}}}\nspec:\n  values:\n{values}"
    )
}

fn found(annotations: &str, values: &str) -> Vec<(String, String)> {
    images(&containers(&release(annotations, values)))
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(name, image)| ((*name).to_owned(), (*image).to_owned())).collect()
}

#[test]
fn each_convention_is_read_and_written_where_it_stands() {
    let table = [
        ("image: a/b:1", "a/b:1", "a/b:2", "image: a/b:2"),
        ("image: a/b\ntag: v1", "a/b:v1", "a/b:2", "image: a/b\ntag: \"2\""),
        ("image: b\ntag: v1\nregistry: r.io", "r.io/b:v1", "r.io/b:v2", "image: b\ntag: v2\nregistry: r.io"),
        ("image: {repository: a/b}", "a/b", "a/b:v2", "image: {repository: a/b:v2}"),
        ("image: {repository: a/b:v1}", "a/b:v1", "a/b:v2", "image: {repository: a/b:v2}"),
        ("image: {repository: a/b, tag: '1'}", "a/b:1", "a/b:2", "image: {repository: a/b, tag: '2'}"),
        (
            "image: {registry: r.io, repository: b:v1}",
            "r.io/b:v1",
            "r.io/b:v2",
            "image: {registry: r.io, repository: b:v2}",
        ),
        (
            "image: {registry: r.io, repository: b, tag: v1}",
            "r.io/b:v1",
            "q.io/c:v2",
            "image: {registry: q.io, repository: c, tag: v2}",
        ),
        (
            "image: {registry: r.io/team, repository: b, tag: v1}",
            "r.io/team/b:v1",
            "r.io/team/c:v2",
            "image: {registry: r.io/team, repository: c, tag: v2}",
        ),
        (
            "image: {registry: r.io/team, repository: b, tag: v1}",
            "r.io/team/b:v1",
            "r.io/other/b:v2",
            "image: {registry: r.io, repository: other/b, tag: v2}",
        ),
        (
            "image: {repository: a/b, tag: 1.20}",
            "a/b:1.20",
            "a/b:1.21",
            "image: {repository: a/b, tag: \"1.21\"}",
        ),
    ];
    for (values, image, to, after) in table {
        assert_eq!(found("", values), pairs(&[("chart-image", image)]), "{values}");
        let edited = set_images(&release("", values), &[("chart-image", to)]).unwrap();
        assert_eq!(edited, release("", after), "{values}");
        assert_eq!(images(&containers(&edited)), pairs(&[("chart-image", to)]), "{values}");
    }
}

#[test]
fn a_digest_has_its_own_place_or_follows_the_tag() {
    let (old, new) = (format!("sha256:{}", "a".repeat(64)), format!("sha256:{}", "b".repeat(64)));
    let values = format!("image: {{repository: a, tag: v1, digest: '{old}'}}");
    assert_eq!(found("", &values), pairs(&[("chart-image", &format!("a:v1@{old}"))]));
    let edited = set_images(&release("", &values), &[("chart-image", &format!("a:v2@{new}"))]).unwrap();
    assert_eq!(edited, release("", &values.replace("v1", "v2").replace(&old, &new)));
    let without = set_images(&release("", &values), &[("chart-image", "a:v2")]).unwrap();
    assert_eq!(without, release("", "image: {repository: a, tag: v2, digest: ''}"));

    let values = format!("image: {{repository: a, tag: v1@{old}}}");
    assert_eq!(found("", &values), pairs(&[("chart-image", &format!("a:v1@{old}"))]));
    let edited = set_images(&release("", &values), &[("chart-image", &format!("a:v2@{new}"))]).unwrap();
    assert_eq!(edited, release("", &format!("image: {{repository: a, tag: v2@{new}}}")));
}

#[test]
fn levels_are_the_values_and_the_mappings_in_them() {
    let values = "web: {image: w:1}\nimage: top:1\ndb: {image: {repository: d, tag: v1}}\ndeep: {er: {image: deep:1}}\nlist: [{image: no:1}]";
    assert_eq!(
        found("", values),
        pairs(&[("chart-image", "top:1"), ("db", "d:v1"), ("deep.er", "deep:1"), ("web", "w:1")])
    );
    assert_eq!(found("", "chart-image: {image: a:1}\nimage: b:1"), pairs(&[("chart-image", "a:1")]));
}

#[test]
fn what_the_chart_decides_is_not_detected() {
    for values in [
        "image: {tag: v1}",
        "image: ''",
        "image:",
        "image: {repository: a, tag: ''}",
        "image: {repository: a, registry: '', tag: v1}",
        "image: {repository: 3}",
        "image: [a]",
        "a: b",
        "{}",
    ] {
        assert_eq!(found("", values), [], "{values}");
    }
    let no_values =
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: r}\nspec: {}\n";
    assert_eq!(images(&containers(no_values)), []);
}

#[test]
fn annotations_name_deeper_places() {
    let annotations = "repository.fluxcd.io/app: a.b.repo, tag.fluxcd.io/app: a.b.version, registry.fluxcd.io/app: global.registry";
    let values = "a: {b: {repo: team/x, version: v1}}\nglobal: {registry: r.io}";
    assert_eq!(found(annotations, values), pairs(&[("app", "r.io/team/x:v1")]));
    let edited = set_images(&release(annotations, values), &[("app", "r.io/team/x:v2")]).unwrap();
    assert_eq!(edited, release(annotations, &values.replace("v1", "v2")));
}

#[test]
fn an_annotation_replaces_what_is_detected_under_its_name() {
    let values = "web: {image: w:1, other: o:1}";
    assert_eq!(found("repository.fluxcd.io/web: web.other", values), pairs(&[("web", "o:1")]));
    assert_eq!(
        found("repository.fluxcd.io/app: web.other", values),
        pairs(&[("app", "o:1"), ("web", "w:1")])
    );
}

#[test]
fn an_annotation_that_names_nothing_is_reported() {
    let file = parse(release("repository.fluxcd.io/app: no.where", "a: b").as_bytes());
    assert_eq!(problems(&file), [(Code::InvalidWorkload, 5, 43)]);
}

#[test]
fn a_tag_cannot_be_taken_from_its_place() {
    let source = release("", "image: {repository: a, tag: v1}");
    let error = set_images(&source, &[("chart-image", "a")]).unwrap_err().to_string();
    assert!(error.contains("has no tag"), "{error}");
}

#[test]
fn deep_down_only_what_is_surely_an_image_is_one() {
    let table = [
        ("a: {b: {image: x/y:1}}", Some(("a.b", "x/y:1"))),
        ("a: {b: {image: x, tag: 1.20}}", Some(("a.b", "x:1.20"))),
        ("a: {b: {c: {image: {repository: x}}}}", Some(("a.b.c", "x"))),
        ("a: {b: {image: {registry: r.io, repository: x, tag: v1}}}", Some(("a.b", "r.io/x:v1"))),
        ("a: {b: {image: logo.png}}", None),
        ("a: {b: {image: 'http://x/y:1'}}", None),
        ("a: {b: {image: {repository: x, tag: ''}}}", None),
        ("a: {b: [{image: x:1}]}", None),
    ];
    for (values, image) in table {
        assert_eq!(found("", values), pairs(image.as_slice()), "{values}");
        assert_eq!(parse(release("", values).as_bytes()).problems, [], "{values}");
    }
    let values = "a: {b: {image: {repository: x, tag: 1.20}}}";
    let edited = set_images(&release("", values), &[("a.b", "x:1.21")]).unwrap();
    assert_eq!(edited, release("", "a: {b: {image: {repository: x, tag: \"1.21\"}}}"));
}

#[test]
fn what_an_annotation_names_deep_down_is_not_found_twice() {
    let annotations = "repository.fluxcd.io/app: a.b.image.repository, tag.fluxcd.io/app: a.b.image.tag";
    let values = "a: {b: {image: {repository: x, tag: v1}}, c: {image: y:1}}";
    assert_eq!(found(annotations, values), pairs(&[("a.c", "y:1"), ("app", "x:v1")]));
}
