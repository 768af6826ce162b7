//! The rules by which a tag is chosen, one by one.

use super::*;

#[test]
fn by_date_the_newest_build_that_the_pattern_takes_is_chosen() {
    let tags = [("a", D(1)), ("b", D(3)), ("c", D(2)), ("latest", D(9)), ("dev-1", D(8))];
    let table = [
        ("glob:*", "web:a", ">dev-1"),
        ("glob:?", "web:a", "-"),
        ("regexp:^.$", "web:a", ">b"),
        ("regexp:^.$", "web:b", "=b"),
        ("glob:dev-*", "web:a", ">dev-1"),
        ("glob:latest", "web:a", ">latest"),
        ("latest", "web:latest", "=latest"),
        ("glob:Latest", "web:a", "-"),
        ("regexp:^latest$", "web:a", "-"),
        ("glob:none-*", "web:a", "-"),
        ("glob:c", "web:a", ">c"),
    ];
    for (pattern, current, expected) in table {
        assert_eq!(case(pattern, current, &tags).word(), expected, "{pattern} {current}");
    }
}

#[test]
fn in_the_launch_post_the_commit_wins_over_the_names_pushed_in_the_same_minute() {
    let tags =
        [("snapshot", D(9)), ("latest", D(9)), ("7f511af2", D(9)), ("16007ddd", D(8)), ("0.2.0", D(1))];
    assert_eq!(case("glob:*", "weaveworksdemos/front-end:0.2.0", &tags).word(), ">7f511af2");
    assert_eq!(case("glob:*", "weaveworksdemos/front-end:snapshot", &tags).word(), "=snapshot");
}

#[test]
fn by_version_number_and_text_names_are_enough() {
    let tags = names(&[
        "1.2.3",
        "v1.10.0",
        "2.0.0-rc.1",
        "20260101",
        "latest",
        "1234e56",
        "NaN",
        "main-9",
        "main-10",
    ]);
    let table = [
        ("semver:~1", "web:1.2.3", ">v1.10.0"),
        ("semver:~1", "web:v1.2.3", ">v1.10.0"),
        ("semver:*", "web:1.2.3", ">20260101"),
        ("semver-strict:*", "web:1.2.3", ">v1.10.0"),
        ("semver-strict:>=1-0", "web:1.2.3", ">2.0.0-rc.1"),
        ("semver-strict:", "web:20990101", ">v1.10.0"),
        ("semver-strict:", "web:v2", "=v2"),
        ("numeric:", "web:1", ">20260101"),
        ("numeric:main-*", "web:main-1", ">main-10"),
        ("alpha:main-*", "web:main-1", ">main-9"),
        ("alpha:", "web:1", ">v1.10.0"),
        (r"regexp:^main-(?P<order>\d+)$", "web:main-1", ">main-10"),
        (r"regexp:^(main-)?(?<order>.*)$", "web:1", ">20260101"),
    ];
    for (pattern, current, expected) in table {
        assert_eq!(case(pattern, current, &tags).word(), expected, "{pattern} {current}");
    }
}

#[test]
fn automation_never_goes_down_and_a_person_may() {
    let dated = [("prod-1", D(1)), ("prod-2", D(2)), ("dev-9", D(9))];
    let named = names(&["1.0.0", "1.5.0", "2.0.0"]);
    // Pattern, current, tags, by automation, when downgrades are allowed, by hand.
    let table: [(_, _, &[(&str, Answer)], _, _, _); 13] = [
        ("semver:~1", "web:2.0.0", &named, "=2.0.0", ">1.5.0", ">1.5.0"),
        ("semver:~1", "web:1.9.0", &named, "=1.9.0", ">1.5.0", ">1.5.0"),
        ("semver:~1", "web:1.5", &named, "=1.5", "=1.5", "=1.5"),
        ("semver:~1", "web:latest", &named, ">1.5.0", ">1.5.0", ">1.5.0"),
        ("semver:~1", "web", &named, ">1.5.0", ">1.5.0", ">1.5.0"),
        ("semver:~1", "web:main", &named, ">1.5.0", ">1.5.0", ">1.5.0"),
        ("alpha:1.*", "web:zzz", &named, "=zzz", ">1.5.0", ">1.5.0"),
        ("alpha:1.*", "web:latest", &named, ">1.5.0", ">1.5.0", ">1.5.0"),
        // By date only what the pattern takes is compared: a pattern that was changed takes effect
        // at once.
        ("glob:prod-*", "web:dev-9", &dated, ">prod-2", ">prod-2", ">prod-2"),
        ("glob:*", "web:dev-9", &dated, "=dev-9", "=dev-9", "=dev-9"),
        // The running tag is gone from the registry, so its date is not known.
        ("glob:prod-*", "web:prod-3", &dated, "?", ">prod-2", ">prod-2"),
        ("glob:*", "web:dev-10", &dated, "?", ">dev-9", ">dev-9"),
        ("numeric:2*", "web:3", &[("2", Built(None)), ("20", Built(None))], ">20", ">20", ">20"),
    ];
    for (pattern, current, tags, automatic, allowed, by_hand) in table {
        let case = case(pattern, current, tags);
        assert_eq!(case.word(), automatic, "{pattern} {current}");
        assert_eq!(case.clone().guarded(|g| g.allow_downgrade = true).word(), allowed, "{pattern} {current}");
        assert_eq!(case.by_hand().word(), by_hand, "{pattern} {current}");
    }
    assert_eq!(
        case("semver:~1", "web:2.0.0", &named).held_back(),
        Some(("1.5.0".to_owned(), Rule::Downgrade))
    );
    assert_eq!(case("semver:*", "web:2.0.0", &named).held_back(), None);
}

#[test]
fn equal_rank_never_rewrites() {
    let table = [
        ("semver:*", "web:1.2.3", names(&["v1.2.3", "1.2.3"])),
        ("semver:*", "web:v1.2.3", names(&["v1.2.3", "1.2.3"])),
        ("semver:~1", "web:1.2.3", names(&["v1.2.3"])),
        ("numeric:", "web:007", names(&["7", "0007"])),
        ("glob:*", "web:b", vec![("a", D(1)), ("b", D(1)), ("c", D(1))]),
    ];
    for (pattern, current, tags) in table {
        for case in [case(pattern, current, &tags), case(pattern, current, &tags).by_hand()] {
            assert_eq!(case.word(), current.replace("web:", "="), "{pattern} {current}");
        }
    }
}

#[test]
fn dates_that_cannot_be_trusted_decide_nothing() {
    // Tags, current, by automation, by hand.
    let table: [(&[(&str, Answer)], _, _, _); 9] = [
        // One known to have no date is no candidate.
        (&[("a", D(1)), ("b", D(2)), ("c", Built(None))], "web:a", ">b", ">b"),
        (&[("a", D(1)), ("b", D(2)), ("c", Epoch)], "web:a", ">b", ">b"),
        // One of which nothing is known may be the newest.
        (&[("a", D(1)), ("b", D(2)), ("c", Unreadable)], "web:a", "?", "?"),
        (&[("a", D(1)), ("b", D(2)), ("c", NotAsked)], "web:a", "?", "?"),
        // One that is gone is no candidate.
        (&[("a", D(1)), ("b", D(2)), ("c", Gone)], "web:a", ">b", ">b"),
        // The running one must have a date, unless a person asks.
        (&[("a", Epoch), ("b", D(2))], "web:a", "?", ">b"),
        (&[("a", Epoch), ("b", Epoch)], "web:a", "?", "?"),
        (&[("a", Epoch)], "web:a", "=a", "=a"),
        (&[("a", Epoch)], "web:b", "?", "?"),
    ];
    for (tags, current, automatic, by_hand) in table {
        let case = case("glob:*", current, tags);
        assert_eq!(case.word(), automatic, "{tags:?}");
        assert_eq!(case.by_hand().word(), by_hand, "{tags:?}");
    }
}

#[test]
fn what_is_missing_is_named() {
    let tags = [("a", D(1)), ("b", Unreadable), ("c", NotAsked)];
    let tag = |text: &str| text.parse::<Tag>().unwrap();
    assert_eq!(
        case("glob:*", "web:a", &tags).choice(),
        Choice::Undecided(Missing::Images {
            ask: vec![tag("c")],
            unreadable: vec![(tag("b"), "500".to_owned())]
        })
    );
    assert_eq!(
        case("glob:*", "web:a", &[("a", Epoch), ("b", D(1))]).choice(),
        Choice::Undecided(Missing::RunningDate { tag: tag("a"), why: UntrustedDate::Placeholder })
    );
    assert_eq!(
        case("glob:*", "web:x", &[("a", Epoch), ("b", Epoch)]).choice(),
        Choice::Undecided(Missing::Dates)
    );
    // A guard asks for the newest only, one by one.
    let guarded = case("semver:*", "web:1", &not_asked(&["1", "2", "3"])).guarded(|g| g.pin_digest = true);
    assert_eq!(
        guarded.choice(),
        Choice::Undecided(Missing::Images { ask: vec![tag("3")], unreadable: Vec::new() })
    );
}

#[test]
fn a_message_names_a_few_tags_and_counts_the_others() {
    let ask = |n: usize| {
        let missing = Missing::Images {
            ask: (1..=n).map(|i| i.to_string().parse().unwrap()).collect(),
            unreadable: Vec::new(),
        };
        missing.to_string()
    };
    assert_eq!(ask(5), "the registry was not asked for 1, 2, 3, 4, 5");
    assert_eq!(ask(7), "the registry was not asked for 1, 2, 3, 4, 5 and 2 more");
}

#[test]
fn a_tag_that_is_listed_twice_counts_once() {
    let (a, b) = ("a".parse().unwrap(), "b".parse().unwrap());
    let tags = [&b, &a, &b].map(|tag| Tagged { tag, seen: Seen::NotAsked });
    let all = CandidateSet::new(TagPattern::any(), Listing::new(tags, true), Dates::at(day(100)));
    assert_eq!(all.listing().tags().iter().map(|t| t.tag.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(all.len(), 2);
}

#[test]
fn an_incomplete_list_decides_nothing_unless_the_pattern_names_the_tag() {
    let tags = [("a", D(1)), ("b", D(2))];
    assert_eq!(case("glob:*", "web:a", &tags).incomplete().choice(), Choice::Undecided(Missing::Tags));
    assert_eq!(case("semver:*", "web:1", &names(&["1", "2"])).incomplete().word(), "?");
    assert_eq!(case("glob:b", "web:a", &tags).incomplete().word(), ">b");
    assert_eq!(case("glob:c", "web:a", &tags).incomplete().word(), "?");
}

#[test]
fn an_image_must_be_old_enough() {
    let old = |g: &mut Guards| g.min_age = Some(SignedDuration::from_hours(48));
    let table: [(_, &[(&str, Answer)], _, _); 7] = [
        // It is day 100: day 98 is old enough to the second.
        ("semver:*", &[("1", D(1)), ("2", D(98)), ("3", D(99))], ">2", None),
        ("semver:*", &[("1", D(1)), ("3", D(99))], "=1", Some(("3", Rule::MinAge))),
        ("semver:*", &[("1", D(1)), ("3", D(101))], "=1", Some(("3", Rule::NoDate))),
        ("semver:*", &[("1", D(1)), ("3", Epoch)], "=1", Some(("3", Rule::NoDate))),
        ("semver:*", &[("1", D(1)), ("3", Unreadable)], "?", None),
        ("glob:*", &[("1", D(1)), ("2", D(98)), ("3", D(99))], ">2", None),
        ("glob:*", &[("1", D(1)), ("3", D(99))], "=1", Some(("3", Rule::MinAge))),
    ];
    for (pattern, tags, word, held) in table {
        for current in ["web:1", "web:1.0"].iter().filter(|c| pattern != "glob:*" || **c == "web:1") {
            let case = case(pattern, current, tags).guarded(old);
            assert_eq!(case.word().replace("=1.0", "=1"), word, "{pattern} {tags:?}");
            assert_eq!(
                case.held_back(),
                held.map(|(tag, rule)| (tag.to_owned(), rule)),
                "{pattern} {tags:?}"
            );
        }
    }
    // What runs is not held against it, not even when a person asks.
    let young = case("semver:*", "web:3", &[("1", D(1)), ("3", D(99))]).guarded(old);
    assert_eq!((young.word(), young.by_hand().word()), ("=3".to_owned(), "=3".to_owned()));
}

#[test]
fn an_image_must_be_built_for_every_platform() {
    let wants = |text: &'static str| move |g: &mut Guards| g.platforms = parse_platforms(text).unwrap();
    let tags = [("1", D(1)), ("2", D(2))];
    let case = case("semver:*", "web:1", &tags);
    assert_eq!(case.clone().guarded(wants("linux/amd64")).word(), ">2");
    let both = case.guarded(wants("linux/amd64,linux/arm64"));
    assert_eq!(both.held_back(), Some(("2".to_owned(), Rule::Platforms)));
    let Choice::Keep { held: Some((_, rejection)), .. } = both.choice() else { panic!("kept") };
    assert_eq!(rejection.evidence["lacking"], "linux/arm64");
    assert_eq!(rejection.evidence["platforms"], "linux/amd64");
}

#[test]
fn automation_waits_for_something_newer_than_what_was_taken_back() {
    let named = names(&["1.0.0", "1.1.0", "1.2.0"]);
    assert_eq!(case("semver:*", "web:1.0.0", &named).newer_than("1.1.0").word(), ">1.2.0");
    let waits = case("semver:*", "web:1.0.0", &named).newer_than("1.2.0");
    assert_eq!(
        (waits.word(), waits.held_back()),
        ("=1.0.0".to_owned(), Some(("1.2.0".to_owned(), Rule::TakenBack)))
    );
    let dated = [("a", D(1)), ("b", D(2)), ("c", D(3))];
    assert_eq!(case("glob:*", "web:a", &dated).newer_than("b").word(), ">c");
    assert_eq!(case("glob:*", "web:a", &dated).newer_than("c").word(), "=a");
    assert_eq!(case("glob:*", "web:a", &dated).newer_than("x").word(), "?");
}

#[test]
fn digests_are_written_and_followed_when_asked_for() {
    let tags = [("1", D(1)), ("2", D(2))];
    let pin = |g: &mut Guards| g.pin_digest = true;
    let digest = digest_of;
    let image = |case: &Case| match case.choice() {
        Choice::Update { image, .. } => image.to_string(),
        _ => case.word(),
    };
    let table = [
        ("web:1".to_owned(), format!("web:2@{}", digest("2"))),
        ("web:2".to_owned(), format!("web:2@{}", digest("2"))),
        (format!("web:2@{}", digest("2")), "=2".to_owned()),
        (format!("web:2@{}", digest("old")), format!("web:2@{}", digest("2"))),
        (format!("web:1@{}", digest("1")), format!("web:2@{}", digest("2"))),
        (format!("web@{}", digest("2")), "=2".to_owned()),
        (format!("web@{}", digest("1")), format!("web:2@{}", digest("2"))),
        (format!("web@{}", digest("old")), "?".to_owned()),
    ];
    for (current, expected) in table {
        assert_eq!(image(&case("semver:*", &current, &tags).guarded(pin)), expected, "{current}");
    }
    // Without the guard a digest is not followed, but a new tag takes its digest with it.
    let old = format!("web:2@{}", digest("old"));
    assert_eq!(image(&case("semver:*", &old, &tags)), "=2");
    let old = format!("web:1@{}", digest("old"));
    assert_eq!(image(&case("semver:*", &old, &tags)), format!("web:2@{}", digest("2")));
    assert_eq!(image(&case("semver:*", &old, &not_asked(&["1", "2"]))), "?");
    // A tag that moves.
    let moving = format!("web:latest@{}", digest("old"));
    let latest = [("latest", D(3))];
    assert_eq!(
        image(&case("glob:latest", &moving, &latest).guarded(pin)),
        format!("web:latest@{}", digest("latest"))
    );
}

#[test]
fn a_tag_asked_for_by_name_is_held_against_the_guards_only() {
    let tags = [("1", D(1)), ("2", D(99)), ("3", NotAsked), ("4", Unreadable)];
    let case = case("semver:~9", "web:2", &tags).by_hand();
    let word = |case: &Case, tag: &str| {
        case.ask(|q| match guarded(q, &tag.parse().unwrap()) {
            Ok(None) => "passes".to_owned(),
            Ok(Some(rejection)) => rejection.rule.as_str().to_owned(),
            Err(missing) => missing.to_string(),
        })
    };
    let old = case.clone().guarded(|g| g.min_age = Some(SignedDuration::from_hours(48)));
    assert_eq!(["1", "2"].map(|tag| word(&case, tag)), ["passes"; 2]);
    assert_eq!(word(&case, "3"), "the registry was not asked for 3", "what is released is looked at first");
    assert_eq!(
        ["1", "2", "3", "4", "5"].map(|tag| word(&old, tag)),
        [
            "passes",
            "min-age",
            "the registry was not asked for 3",
            "nothing could be learnt of tag 4, so nothing is decided: 500",
            "the registry was not asked for 5"
        ]
    );
}

#[test]
fn every_tag_has_its_verdict_newest_first() {
    let tags = [
        ("1.0.0", NotAsked),
        ("v1.1.0", Gone),
        ("1.2.0", NotAsked),
        ("1.1.0", NotAsked),
        ("2.0.0", NotAsked),
        ("9.0.0", Artifact),
        ("latest", NotAsked),
        ("main", NotAsked),
        ("1.3.0", Built(None)),
        (SIGNATURE, NotAsked),
    ];
    let expected = [
        ("2.0.0", "pattern-mismatch"),
        ("1.3.0", "selected"),
        ("1.2.0", "outranked"),
        ("v1.1.0", "image-gone"),
        ("1.1.0", "current"),
        ("1.0.0", "downgrade"),
        ("latest", "latest-tag"),
        ("main", "pattern-mismatch"),
        ("9.0.0", "not-an-image"),
        (SIGNATURE, "not-an-image"),
    ];
    let verdicts = case("semver:~1", "web:1.1.0", &tags).verdicts();
    let verdicts: Vec<(&str, &str)> = verdicts.iter().map(|(t, v)| (t.as_str(), v.as_str())).collect();
    assert_eq!(verdicts, expected);
}

#[test]
fn what_is_undecided_says_so_of_every_tag() {
    let tags = [("a", D(1)), ("b", D(2)), ("c", Unreadable), ("d", Epoch)];
    let verdicts = case("glob:*", "web:a", &tags).verdicts();
    let verdicts: Vec<(&str, &str)> = verdicts.iter().map(|(t, v)| (t.as_str(), v.as_str())).collect();
    assert_eq!(verdicts, [("b", "undecided"), ("a", "current"), ("c", "image-unreadable"), ("d", "no-date")]);
}

#[test]
fn every_rule_has_a_code_of_its_own() {
    let codes: std::collections::BTreeSet<_> = Rule::CODES.iter().map(|(_, code)| code).collect();
    assert_eq!(codes.len(), Rule::CODES.len());
    let rejection = Rejection::new(Rule::MinAge, "too young").with("built", "x");
    assert_eq!(
        serde_json::to_string(&rejection).unwrap(),
        r#"{"reason":"min-age","message":"too young","evidence":{"built":"x"}}"#
    );
}
