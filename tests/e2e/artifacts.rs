//! Artifacts beside images: signatures, attestations, charts and caches decide nothing.

use flux_test_support::Artifact;
use serde_json::Value;

use crate::world::{Deployment, Transport, World};

/// The workloads, each with its pattern and the tag that it is to run.
const ORDERS: [(&str, &str, &str); 4] = [
    ("dated", "glob:*", "1.2.0"),
    ("text", "alpha:*", "10"),
    ("version", "semver:*", "1.2.0"),
    ("number", "numeric:", "10"),
];

#[test]
fn what_lies_beside_images_is_never_released_and_never_stops_a_release() {
    let Some(world) = World::new(Transport::Http) else { return };
    let digest = world.push_attested("web", "1.2.0", "2026-03-01T00:00:00Z");
    world.push("web", "1.0.0", "2026-01-01T00:00:00Z");
    world.push("web", "10", "2026-02-01T00:00:00Z");
    let hex = digest.strip_prefix("sha256:").expect("a digest of SHA-256");
    let signature = format!("sha256-{hex}.sig");
    for (tag, artifact) in [
        (signature.as_str(), Artifact::Signature),
        (&format!("sha256-{hex}"), Artifact::Referrers(&digest)),
        (&format!("sha256-{hex}.att"), Artifact::Attestation),
        ("zz-sbom", Artifact::Sbom),
        ("zz-buildcache", Artifact::BuildCache),
        ("9.0.0", Artifact::HelmChart),
        ("99", Artifact::HelmChart),
        ("zz-readme", Artifact::Other),
    ] {
        world.push_artifact("web", tag, artifact);
    }
    let image = world.image("web");
    let files: Vec<(String, String)> = ORDERS
        .iter()
        .map(|(name, pattern, _)| {
            // By version, 10 is newer than 1.2.0.
            let pattern = pattern.replace("semver:*", "semver:~1");
            let annotations = format!(
                "  annotations:\n    fluxcd.io/automated: 'true'\n    fluxcd.io/tag.{name}: '{pattern}'\n"
            );
            let image = format!("{image}:1.0.0");
            let what = Deployment { name, image: &image, annotations: &annotations, replicas: Some(0) };
            (format!("{name}.yaml"), world.deployment(&what))
        })
        .collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    world.commit(&files, "Describe the shop");
    world.fluxctl(&["sync"]).exits(0);

    let id = |name: &str| format!("{}:deployment/{name}", world.namespace);
    let refused = |tag: &str| {
        let image = format!("{image}:{tag}");
        let words = ["release", "-w", &id("text"), "--update-image", &image, "--force", "-o", "json"];
        let report = world.fluxctl(&words).exits(1).json();
        let container = report["workloads"][id("text")]["containers"][0].clone();
        assert_eq!(container["reason"], "not-an-image", "{report}");
        container["message"].to_string()
    };
    assert!(refused(&signature).contains("is a signature, not a container image"));
    assert!(refused("9.0.0").contains("is a Helm chart, not a container image"));

    let report = world.fluxctl(&["release", "--automated", "-o", "json"]).exits(0).json();
    for (name, pattern, tag) in ORDERS {
        let workload = &report["workloads"][id(name)];
        assert_eq!(workload["containers"][0]["target"], format!("{image}:{tag}"), "{pattern}: {report}");
    }
    assert_eq!(report["findings"], Value::Array(Vec::new()));
    let again = world.fluxctl(&["release", "--automated", "-o", "json"]).exits(0).json();
    assert_eq!(again["workloads"][id("text")]["reason"], "up-to-date", "{again}");

    let explained = world.fluxctl(&["explain", "-w", &id("version"), "-o", "json"]).exits(0).json();
    let tags = explained[0]["tags"].as_array().expect("tags");
    let of = |tag: &str| tags.iter().find(|verdict| verdict["tag"] == tag).expect("the tag");
    assert_eq!(of("1.2.0")["verdict"], "current");
    let evidence = &of(&signature)["evidence"];
    assert_eq!((&of(&signature)["reason"], &evidence["kind"]), (&"not-an-image".into(), &"signature".into()));

    let listed = world.fluxctl(&["list-images", "-w", &id("version"), "-o", "json"]).exits(0).json();
    let available = listed[0]["containers"][0]["available"].as_array().expect("tags");
    let kinds: Vec<&str> = available.iter().filter_map(|tag| tag["artifact"].as_str()).collect();
    assert_eq!(kinds.len(), 8, "{available:?}");
    assert!(
        kinds.contains(&"referrers-index") && kinds.contains(&"helm-chart") && kinds.contains(&"build-cache")
    );
    let table = world.fluxctl(&["list-images", "-w", &id("version"), "-l", "0"]).exits(0);
    assert!(
        table.stdout.contains("a build cache") && table.stderr.is_empty(),
        "{} {}",
        table.stdout,
        table.stderr
    );
}
