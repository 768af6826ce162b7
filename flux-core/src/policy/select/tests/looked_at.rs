//! Rules on what is known of images: artifacts, looks before a choice, and dates.

use super::*;

#[test]
fn artifacts_are_never_candidates() {
    let dated = [("a", D(1)), ("b", D(2)), ("chart", Artifact), (SIGNATURE, NotAsked), (REFERRERS, D(9))];
    assert_eq!(case("glob:*", "web:a", &dated).word(), ">b");
    assert_eq!(case("alpha:", "web:a", &dated).word(), ">b");
    let numbered = [("1.0.0", Built(None)), ("1.1.0", Built(None)), ("2.0.0", Artifact)];
    assert_eq!(case("semver:*", "web:1.0.0", &numbered).word(), ">1.1.0");
    let none = [("chart", Artifact), (SIGNATURE, NotAsked)];
    assert_eq!(case("glob:*", "web:1", &none).incomplete().word(), "?");
    assert_eq!(case("semver:*", "web:main", &none).word(), "-");
    // What runs is an artifact by its name: every image may take its place.
    assert_eq!(case("alpha:", &format!("web:{SIGNATURE}"), &dated).word(), ">b");
    assert_eq!(case("glob:*", &format!("web:{SIGNATURE}"), &dated).word(), ">b");
}

#[test]
fn what_would_be_chosen_is_looked_at_first_whatever_the_order() {
    for pattern in ["semver:*", "numeric:", "alpha:", r"regexp:(?P<order>\d)", "glob:3"] {
        let tags = if pattern == "glob:3" { &["3"][..] } else { &["1", "2", "3"] };
        let ask = vec!["3".parse().unwrap()];
        let case = case(pattern, "web:1", &not_asked(tags));
        assert_eq!(
            case.choice(),
            Choice::Undecided(Missing::Images { ask, unreadable: Vec::new() }),
            "{pattern}"
        );
    }
    assert_eq!(case("semver:*", "web:2", &not_asked(&["1", "2"])).word(), "=2", "what runs is not looked at");
    let unreadable = [("1", NotAsked), ("2", Built(None)), ("3", Unreadable)];
    assert_eq!(case("semver:*", "web:1", &unreadable).word(), "?", "and nothing lower is chosen");
}

#[test]
fn a_long_row_of_artifacts_is_passed_in_few_rounds() {
    let names: Vec<String> = (1..=200).map(|n| n.to_string()).collect();
    let mut case = case("semver:*", "web:3", &[]);
    case.tags = names.iter().map(|name| (name.clone(), NotAsked)).collect();
    let (mut rounds, mut asked) = (0, 0);
    while let Choice::Undecided(Missing::Images { ask, .. }) = case.choice() {
        rounds += 1;
        asked += ask.len();
        for (tag, answer) in case.tags.iter_mut().filter(|(tag, _)| ask.iter().any(|a| a.as_str() == tag)) {
            *answer = if tag.parse::<u8>().unwrap() > 100 { Artifact } else { Built(None) };
        }
    }
    assert_eq!(case.word(), ">100");
    assert!(rounds <= 9 && asked <= 200, "{rounds} rounds, {asked} tags");
    // None is left but what runs, and nothing older is asked for.
    case.tags.retain(|(tag, _)| tag.parse::<u8>().unwrap() > 100 || ["1", "2", "3"].contains(&tag.as_str()));
    assert_eq!(case.word(), "=3");
}

#[test]
fn a_tag_asked_for_by_name_must_be_an_image() {
    let tags = [
        ("1", D(1)),
        ("2", Gone),
        ("3", NotAsked),
        ("4", Unreadable),
        ("5", Artifact),
        (SIGNATURE, NotAsked),
    ];
    let case = case("semver:~9", "web:2", &tags).by_hand();
    let word = |tag: &str| {
        case.ask(|q| match unrunnable(q, &tag.parse().unwrap()) {
            Ok(None) => "an image".to_owned(),
            Ok(Some(rejection)) => rejection.rule.as_str().to_owned(),
            Err(Missing::Images { ask, .. }) => format!("ask {}", ask.len()),
            Err(missing) => missing.to_string(),
        })
    };
    let words = ["1", "2", "3", "4", "5", SIGNATURE].map(word);
    assert_eq!(words, ["an image", "image-gone", "ask 1", "ask 0", "not-an-image", "ask 1"]);
}

#[test]
fn an_image_is_as_young_as_the_later_of_its_dates() {
    let word = |built: Option<i64>, seen: Option<i64>| {
        let info = ImageInfo {
            created: built.map(day),
            first_seen: seen.map(day),
            digest: Some(digest_of("2")),
            ..ImageInfo::default()
        };
        let (one, two): (Tag, Tag) = ("1".parse().unwrap(), "2".parse().unwrap());
        let tags =
            [Tagged { tag: &one, seen: Seen::NotAsked }, Tagged { tag: &two, seen: Seen::Known(&info) }];
        let guards = Guards { min_age: Some(SignedDuration::from_hours(48)), ..Guards::default() };
        let pattern: TagPattern = "semver:*".parse().unwrap();
        let candidates = CandidateSet::new(pattern, Listing::new(tags, true), Dates::at(day(100)));
        let input = SelectionInput {
            candidates: &candidates,
            current: &"web:1".parse().unwrap(),
            guards: &guards,
            newer_than: None,
            automatic: true,
        };
        match choose(&input) {
            Choice::Update { tag, .. } => tag.to_string(),
            Choice::Keep { held: Some((_, rejection)), .. } => rejection.to_string(),
            choice => format!("{choice:?}"),
        }
    };
    assert_eq!(word(Some(90), Some(98)), "2");
    assert_eq!(word(Some(90), None), "2");
    assert_eq!(word(None, Some(90)), "2", "nobody chose when it was first seen");
    assert!(
        word(Some(90), Some(99)).starts_with("2 was first seen at 2026-04-10"),
        "{}",
        word(Some(90), Some(99))
    );
    assert!(word(Some(99), Some(90)).starts_with("2 was built at 2026-04-10"));
    assert!(word(Some(101), Some(90)) == "2", "a date in the future is none");
    assert!(word(None, None).contains("it carries no date"));
}
