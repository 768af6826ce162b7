//! Laws that hold of any tags, patterns and guards.

use proptest::prelude::*;

use super::*;

const PATTERNS: [&str; 12] = [
    "glob:*",
    "glob:1*",
    "regexp:^v",
    "glob:latest",
    "glob:1",
    "semver:*",
    "semver:~1",
    "semver-strict:*-0",
    "numeric:",
    "numeric:v*",
    "alpha:",
    r"regexp:^v?(?P<order>\w+)",
];

fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        6 => (0..4_i64).prop_map(|d| Built(Some(97 + d))),
        1 => Just(Built(None)),
        1 => Just(Epoch),
        1 => Just(Gone),
        1 => Just(Artifact),
        1 => Just(NotAsked),
        1 => Just(Unreadable),
    ]
}

fn tag() -> impl Strategy<Value = String> {
    prop_oneof![
        "v?[01]\\.[0-2]\\.[0-2](-rc\\.[12])?",
        "v?[0-2]",
        Just("latest".to_owned()),
        Just("1234e56".to_owned()),
        Just("9007199254740993".to_owned()),
        Just("9007199254740992".to_owned()),
        Just("main".to_owned()),
        Just(SIGNATURE.to_owned()),
        Just(REFERRERS.to_owned()),
    ]
}

fn any_case() -> impl Strategy<Value = Case> {
    let guards =
        (any::<bool>(), 0..3_i64, 0..3_usize, any::<bool>()).prop_map(|(down, age, platform, pin)| Guards {
            allow_downgrade: down,
            min_age: (age > 0).then(|| SignedDuration::from_hours(age * 24)),
            platforms: parse_platforms("linux/amd64,linux/arm64")
                .unwrap()
                .into_iter()
                .take(platform / 2)
                .collect(),
            pin_digest: pin,
            ..Guards::default()
        });
    let tags = proptest::collection::btree_map(tag(), answer(), 0..7);
    let newer_than = proptest::option::weighted(0.2, proptest::sample::select(&["1", "v1.0.0", "main"][..]));
    (proptest::sample::select(&PATTERNS[..]), tag(), any::<u8>(), tags, guards, newer_than, any::<bool>())
        .prop_map(|(pattern, running, shape, tags, guards, newer_than, automatic)| Case {
            pattern,
            current: match shape % 8 {
                0 => "web".to_owned(),
                1 => format!("web@{}", digest_of(&running)),
                2 => format!("web:{running}@{}", digest_of(&running)),
                3 => format!("web:{running}@{}", digest_of("old")),
                _ => format!("web:{running}"),
            },
            tags: tags.into_iter().collect(),
            complete: true,
            guards,
            newer_than,
            automatic,
        })
}

/// Returns the image that a choice leads to; `None` if nothing is decided.
fn leads_to(case: &Case) -> Option<String> {
    match case.choice() {
        Choice::Update { image, .. } => Some(image.to_string()),
        Choice::Keep { .. } | Choice::NoCandidate => Some(case.current.clone()),
        Choice::Undecided(_) => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn the_order_of_tags_does_not_matter(case in any_case(), seed: u64) {
        let mut shuffled = case.clone();
        shuffled.tags.sort_by_key(|(tag, _)| tag.bytes().fold(seed, |h, b| h.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ u64::from(b)));
        prop_assert_eq!(case.choice(), shuffled.choice());
        prop_assert_eq!(case.ask(explain), shuffled.ask(explain));
    }

    #[test]
    fn removing_information_changes_a_decision_only_to_undecided(case in any_case(), at: prop::sample::Index, how in 0..3) {
        let mut less = case.clone();
        let mut is_none = false;
        match how {
            0 => less.complete = false,
            _ if less.tags.is_empty() => {}
            _ => {
                let at = at.index(less.tags.len());
                is_none = matches!(less.tags[at].1, Gone | Artifact);
                less.tags[at].1 = if how == 1 { NotAsked } else { Unreadable };
            }
        }
        if let Some(image) = leads_to(&less) {
            // Names are enough to keep what runs: a tag of its rank is not looked at, though it may
            // turn out to be none.
            let keeps = is_none && image == case.current;
            prop_assert!(keeps || Some(&image) == leads_to(&case).as_ref(), "{} {:?}", image, leads_to(&case));
        }
    }

    #[test]
    fn artifacts_make_no_difference(
        case in any_case(),
        named in proptest::collection::btree_map("sha256-[0-9a-f]{64}(\\.(sig|att|sbom))?", answer(), 0..3),
        other in proptest::collection::btree_set("[0-9v.]{1,4}|zzz|[a-z]{1,3}", 0..4),
    ) {
        let mut mixed = case.clone();
        let before: Vec<String> = case.tags.iter().map(|(tag, _)| tag.clone()).collect();
        let running = case.current.clone();
        mixed.tags.extend(named.into_iter().filter(|(tag, _)| !before.contains(tag)));
        let other = other.into_iter().filter(|tag| tag.parse::<Tag>().is_ok() && !before.contains(tag));
        // A tag that runs, or was taken back, is in git whatever the registry has under it.
        let other = other.filter(|tag| !running.contains(tag.as_str()) && case.newer_than != Some(tag.as_str()));
        mixed.tags.extend(other.map(|tag| (tag, Artifact)));
        prop_assert_eq!(case.word(), mixed.word());
        prop_assert_eq!(leads_to(&case), leads_to(&mixed));
    }

    #[test]
    fn planning_on_the_result_changes_nothing(case in any_case()) {
        if let Choice::Update { image, .. } = case.choice() {
            let again = Case { current: image.to_string(), ..case };
            prop_assert_eq!(leads_to(&again).unwrap_or_else(|| again.current.clone()), again.current.clone());
        }
    }

    #[test]
    fn automation_never_chooses_something_older(case in any_case()) {
        let automatic = Case { automatic: true, guards: Guards { allow_downgrade: false, ..case.guards.clone() }, ..case };
        automatic.ask(|q| {
            let Choice::Update { tag, .. } = choose(q) else { return };
            let created = |tag: &str| {
                let info = q.candidates.listing().get(tag)?.seen.info()?;
                q.candidates.dates().built(info).ok()
            };
            let Some(running) = q.current.effective_tag() else { return };
            let pattern = q.candidates.pattern();
            // No container runs what is named as a signature, so everything is newer.
            if running == SIGNATURE || running == REFERRERS {
                return;
            }
            if running == "latest" || pattern.order().needs_created() && !pattern.matches(running) {
                return;
            }
            let rank = |tag| crate::policy::Candidate { tag, created: created(tag) };
            let (new, old) = (rank(tag.as_str()), rank(running));
            assert!(pattern.newest_first(&new, &old).is_lt() || tag.as_str() == running || !pattern.rank(&old).is_known());
        });
    }

    #[test]
    fn verdicts_agree_with_the_choice(case in any_case()) {
        let selected: Vec<String> = case.verdicts().into_iter().filter(|(_, v)| v == "selected").map(|(t, _)| t).collect();
        let chosen: Vec<String> = match case.choice() {
            Choice::Update { tag, .. } => vec![tag.to_string()],
            _ => Vec::new(),
        };
        prop_assert_eq!(selected, chosen);
    }
}
