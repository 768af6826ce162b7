//! Images by merge keys: written once for all that have them, or beside the `<<` of the one that
//! changes.

use std::fmt::Write as _;

use flux_core::{
    edit::{EditError, ImageChange, image_edits, prove},
    manifest::Container,
    workload::parse,
};

/// Sets the images of containers, by their numbers all over the file, as one set.
fn set(text: &str, changes: &[(usize, &str)]) -> Result<String, String> {
    let file = parse(text.as_bytes());
    assert_eq!(file.problems, [], "{text}");
    let all: Vec<&Container> = file.resources.iter().flat_map(|r| r.workload.iter().flatten()).collect();
    let targets: Vec<_> = changes.iter().map(|(_, to)| to.parse().unwrap()).collect();
    let path = "a.yaml".parse().unwrap();
    let change = |(&(n, _), to): (&(usize, &str), _)| ImageChange { path: &path, container: all[n], to };
    let changes: Vec<_> = changes.iter().zip(&targets).map(change).collect();
    let answers = image_edits(&changes);
    let refused = answers.iter().filter_map(|answer| answer.as_ref().err());
    if let Some(error) = refused.min_by_key(|error| matches!(error, EditError::NotAlone)) {
        return Err(error.to_string());
    }
    let edits = answers.into_iter().flat_map(Result::unwrap);
    let (edits, intents): (Vec<_>, Vec<_>) = edits.map(|placed| (placed.edit, placed.intent)).unzip();
    let edited = prove(text.as_bytes(), &edits, &intents).map_err(|e| e.to_string())?;
    Ok(String::from_utf8(edited).unwrap())
}

fn pod(containers: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec:\n  template:\n    spec:\n      {containers}\n"
    )
}

#[test]
fn a_value_that_all_share_is_written_once_however_they_share_it() {
    let table = [
        ("an alias", "containers: [{name: a, image: &i x:1}, {name: b, image: *i}]", 2),
        ("a container that stands twice", "containers: [&c {name: a, image: x:1}, *c]", 2),
        ("a list that stands twice", "containers: &c [{name: a, image: x:1}]\n      initContainers: *c", 2),
        ("a merge", "containers: [&c {name: a, image: x:1}, {<<: *c, name: b}]", 2),
        (
            "a merge of a merge",
            "containers: [&c {name: a, image: x:1}, &d {<<: *c, name: b}, {<<: *d, name: c}]",
            3,
        ),
        (
            "a merge of several",
            "containers: [&c {name: a, image: x:1}, &d {name: b, image: x:1}, {<<: [*d, *c], name: c}, {name: d, <<: *c}]",
            4,
        ),
        (
            "a merge of an alias",
            "containers: [{name: a, image: &i x:1}, &c {name: b, image: *i}, {<<: *c, name: c}]",
            3,
        ),
        (
            "a merge that one overrides",
            "containers: [&c {name: a, image: x:1}, {<<: *c, name: b}, {<<: *c, name: c, image: x:1}]",
            3,
        ),
        (
            "a merge that overrides",
            "containers: [&c {name: a, image: x:1}, {name: b, image: x:0, <<: *c}]",
            2,
        ),
        (
            "lists that stand twice and merge",
            "containers: &c [&d {name: a, image: x:1}, {<<: *d, name: b}]\n      initContainers: *c",
            4,
        ),
    ];
    for (what, containers, count) in table {
        let all: Vec<_> = (0..count).map(|n| (n, "x:2")).collect();
        let edited = set(&pod(containers), &all).unwrap_or_else(|e| panic!("{what}: {e}"));
        assert_eq!(edited, pod(&containers.replace("x:1", "x:2")), "{what}");
    }
}

#[test]
fn a_pod_that_two_objects_of_a_list_have_is_edited_for_both() {
    let list = |image: &str| {
        format!(
            "apiVersion: v1\nkind: List\nitems:\n- apiVersion: apps/v1\n  kind: Deployment\n  metadata: {{name: one}}\n  spec:\n    template: &t\n      spec:\n        containers:\n        - name: c\n          image: {image}\n- apiVersion: apps/v1\n  kind: Deployment\n  metadata: {{name: two}}\n  spec:\n    template: *t\n"
        )
    };
    assert_eq!(set(&list("x:1"), &[(0, "x:2"), (1, "x:2")]).unwrap(), list("x:2"));
    for one in [0, 1] {
        let error = set(&list("x:1"), &[(one, "x:2")]).unwrap_err();
        assert!(error.contains("anchor `&t` of line 8") && error.contains("where `*t` stands"), "{error}");
    }
}

/// A container `b` that takes its image from `a`, and what it becomes when it alone changes to
/// `x:2`.
const ALONE: [(&str, &str); 15] = [
    ("- {<<: *c, name: b}", "- {<<: *c, image: x:2, name: b}"),
    ("- {name: b, <<: *c}", "- {name: b, <<: *c, image: x:2}"),
    ("- { name: b,<<: *c }", "- { name: b,<<: *c,image: x:2 }"),
    ("- {\"name\": \"b\", <<: *c}", "- {\"name\": \"b\", <<: *c, \"image\": \"x:2\"}"),
    ("- {<<: [*c, {tty: true}], name: b} # b", "- {<<: [*c, {tty: true}], image: x:2, name: b} # b"),
    ("- {\n    <<: *c,\n    name: b,\n  }", "- {\n    <<: *c,\n    image: x:2,\n    name: b,\n  }"),
    ("- <<: *c\n  name: b", "- <<: *c\n  image: x:2\n  name: b"),
    ("- name: b\n  <<: *c", "- name: b\n  <<: *c\n  image: x:2"),
    (
        "-   name: b\n    <<: *c # as a\n    # end",
        "-   name: b\n    <<: *c # as a\n    image: x:2\n    # end",
    ),
    (
        "- name: b\n  <<:\n  - *c\n  - {tty: true}\n  tty: no",
        "- name: b\n  <<:\n  - *c\n  - {tty: true}\n  image: x:2\n  tty: no",
    ),
    ("- name: b\n  <<:\n    *c\n  tty: no", "- name: b\n  <<:\n    *c\n  image: x:2\n  tty: no"),
    (
        "- ? name\n  : b\n  ? <<\n  : *c\n  ? tty\n  : no",
        "- ? name\n  : b\n  ? <<\n  : *c\n  image: x:2\n  ? tty\n  : no",
    ),
    ("- !!merge <<: *c\n  name: b", "- !!merge <<: *c\n  image: x:2\n  name: b"),
    ("-\n        <<: *c\n        name: b", "-\n        <<: *c\n        image: x:2\n        name: b"),
    ("- &unused\n  <<: *c\n  name: b", "- &unused\n  <<: *c\n  image: x:2\n  name: b"),
];

#[test]
fn an_inherited_value_becomes_a_key_of_its_own() {
    for (before, after) in ALONE {
        for (start, end, eol) in
            [("", "\n- name: z\n  image: z:1\n", "\n"), ("", "\n", "\r\n"), ("\u{feff}", "", "\n")]
        {
            let text = |b: &str| {
                let list = format!("containers:\n- &c {{name: a, image: 'x:1'}}\n{b}{end}")
                    .replace('\n', "\n      ");
                format!("{start}{}", pod(&list).trim_end_matches([' ', '\n']).replace('\n', eol))
            };
            assert_eq!(set(&text(before), &[(1, "x:2")]).as_deref(), Ok(&*text(after)));
        }
    }
}

#[test]
fn the_anchor_stays_for_those_that_keep_it() {
    let text = pod(
        "containers: [&c {name: a, image: x:1}, &d {<<: *c, name: b}, {<<: *d, name: c}, {<<: *c, name: d}]",
    );
    let d = |image| text.replace("{<<: *c, name: d}", &format!("{{<<: *c, image: {image}, name: d}}"));
    assert_eq!(set(&text, &[(3, "x:2")]).unwrap(), d("x:2"));
    let both = d("x:3").replace("{<<: *d, name: c}", "{<<: *d, image: x:2, name: c}");
    assert_eq!(set(&text, &[(2, "x:2"), (3, "x:3")]).unwrap(), both);
    for (changes, why) in [
        (&[(0, "x:2")][..], "anchor `&c` of line 7"),
        (&[(1, "x:2")], "anchor `&d` of line 7"),
        (&[(0, "x:2"), (1, "x:3"), (2, "x:4"), (3, "x:5")], "release all that use it together"),
    ] {
        let error = set(&text, changes).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
    // A container that leaves gets a key of its own; one without another scalar goes with the
    // anchor.
    let edited = set(&text, &[(0, "x:2"), (1, "x:2"), (2, "x:2"), (3, "x:5")]).unwrap();
    assert_eq!(edited, d("x:5").replace("image: x:1", "image: x:2"));
}

#[test]
fn an_image_that_no_other_has_is_written_where_it_stands() {
    let table = [
        "containers: [&c {name: a, image: x:1}, {<<: *c, name: b, image: y:1}]",
        "containers: [{<<: {image: x:1}, name: a}]",
        "containers: [{<<: [{image: x:1}], name: a, env: &e []}, {name: b, image: y:1, env: *e}]",
    ];
    for containers in table {
        assert_eq!(set(&pod(containers), &[(0, "x:2")]).unwrap(), pod(&containers.replace("x:1", "x:2")));
    }
}

#[test]
fn values_of_a_release_inherit_parts_of_images() {
    let release = |api: &str| {
        format!(
            "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {{name: r}}\nspec:\n  values:\n    web: &web\n      registry: quay.io\n      image: team/web\n      tag: 1.2\n    api:\n      <<: *web\n{api}"
        )
    };
    let text = release("      replicas: 2\n");
    let set = |to| set(&text, &[(0, to)]).unwrap();
    assert_eq!(set("quay.io/team/web:1.20"), release("      tag: \"1.20\"\n      replicas: 2\n"));
    assert_eq!(set("quay.io/team/web:v2"), release("      tag: v2\n      replicas: 2\n"));
    // Several parts at once stand one behind the other.
    let edited = set("ghcr.io/team/api:v2");
    let mut keys: Vec<&str> = edited.lines().skip_while(|line| !line.contains("<<")).skip(1).collect();
    keys.sort_unstable();
    assert_eq!(
        keys,
        ["      image: team/api", "      registry: ghcr.io", "      replicas: 2", "      tag: v2"]
    );
}

#[test]
fn an_entry_of_a_kustomization_inherits_its_tag() {
    let deployment =
        |name: &str| pod(&format!("containers: [{{name: c, image: {name}:1}}]")).replace("web", name);
    let images = |two: &str| {
        format!("resources: [one.yaml, two.yaml]\nimages:\n- &one\n  name: one\n  newTag: v1\n{two}")
    };
    let (one, two) = (deployment("one"), deployment("two"));
    let text = images("- <<: *one\n  name: two\n");
    let files = [("kustomization.yaml", &*text), ("one.yaml", &*one), ("two.yaml", &*two)];
    let edited = super::set_together(&files, &[("default:deployment/two c", "two:v2")]).unwrap();
    assert_eq!(edited["kustomization.yaml"], images("- <<: *one\n  newTag: v2\n  name: two\n"));
}

#[test]
fn a_mapping_that_merges_very_much_is_read_in_time() {
    // Thousands of inherited scalars on one line: each search for a neighbour's style is short.
    let mut text =
        "apiVersion: example.com/v1\nkind: Odd\nmetadata: {name: a}\nspec:\n  base: &b {".to_owned();
    for n in 0..4_000 {
        write!(text, "k{n}: v{n}, ").unwrap();
    }
    let blanks = " ".repeat(1 << 20);
    write!(text, "}}\n  all: {{<<: *b,{blanks}a: b,{blanks}c: d}}\n  more:\n    <<: *b #{blanks}\n").unwrap();
    let file = parse(text.as_bytes());
    assert_eq!(file.problems, []);
    assert!(serde_json::to_string(&file).unwrap().len() < 64 * text.len());
}
