//! The cases.

#![expect(clippy::expect_used, clippy::panic, reason = "a suite fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::fixture::{Build, RegistryFixture};
use crate::{
    backend::{Completeness, ErrorKind, Images},
    image::{ArtifactKind, ImageInfo, ImageName, Tag},
};

const DAY: i64 = 24 * 3600;

/// Returns a build of some day of 2024.
fn build(platform: &str, day: i64) -> Build {
    let second = 1_704_067_200 + day * DAY;
    Build {
        platform: platform.parse().expect("a platform"),
        created: Timestamp::from_second(second).expect("a time of 2024"),
        labels: BTreeMap::from([
            ("org.opencontainers.image.revision".to_owned(), format!("{day:040}")),
            ("org.example.note".to_owned(), "größer: \"als\" \\ \n".to_owned()),
        ]),
    }
}

fn tag(text: &str) -> Tag {
    text.parse().expect("a tag")
}

async fn inspect(fixture: &dyn RegistryFixture, name: &ImageName, tags: &[Tag]) -> Images {
    let seen = fixture.registry().inspect(name, tags).await.expect("the repository can be read");
    assert_eq!(seen.completeness, Completeness::Complete, "{name}: nothing is missing");
    let asked: BTreeSet<_> = tags.iter().collect();
    assert_eq!(
        seen.value.keys().collect::<BTreeSet<_>>(),
        asked,
        "{name}: each tag asked for has its answer"
    );
    seen.value
}

async fn inspect_one(fixture: &dyn RegistryFixture, name: &ImageName, tag: &Tag) -> ImageInfo {
    let mut seen = inspect(fixture, name, std::slice::from_ref(tag)).await;
    seen.remove(tag).expect("the tag was asked for").unwrap_or_else(|e| panic!("{name}:{tag}: {e}"))
}

/// All tags of a repository are listed, each once.
pub async fn all_tags_are_listed(fixture: &dyn RegistryFixture) {
    let name = fixture.name("tags");
    // Names that sort otherwise as numbers than as text.
    let pushed: BTreeSet<Tag> = (0..24).map(|n| tag(&format!("v1.{n}"))).chain([tag("Latest_x")]).collect();
    for tag in &pushed {
        fixture.push(&name, tag, &[build("linux/amd64", 1)]).await;
    }
    let seen = fixture.registry().tags(&name).await.expect("the repository can be read");
    assert_eq!(seen.completeness, Completeness::Complete);
    assert_eq!(seen.value.len(), pushed.len(), "no tag is listed twice");
    assert_eq!(seen.value.into_iter().collect::<BTreeSet<_>>(), pushed);
    assert!(!seen.authority.is_empty(), "an observation says who looked");
}

/// A repository that does not exist is `NotFound` and named.
pub async fn a_repository_that_is_not_there_says_so(fixture: &dyn RegistryFixture) {
    let name = fixture.name("absent");
    let error = fixture.registry().tags(&name).await.expect_err("there is no such repository");
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
    assert!(!error.is_retryable());
    assert!(error.to_string().contains(name.path()), "the message names the repository: {error}");
    match fixture.registry().inspect(&name, &[tag("v1")]).await {
        Ok(seen) => {
            assert!(seen.value[&tag("v1")].as_ref().expect_err("there is no such image").is_missing());
        }
        Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}"),
    }
}

/// An image has the digest, date, labels and platform that it was pushed with.
pub async fn an_image_is_described_as_it_was_pushed(fixture: &dyn RegistryFixture) {
    let name = fixture.name("image");
    for platform in ["linux/amd64", "linux/arm/v7"] {
        let (tag, build) = (tag("v1"), build(platform, 5));
        let digest = fixture.push(&name, &tag, std::slice::from_ref(&build)).await;
        let info = inspect_one(fixture, &name, &tag).await;
        assert_eq!(info.digest, Some(digest));
        assert_eq!(info.created, Some(build.created));
        assert_eq!(info.labels, build.labels);
        assert_eq!(info.platforms, [build.platform]);
        assert_eq!(inspect_one(fixture, &name, &tag).await, info, "asked again, it says the same");
    }
    assert!(inspect(fixture, &name, &[]).await.is_empty(), "nothing asked, nothing said");
}

/// An index has all its platforms, and date and labels of its newest image.
pub async fn an_index_is_described_with_all_its_platforms(fixture: &dyn RegistryFixture) {
    let (name, tag) = (fixture.name("index"), tag("v1"));
    let builds = [build("linux/amd64", 3), build("linux/arm64/v8", 9), build("windows/amd64", 4)];
    let digest = fixture.push(&name, &tag, &builds).await;
    let info = inspect_one(fixture, &name, &tag).await;
    assert_eq!(info.digest, Some(digest), "the digest is the one of the index");
    assert_eq!(info.created, Some(builds[1].created), "an index is as new as the newest of its images");
    assert_eq!(info.labels, builds[1].labels, "and has the labels of that one");
    let platforms: BTreeSet<_> = info.platforms.iter().cloned().collect();
    assert_eq!(info.platforms.len(), platforms.len(), "no platform is told twice");
    assert_eq!(platforms, builds.map(|b| b.platform).into());
}

/// A tag that does not exist is `missing`, and the others are answered.
pub async fn a_missing_tag_stops_no_other(fixture: &dyn RegistryFixture) {
    let name = fixture.name("partly");
    let (there, also, missing) = (tag("v1"), tag("v2"), tag("gone"));
    fixture.push(&name, &there, &[build("linux/amd64", 1)]).await;
    fixture.push(&name, &also, &[build("linux/amd64", 2), build("linux/arm64", 2)]).await;
    let seen = inspect(fixture, &name, &[there.clone(), missing.clone(), also.clone()]).await;
    assert!(seen[&there].is_ok() && seen[&also].is_ok());
    let error = seen[&missing].as_ref().expect_err("there is no such tag");
    assert!(error.is_missing(), "{error:?}");
    assert!(error.message.contains("gone"), "the message names the tag: {error}");
}

/// An artifact is listed, told for what it is, and leaves nothing open; the images beside it are
/// answered.
pub async fn an_artifact_is_told_for_what_it_is(fixture: &dyn RegistryFixture) {
    let (name, image) = (fixture.name("artifacts"), tag("v1"));
    fixture.push(&name, &image, &[build("linux/amd64", 1), build("linux/arm64", 2)]).await;
    let mut pushed = BTreeMap::new();
    for kind in ArtifactKind::all() {
        let tag = tag(&format!("x-{}", kind.as_str()));
        if fixture.push_artifact(&name, &tag, kind).await {
            pushed.insert(tag, kind);
        }
    }
    let all: Vec<Tag> = pushed.keys().cloned().chain([image.clone()]).collect();
    let listed = fixture.registry().tags(&name).await.expect("the repository can be read");
    assert_eq!(
        listed.value.into_iter().collect::<BTreeSet<_>>(),
        all.iter().cloned().collect(),
        "artifacts are listed"
    );
    let seen = inspect(fixture, &name, &all).await;
    assert!(seen[&image].is_ok(), "{:?}", seen[&image]);
    for (tag, kind) in pushed {
        let error = seen[&tag].as_ref().expect_err("no container runs it");
        assert_eq!(error.artifact(), Some(kind), "{error:?}");
        assert!(error.message.contains(tag.as_str()), "the message names the tag: {error}");
    }
}

/// A tag that was moved points to what it was moved to.
pub async fn a_tag_that_moves_is_followed(fixture: &dyn RegistryFixture) {
    let (name, moving, fixed) = (fixture.name("moving"), tag("latest"), tag("v1"));
    let first = [build("linux/amd64", 1)];
    let digest = fixture.push(&name, &moving, &first).await;
    fixture.push(&name, &fixed, &first).await;
    let before = inspect(fixture, &name, &[moving.clone(), fixed.clone()]).await;
    assert_eq!(before[&moving], before[&fixed], "the same image under two tags is the same image");
    let moved = fixture.push(&name, &moving, &[build("linux/amd64", 2)]).await;
    assert_ne!(digest, moved);
    let after = inspect(fixture, &name, &[moving.clone(), fixed.clone()]).await;
    assert_eq!(after[&moving].as_ref().map(|i| i.digest.clone()), Ok(Some(moved)));
    assert_eq!(after[&fixed], before[&fixed]);
}

/// Every spelling of a name finds the same repository.
pub async fn names_are_looked_up_in_canonical_form(fixture: &dyn RegistryFixture) {
    let (name, tag) = (fixture.name("alias"), tag("v1"));
    fixture.push(&name, &tag, &[build("linux/amd64", 1)]).await;
    let info = inspect_one(fixture, &name, &tag).await;
    for alias in fixture.aliases(&name) {
        assert_eq!(alias.canonical(), name.canonical(), "an alias is another spelling");
        assert_eq!(inspect_one(fixture, &alias, &tag).await, info, "{alias}");
    }
}
