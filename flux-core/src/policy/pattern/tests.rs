use proptest::prelude::*;

use super::*;

fn pattern(text: &str) -> TagPattern {
    text.parse().unwrap_or_else(|e| panic!("{e}"))
}

fn at(second: i64) -> Option<Timestamp> {
    Timestamp::from_second(second).ok()
}

/// Returns the tags in the order of a pattern, newest first.
///
/// All were built at the same time.
fn sorted<'a>(text: &str, tags: &[&'a str]) -> Vec<&'a str> {
    let pattern = pattern(text);
    let mut candidates: Vec<Candidate<'_>> =
        tags.iter().map(|tag| Candidate { tag, created: at(9) }).collect();
    candidates.sort_by(|a, b| pattern.newest_first(a, b));
    candidates.iter().map(|c| c.tag).collect()
}

#[test]
fn a_pattern_takes_the_tags_it_says() {
    // Pattern, tags that it takes, tags that it does not.
    let table: &[(&str, &[&str], &[&str])] = &[
        ("glob:*", &["a", "1.0", "Latest1"], &["latest", "LATEST", "Latest"]),
        ("*", &["a"], &["latest"]),
        ("master-*", &["master-1"], &["dev-master-1", "Master-1"]),
        ("glob:", &[], &["a"]),
        ("", &[], &["a"]),
        ("glob:latest", &["latest"], &["Latest", "a"]),
        ("latest", &["latest"], &["LATEST"]),
        ("glob:Latest", &[], &["Latest", "latest"]),
        ("glob:l*", &["lat"], &["latest"]),
        ("alpha:latest", &[], &["latest"]),
        ("regexp:^latest$", &[], &["latest"]),
        ("Semver:*", &["Semver:x"], &["1.0"]),
        ("regexp:^v[0-9]+$", &["v1", "v22"], &["v", "av1", "v1a"]),
        ("regex:1", &["a1b"], &["a2b"]),
        ("regexp:", &["a"], &["latest"]),
        (r"regexp:^main-(?P<order>\d+)$", &["main-1"], &["main-a", "dev-1"]),
        (r"regexp:^main-(?P<order>\d*)", &["main-1"], &["main-a"]),
        ("semver:~1.2", &["1.2.0", "v1.2.9", "1.2"], &["1.3.0", "1.2.0-rc.1", "abc", "1.2.3.4"]),
        ("semver: >= 1", &["1", "20260101", "99999999999999999999"], &["0.9"]),
        ("semver:", &["1.0.0"], &["1.0.0-rc.1", "main"]),
        ("semver-strict:~1.2", &["1.2.0", "v1.2.9"], &["1.2", "01.2.0", "1.3.0"]),
        ("semver-strict:", &["1.2.0"], &["20260101", "1234567"]),
        (
            "numeric:",
            &["1", "007", "99999999999999999999"],
            &["1.0", "-1", "1e5", "1234e56", "NaN", "Inf", "0x1f", "1_000"],
        ),
        ("numeric:20*", &["20", "2026"], &["1999", "20x"]),
        ("numeric:build-*", &["build-7"], &["7", "build-", "build-x", "build-1.2"]),
        ("numeric:*-*", &[], &["1-2"]),
        ("alpha:", &["a", "RELEASE.2026"], &["latest"]),
        ("alpha:RELEASE.*", &["RELEASE.2026"], &["a"]),
    ];
    for (text, taken, refused) in table {
        let pattern = pattern(text);
        assert_eq!(pattern.as_str(), *text);
        for (tags, expected) in [(taken, true), (refused, false)] {
            for tag in *tags {
                assert_eq!(pattern.matches(tag), expected, "{text} {tag}");
            }
        }
    }
}

#[test]
fn an_invalid_pattern_is_an_error_that_names_it() {
    for text in
        ["semver:abc", "semver:1.2.3.4", "semver-strict:>", "regexp:(", "regex:[a-", "regexp:(?P<order>"]
    {
        let error = text.parse::<TagPattern>().unwrap_err();
        assert_eq!(error.text, text);
        assert!(error.to_string().starts_with(&format!("`{text}` is not a tag pattern: ")), "{error}");
    }
}

#[test]
fn the_prefix_says_the_order() {
    let table = [
        ("glob:*", Order::Created),
        ("a", Order::Created),
        ("regexp:a", Order::Created),
        ("regexp:(?<order>a)", Order::Extracted),
        ("semver:1", Order::Version),
        ("semver-strict:1", Order::Version),
        ("numeric:", Order::Number),
        ("alpha:", Order::Text),
    ];
    for (text, order) in table {
        assert_eq!(pattern(text).order(), order, "{text}");
        assert_eq!(order.needs_created(), order == Order::Created);
    }
}

#[test]
fn by_date_the_newest_comes_first_then_by_text_and_what_has_no_date_last() {
    let pattern = TagPattern::any();
    let candidate = |tag, created| Candidate { tag, created };
    let expected = [
        candidate("x", at(3)),
        candidate("a", at(2)),
        candidate("b", at(2)),
        candidate("c", None),
        candidate("d", None),
    ];
    let mut shuffled = expected;
    shuffled.reverse();
    shuffled.sort_by(|a, b| pattern.newest_first(a, b));
    assert_eq!(shuffled.map(|c| c.tag), expected.map(|c| c.tag));
    assert!(pattern.same_rank(&expected[1], &expected[2]));
    assert!(!pattern.same_rank(&expected[0], &expected[1]));
    assert!(
        !pattern.same_rank(&expected[3], &expected[4]),
        "of two unknown dates nobody can say that they are equal"
    );
    assert!(pattern.same_rank(&expected[3], &expected[3]));
}

#[test]
fn by_version_the_order_is_that_of_v1() {
    let expected = [
        "10",
        "2",
        "v1.0.0",
        "v1.0",
        "v1",
        "1.0.0+b2",
        "1.0.0+b1",
        "1.0.0",
        "1.0",
        "1",
        "1.0.0-rc9",
        "1.0.0-rc10",
        "1.0.0-rc.10",
        "1.0.0-rc.1",
        "abc",
        "latest",
        "zzz",
    ];
    let mut reversed = expected;
    reversed.reverse();
    assert_eq!(sorted("semver:*", &reversed), expected);
}

#[test]
fn by_number_text_and_extraction_the_highest_comes_first() {
    assert_eq!(
        sorted(
            "numeric:",
            &[
                "9007199254740992",
                "abc",
                "9007199254740993",
                "1234567890123456789",
                "1234e56",
                "10",
                "9",
                "010"
            ]
        ),
        ["1234567890123456789", "9007199254740993", "9007199254740992", "010", "10", "9", "1234e56", "abc"]
    );
    assert_eq!(sorted("alpha:", &["1.0.63", "1.0.9", "B", "a"]), ["a", "B", "1.0.9", "1.0.63"]);
    assert_eq!(
        sorted("regexp:^r-(?P<order>.+)$", &["r-b", "r-10", "x", "r-9", "r-a", "r-99999999999999999999"]),
        ["r-99999999999999999999", "r-10", "r-9", "r-b", "r-a", "x"]
    );
}

#[test]
fn equal_versions_and_numbers_have_the_same_rank() {
    let candidate = |tag| Candidate { tag, created: None };
    for (text, a, b, same) in [
        ("semver:*", "v1.2.3", "1.2.3", true),
        ("semver:*", "1.2.3+a", "1.2", false),
        ("semver:*", "1.2", "1.2.0", true),
        ("semver:*", "abc", "abd", false),
        ("numeric:", "007", "7", true),
        ("numeric:", "9007199254740992", "9007199254740993", false),
        ("alpha:", "a", "a", true),
        ("regexp:(?<order>[0-9]+)", "a-1", "b-01", true),
    ] {
        assert_eq!(pattern(text).same_rank(&candidate(a), &candidate(b)), same, "{text} {a} {b}");
    }
}

fn tag() -> impl Strategy<Value = String> {
    prop_oneof![
        "v?[0-2](\\.[0-2]){0,3}(-(rc|[01])(\\.[0-2])?)?(\\+b)?",
        "[0-9]{1,25}",
        "0{0,3}9007199254740[0-9]{3}",
        "[0-9]{1,4}e[0-9]{1,3}",
        "\\PC{0,6}",
        proptest::sample::select(
            &["NaN", "inf", "latest", "LATEST", "1_000", "0x1p3", "v1.2.3", "1.2.3", ""][..]
        )
        .prop_map(str::to_owned),
    ]
}

const PATTERNS: [&str; 8] = [
    "glob:*",
    "regexp:.",
    "semver:*",
    "semver-strict:*-0",
    "numeric:",
    "numeric:v*",
    "alpha:",
    "regexp:^v?(?P<order>.*)$",
];

proptest! {
    #[test]
    fn orders_are_total(
        text in proptest::sample::select(&PATTERNS[..]),
        tags in [tag(), tag(), tag()],
        created in [proptest::option::of(0..3_i64), proptest::option::of(0..3_i64), proptest::option::of(0..3_i64)],
    ) {
        let pattern = pattern(text);
        let [a, b, c] = [0, 1, 2].map(|i| Candidate { tag: &tags[i], created: created[i].and_then(at) });
        let order = |x, y| pattern.newest_first(x, y);
        prop_assert_eq!(order(&a, &b), order(&b, &a).reverse());
        prop_assert_eq!(order(&a, &a), Ordering::Equal);
        if order(&a, &b).is_le() && order(&b, &c).is_le() {
            prop_assert!(order(&a, &c).is_le());
        }
        // Different tags never stand at the same place.
        prop_assert!(a.tag == b.tag || order(&a, &b).is_ne());
        if a.tag != b.tag && b.tag != c.tag && pattern.same_rank(&a, &b) && pattern.same_rank(&b, &c) {
            prop_assert!(pattern.same_rank(&a, &c));
        }
        if a.tag != c.tag && pattern.same_rank(&a, &c) && order(&a, &b).is_le() && order(&b, &c).is_le() {
            prop_assert!(pattern.same_rank(&a, &b));
        }
    }

    #[test]
    fn any_text_is_a_pattern_or_an_error(prefix in "(glob:|semver:|semver-strict:|regexp:|regex:|numeric:|alpha:)?", text in "\\PC{0,20}|[0-9v.x*^~<>=!|, -]{0,16}", tag in tag()) {
        let text = prefix + &text;
        match text.parse::<TagPattern>() {
            Ok(pattern) => {
                prop_assert_eq!(pattern.to_string(), text);
                let candidate = Candidate { tag: &tag, created: None };
                prop_assert!(pattern.same_rank(&candidate, &candidate));
                prop_assert!(!pattern.matches(&tag) || !tag.eq_ignore_ascii_case("latest") || tag == "latest");
            }
            Err(e) => prop_assert_eq!(e.text, text),
        }
    }
}
