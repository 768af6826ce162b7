//! Laws that hold of any repository and any registry.

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn what_is_decided_of_a_workload_does_not_depend_on_the_others(
        seed in prop::collection::btree_map("[a-e]", (0..5u32, 0..6usize, any::<bool>()), 1..6),
        dated in prop::collection::vec(any::<bool>(), 6),
    ) {
        let patterns = ["glob:*", "glob:1.*", "semver:*", "semver:~1.2", r"regexp:^1\.(?P<order>\d)$", "semver:?"];
        let files: Vec<(String, String)> = seed
            .iter()
            .map(|(name, (tag, pattern, other))| {
                let key = format!("fluxcd.io/tag.{name}");
                let annotations = [(key.as_str(), patterns[*pattern]), ("fluxcd.io/automated", "true")];
                let repository = if *other { "other" } else { "web" };
                (format!("{name}.yaml"), deployment(name, &format!("team/{repository}:1.{tag}"), &annotations))
            })
            .collect();
        let tags: Vec<String> = (0..dated.len()).map(|tag| format!("1.{tag}")).collect();
        let created = |dated: &bool| dated.then_some("2016-11-01T00:00:00Z");
        let web: Vec<(&str, Option<&str>)> = tags.iter().map(String::as_str).zip(dated.iter().map(created)).collect();
        let images: [(&str, &[(&str, Option<&str>)]); 2] = [("team/web", &web), ("team/other", &web[..3])];
        let planned = |files: &[(String, String)]| {
            let files: Vec<(&str, String)> = files.iter().map(|(path, text)| (path.as_str(), text.clone())).collect();
            let seen = snapshot(&files, &images);
            plan(&seen, &Request::automation(), now())
        };
        let all = planned(&files);
        for file in &files {
            let alone = planned(std::slice::from_ref(file));
            for (id, verdict) in &alone.workloads {
                prop_assert_eq!(verdict, &all.workloads[id]);
            }
            let of_file = all.edits.iter().filter(|edit| *edit.path == *file.0);
            prop_assert!(of_file.eq(&alone.edits));
            prop_assert!(alone.findings.iter().all(|finding| all.findings.contains(finding)));
        }
    }

    #[test]
    fn artifacts_beside_images_change_no_edit_and_make_no_finding(
        pattern in prop::sample::select(&["glob:*", "semver:*", "numeric:", "alpha:", r"regexp:^1\.(?P<order>\d)$"][..]),
        running in 0..5u32,
        dated in prop::collection::vec(any::<bool>(), 1..5),
        artifacts in prop::collection::btree_set("9\\.[0-9]|[0-9]{2}|zz|sha256-[0-9a-f]{64}(\\.sig)?", 0..5),
    ) {
        let annotations = [("fluxcd.io/tag.web", pattern), ("fluxcd.io/automated", "true")];
        let files = [("web.yaml", deployment("web", &format!("team/web:1.{running}"), &annotations))];
        let tags: Vec<String> = (0..dated.len()).map(|tag| format!("1.{tag}")).collect();
        let created = |dated: &bool| dated.then_some("2016-11-01T00:00:00Z");
        let web: Vec<(&str, Option<&str>)> = tags.iter().map(String::as_str).zip(dated.iter().map(created)).collect();
        let seen = snapshot(&files, &[("team/web", &web)]);
        let mut mixed = seen.clone();
        for facts in mixed.images.repositories.values_mut().flatten() {
            for artifact in &artifacts {
                let tag: Tag = artifact.parse().unwrap();
                facts.tags.push(tag.clone());
                facts.images.insert(tag, Err(InspectError::not_an_image(ArtifactKind::Other, "an artifact")));
            }
        }
        let (without, with) = (plan(&seen, &Request::automation(), now()), plan(&mixed, &Request::automation(), now()));
        prop_assert_eq!(&without.edits, &with.edits);
        prop_assert_eq!(&without.workloads[&super::web()].reason, &with.workloads[&super::web()].reason);
        prop_assert_eq!(&without.findings, &with.findings);
        prop_assert!(needs(&mixed, &Request::automation(), now()).is_empty());
    }

    #[test]
    fn the_order_of_what_was_seen_changes_no_byte_of_the_plan(
        seed in prop::collection::vec(("[a-c]", 0..5u32, 0..3usize), 1..6).prop_shuffle(),
        tags in prop::collection::vec((0..9u32, 0..4u32), 0..8),
    ) {
        let files: BTreeMap<String, String> = seed
            .iter()
            .map(|(name, tag, pattern)| {
                let pattern = ["glob:*", "semver:*", "regexp:.*"][*pattern];
                let key = format!("fluxcd.io/tag.{name}");
                let annotations = [(key.as_str(), pattern), ("fluxcd.io/automated", "true")];
                (format!("{name}.yaml"), deployment(name, &format!("team/web:1.{tag}"), &annotations))
            })
            .collect();
        let build = |reverse: bool| {
            let mut list: Vec<(String, Option<String>)> = tags
                .iter()
                .map(|(tag, day)| (format!("1.{tag}"), (*day > 0).then(|| format!("2016-11-0{day}T00:00:00Z"))))
                .collect::<BTreeMap<_, _>>()
                .into_iter()
                .collect();
            if reverse {
                list.reverse();
            }
            let list: Vec<(&str, Option<&str>)> = list.iter().map(|(t, c)| (t.as_str(), c.as_deref())).collect();
            let files: Vec<(&str, String)> = files.iter().map(|(p, t)| (p.as_str(), t.clone())).collect();
            let mut seen = snapshot(&files, &[("team/web", &list)]);
            if reverse {
                for known in seen.images.repositories.values_mut().flatten() {
                    known.tags.reverse();
                }
            }
            plan(&seen, &Request::automation(), now())
        };
        let (one, other) = (build(false), build(true));
        prop_assert_eq!(serde_json::to_string(&one).unwrap(), serde_json::to_string(&other).unwrap());
    }

    #[test]
    fn a_group_moves_whole_or_not_at_all_whatever_keeps_a_member_back(
        members in prop::collection::btree_map("[a-d]", (0..2u32, 0..5u8, any::<bool>()), 1..5),
    ) {
        const LOCKED: u8 = 1;
        const UNREAD: u8 = 2;
        const MOVED: u8 = 3;
        let files: Vec<(String, String)> = members
            .iter()
            .map(|(name, (tag, state, grouped))| {
                let mut annotations = vec![("fluxcd.io/automated", "true")];
                annotations.extend(grouped.then_some(("fluxcd.io/group", "shop")));
                annotations.extend((*state == LOCKED).then_some(("fluxcd.io/locked", "true")));
                (format!("{name}.yaml"), deployment(name, &format!("team/web:1.{tag}"), &annotations))
            })
            .collect();
        let files: Vec<(&str, String)> = files.iter().map(|(path, text)| (path.as_str(), text.clone())).collect();
        let mut seen = snapshot(&files, &[("team/web", &WEB[..2])]);
        for (name, (_, state, _)) in &members {
            let path: crate::repo_path::RepoPath = format!("{name}.yaml").parse().unwrap();
            match *state {
                UNREAD => drop(seen.sources.remove(&path)),
                MOVED => drop(seen.sources.insert(path, "kind: Other\n".into())),
                _ => {}
            }
        }
        let plan = plan(&seen, &Request::automation(), now());
        let target = |name: &str| plan.target(&format!("shop:deployment/{name}"), name);
        let mut ends = std::collections::BTreeSet::new();
        let mut moves = false;
        for (name, (tag, _, grouped)) in &members {
            let has_edit = plan.edits.iter().any(|edit| *edit.path == format!("{name}.yaml"));
            prop_assert_eq!(has_edit, target(name).is_some(), "a success has an edit, and an edit a success");
            if *grouped {
                moves |= has_edit;
                ends.insert(target(name).map_or_else(|| format!("team/web:1.{tag}"), ToString::to_string));
            }
        }
        prop_assert!(!moves || ends.len() == 1, "{}", plan);
    }
}
