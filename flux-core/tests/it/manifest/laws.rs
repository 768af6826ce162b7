//! The laws of edits, tested on random documents.

use std::collections::BTreeMap;

use flux_core::{
    edit::{Edit, EditError, ImageChange, Intent, annotation_edits, apply, image_edits, prove},
    image::ImageRef,
    manifest::ParsedFile,
    workload::parse,
};
use proptest::prelude::*;

/// Returns a Deployment in one of many layouts.
///
/// Its parts are random.
fn document() -> impl Strategy<Value = String> {
    let quote = prop_oneof![Just(""), Just("'"), Just("\"")];
    let comment = prop_oneof![Just(""), Just(" # why: not"), Just("   #")];
    let annotations = prop_oneof![
        Just(String::new()),
        Just("  annotations: {}\n".to_owned()),
        Just("  annotations:\n".to_owned()),
        Just("  annotations: {a: x, \"b\": 'y'}\n".to_owned()),
        Just(
            "  annotations:\n    # about a\n    a: x # why\n    b: |\n      many\n\n      lines\n".to_owned()
        ),
        Just("  annotations:\n      a: 'x'\n\n      b: \"y\"\n".to_owned()),
    ];
    let containers = prop::collection::vec(
        (quote, comment, "[a-z]{1,8}", "v?[0-9]{1,3}(\\.[0-9]{1,2}){0,2}", any::<bool>()),
        1..4,
    );
    (annotations, containers, 0..3_usize, any::<bool>(), any::<bool>(), "[a-x]{2,5}-x").prop_map(
        |(annotations, containers, pad, crlf, bom, name)| {
            let pad = " ".repeat(pad * 2);
            let mut text = format!("# head\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\n{annotations}spec:\n  template:\n    spec:\n      containers:\n");
            for (n, (quote, comment, image, tag, flow)) in containers.iter().enumerate() {
                let image = format!("{quote}{image}:{tag}{quote}");
                text += &if *flow {
                    format!("      {pad}- {{ name: c{n}, image: {image} }}{comment}\n")
                } else {
                    format!("      {pad}- image: {image}{comment}\n      {pad}  name: c{n}\n")
                };
            }
            let text = if crlf { text.replace('\n', "\r\n") } else { text };
            if bom { format!("\u{feff}{text}") } else { text }
        },
    )
}

fn stream() -> impl Strategy<Value = String> {
    prop::collection::vec(document(), 1..4).prop_map(|documents| {
        let bare = documents.iter().map(|d| d.trim_start_matches('\u{feff}'));
        bare.collect::<Vec<_>>().join("---\n")
    })
}

/// Returns the text outside of the edits, which must be the same before and after.
fn surroundings(text: &str, spans: &[(usize, usize)]) -> String {
    let mut out = String::new();
    let mut at = 0;
    for &(start, end) in spans {
        out.push_str(&text[at..start]);
        out.push('\u{0}');
        at = end;
    }
    out + &text[at..]
}

/// Returns text like YAML that is mostly broken.
fn yamlish() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        Just("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n".to_owned()),
        Just("apiVersion: helm.fluxcd.io/v1\nkind: HelmRelease\nmetadata:\n  name: a\n".to_owned()),
        Just(
            "spec:\n  template:\n    spec:\n      containers:\n      - name: a\n        image: a:1\n"
                .to_owned()
        ),
        Just("  annotations: ".to_owned()),
        Just("\n---\n".to_owned()),
        "[-?:,\\[\\]{}#&*!|>'\"%@` \n\r\t~]{1,4}",
        "[a-z0-9]{1,4}",
        Just("&a ".to_owned()),
        Just("*a ".to_owned()),
        Just("<<: ".to_owned()),
        Just("items:\n- ".to_owned()),
        Just("kind: List\n".to_owned()),
        any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(token, 0..24).prop_map(|tokens| tokens.concat())
}

/// The number of ways in which a container can have its image.
const KINDS: usize = 9;

/// Returns a Deployment whose containers have images of their own or share them.
///
/// The second part has the containers whose image can change alone. If its list stands `twice`,
/// none of those that are written in it can.
fn sharing(kinds: &[usize], twice: bool, eol: &str) -> (String, Vec<usize>) {
    let list = if twice { "containers: &all" } else { "containers:" };
    let mut lines = format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec:\n  template:\n    spec:\n      {list}\n"
    );
    let (mut mapping, mut scalar, mut free) = (None, None, Vec::new());
    for (n, kind) in kinds.iter().enumerate() {
        let (line, alone) = match (kind, mapping) {
            (1, _) => (format!("&m{n} {{name: c{n}, image: &a{n} 'x:1'}}"), false),
            (2, Some(_)) => (format!("{{name: c{n}, image: *a{}}}", scalar.unwrap_or_default()), true),
            (3, Some(a)) => (format!("{{<<: *m{a}, name: c{n}}} # why"), true),
            (4, Some(a)) => (format!("name: c{n}\n        <<: *m{a} # why\n        tty: no"), true),
            (5, Some(a)) => {
                (format!("&m{n}\n        <<: [*m{a}, {{image: y:1}}]\n        name: c{n}"), false)
            }
            (6, Some(a)) => (format!("{{<<: *m{a}, name: c{n}, image: 'x:1'}}"), true),
            (7, Some(a)) => (format!("{{image: 'y:1', <<: *m{a}, name: c{n}}}"), false),
            (8, Some(a)) => (format!("*m{a}"), false),
            _ => (format!("{{name: c{n}, image: x:1}}"), true),
        };
        if line.contains("&m") {
            mapping = Some(n);
        }
        if line.contains("&a") {
            scalar = Some(n);
        }
        lines += &format!("      - {line}\n");
        if alone && !twice {
            free.push(n);
        }
    }
    if twice {
        lines += "      initContainers: *all\n";
    }
    (lines.replace('\n', eol), free)
}

/// Checks that edits that were made for a text always fit it.
///
/// They are proven, or would change more than is intended.
fn proven_or_refused(text: &str, edits: &[Edit], intents: &[Intent]) -> Result<(), TestCaseError> {
    match prove(text.as_bytes(), edits, intents) {
        Ok(_) | Err(EditError::NotProven(_)) => Ok(()),
        Err(other) => Err(TestCaseError::fail(format!("{other}: {edits:?}"))),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_edit_changes_no_byte(text in stream()) {
        prop_assert_eq!(apply(text.as_bytes(), &[]).unwrap(), text.as_bytes());
        prop_assert!(prove(text.as_bytes(), &[], &[]).is_ok());
    }

    #[test]
    fn the_difference_is_exactly_the_edit(text in stream(), tag in "v?[0-9]{1,3}(\\.[0-9]{1,2}){0,2}(-rc[0-9])?", pick in any::<prop::sample::Index>()) {
        let file = parse(text.as_bytes());
        prop_assert_eq!(&file.problems, &[]);
        let all: Vec<_> = file.resources.iter().flat_map(|r| r.workload.iter().flatten()).collect();
        let container = pick.get(&all);
        let mut to = container.image.clone().unwrap();
        to.tag = Some(tag.parse().unwrap());
        let (edits, intents): (Vec<_>, Vec<_>) = container.edits(&to).unwrap().into_iter().unzip();
        let edited = String::from_utf8(prove(text.as_bytes(), &edits, &intents).unwrap()).unwrap();
        let old: Vec<_> = edits.iter().map(|e| (e.start, e.end)).collect();
        let new: Vec<_> = edits.iter().map(|e| (e.start, e.start + e.after.len())).collect();
        prop_assert_eq!(surroundings(&text, &old), surroundings(&edited, &new));
        prop_assert_eq!(edited.lines().count(), text.lines().count());
        let after = parse(edited.as_bytes());
        let found = after.resources[container.resource].workload.iter().flatten().find(|c| c.name == container.name).unwrap();
        prop_assert_eq!(found.image.as_ref().unwrap(), &to);
    }

    #[test]
    fn annotations_come_and_go_and_leave_the_rest(text in stream(), value in "\\PC{0,12}", pick in any::<prop::sample::Index>()) {
        let index = pick.index(parse(text.as_bytes()).resources.len());
        let change = |key: &str, value: Option<&str>| BTreeMap::from([(key.to_owned(), value.map(str::to_owned))]);
        let (edits, intents) = annotation_edits(text.as_bytes(), index, &change("fluxcd.io/new", Some(&value))).unwrap();
        let with = prove(text.as_bytes(), &edits, &intents).unwrap();
        let read = parse(&with);
        prop_assert_eq!(&read.resources[index].annotations.get("fluxcd.io/new").unwrap().value, &value);
        let (edits, intents) = annotation_edits(&with, index, &change("fluxcd.io/new", None)).unwrap();
        let without = String::from_utf8(prove(&with, &edits, &intents).unwrap()).unwrap();
        let before = parse(text.as_bytes()).resources[index].annotations.clone();
        let values = |all: &flux_core::manifest::Annotations| all.iter().map(|(k, a)| (k.to_owned(), a.value.clone())).collect::<Vec<_>>();
        prop_assert_eq!(values(&parse(without.as_bytes()).resources[index].annotations), values(&before));
        if before.iter().next().is_some() {
            prop_assert_eq!(without, text, "what was added is what is removed");
        }
    }

    #[test]
    fn any_bytes_give_a_result(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        parse(&bytes);
    }

    #[test]
    fn any_text_gives_a_result_that_can_be_stored(text in yamlish()) {
        let file = parse(text.as_bytes());
        let stored = serde_json::to_string(&file).unwrap();
        prop_assert_eq!(serde_json::from_str::<ParsedFile>(&stored).unwrap(), file);
    }

    #[test]
    fn an_edit_of_any_text_is_proven_or_refused(text in yamlish(), value in "\\PC{0,6}") {
        let file = parse(text.as_bytes());
        for (index, resource) in file.resources.iter().enumerate() {
            for change in [Some(value.clone()), None] {
                if let Ok((edits, intents)) = annotation_edits(text.as_bytes(), index, &BTreeMap::from([("a".to_owned(), change)])) {
                    proven_or_refused(&text, &edits, &intents)?;
                }
            }
            for container in resource.workload.iter().flatten() {
                let Ok(image) = &container.image else { continue };
                let mut to = image.clone();
                to.tag = Some("1.20".parse().unwrap());
                if let Ok(edits) = container.edits(&to) {
                    let (edits, intents): (Vec<_>, Vec<_>) = edits.into_iter().unzip();
                    proven_or_refused(&text, &edits, &intents)?;
                }
            }
        }
    }

    #[test]
    fn of_shared_images_exactly_the_intended_ones_change(
        kinds in prop::collection::vec(0..KINDS, 1..7),
        twice in prop::bool::weighted(0.2),
        tags in prop::collection::vec(prop::option::weighted(0.8, 2..4_u32), 14),
        crlf in any::<bool>(),
    ) {
        let (text, free) = sharing(&kinds, twice, if crlf { "\r\n" } else { "\n" });
        let file = parse(text.as_bytes());
        prop_assert_eq!(&file.problems, &[]);
        let containers = file.resources[0].workload.as_ref().unwrap();
        let targets: Vec<(usize, ImageRef)> = (0..containers.len())
            .filter_map(|n| Some((n, format!("x:{}", tags[n]?).parse().unwrap())))
            .collect();
        let path = "a.yaml".parse().unwrap();
        let changes: Vec<_> =
            targets.iter().map(|(n, to)| ImageChange { path: &path, container: &containers[*n], to }).collect();
        let answers = image_edits(&changes);
        // An object changes as a whole or not at all.
        prop_assert!(answers.iter().all(Result::is_ok) || answers.iter().all(Result::is_err));
        let mut wanted: Vec<String> = vec!["x:1".to_owned(); containers.len()];
        let (mut edits, mut intents) = (Vec::new(), Vec::new());
        for ((n, to), answer) in targets.iter().zip(&answers) {
            for placed in answer.iter().flatten() {
                edits.push(placed.edit.clone());
                intents.push(placed.intent.clone());
                wanted[*n] = to.to_string();
            }
        }
        let edited = prove(text.as_bytes(), &edits, &intents).unwrap();
        let after = parse(&edited);
        let images: Vec<String> =
            after.resources[0].workload.iter().flatten().map(|c| c.image.as_ref().unwrap().to_string()).collect();
        prop_assert_eq!(images, wanted);
        // When all change to the same, nothing stands in the way, and a shared scalar is written
        // once.
        if targets.len() == containers.len() && targets.iter().all(|(_, to)| *to == targets[0].1) {
            prop_assert!(answers.iter().all(Result::is_ok));
            let kept = |text: &str| text.matches('*').count();
            prop_assert_eq!(kept(&text), kept(&String::from_utf8(edited).unwrap()));
        }
        // A container that has its image by an alias, or inherits it for itself, changes alone.
        if !targets.is_empty() && targets.iter().all(|(n, _)| free.contains(n)) {
            prop_assert!(answers.iter().all(Result::is_ok), "{:?} of {}", answers, text);
        }
    }
}
