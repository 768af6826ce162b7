//! Lists of tags over several pages.

use std::{sync::Arc, time::Duration};

use flux_core::backend::{Completeness, ErrorKind, FixedClock, Registry};

use crate::fake::{Fake, Reply, registry, tag};

fn names(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| format!("v{n}")).collect()
}

#[tokio::test]
async fn opaque_links_are_followed_to_the_end() {
    let fake = Fake::start(|seen| {
        let (page, next) = match seen.query.as_str() {
            "n=1000" => (0..50, Some("next_page=b%2Fx%3D%3D")),
            "next_page=b%2Fx%3D%3D" => (50..100, Some("next_page=c")),
            "next_page=c" => (100..103, None),
            _ => return Reply::status(400),
        };
        let reply = Reply::tags(names(page));
        match next {
            Some(next) => reply.header("link", format!("<{}?{next}>; rel=\"next\"", seen.path)),
            None => reply,
        }
    })
    .await;
    let seen = registry().build().unwrap().tags(&fake.name("a/b")).await.unwrap();
    assert_eq!(seen.completeness, Completeness::Complete);
    assert_eq!(seen.value.len(), 103);
    assert_eq!(fake.count("/tags/list"), 3);
}

#[tokio::test]
async fn too_many_pages_are_declared_missing() {
    let fake = Fake::start(|seen| {
        let at = seen.query.strip_prefix("o=").map_or(0, |o| o.parse().unwrap());
        Reply::tags(names(at..at + 10)).header("link", format!("<?o={}>; rel=\"next\"", at + 10))
    })
    .await;
    let seen = registry().max_pages(4).build().unwrap().tags(&fake.name("a")).await.unwrap();
    assert_eq!(seen.value.len(), 40);
    let Completeness::Partial(why) = seen.completeness else { panic!("there is more") };
    assert!(why[0].contains("4 pages with 40 tags"), "{why:?}");
    assert_eq!(fake.count("/tags/list"), 4);
}

#[tokio::test]
async fn a_next_page_on_another_host_is_not_asked() {
    let other = Fake::start(|_| Reply::tags(["stolen"])).await;
    let link = format!("<http://{}/v2/a/tags/list?page=2>; rel=\"next\"", other.host);
    let fake = Fake::start(move |_| Reply::tags(["v1"]).header("link", link.clone())).await;
    let seen = registry().build().unwrap().tags(&fake.name("a")).await.unwrap();
    assert_eq!(seen.value, [tag("v1")]);
    assert!(matches!(&seen.completeness, Completeness::Partial(why) if why[0].contains("another host")));
    assert_eq!(other.take().len(), 0);
}

#[tokio::test]
async fn a_registry_that_never_ends_is_not_asked_forever() {
    let fake = Fake::start(|seen| {
        Reply::tags(names(0..10)).header("link", format!("<?page={}>; rel=\"next\"", seen.number))
    })
    .await;
    let seen = registry().build().unwrap().tags(&fake.name("a")).await.unwrap();
    assert_eq!(seen.value.len(), 10);
    assert!(matches!(seen.completeness, Completeness::Partial(_)));
    assert!(fake.count("/tags/list") <= 4);
}

#[tokio::test]
async fn a_repository_without_tags_is_empty() {
    let fake = Fake::start(|_| Reply::status(200).body(r#"{"name":"a","tags":null}"#)).await;
    let seen = registry().build().unwrap().tags(&fake.name("a")).await.unwrap();
    assert_eq!((seen.value.len(), seen.completeness), (0, Completeness::Complete));
    assert_eq!(seen.authority, "anonymous");
}

/// Serves pages of ten tags without end; from the page `from` on, `otherwise` answers.
async fn pages(from: usize, otherwise: impl Fn() -> Reply + Send + Sync + 'static) -> Fake {
    Fake::start(move |seen| {
        let at: usize = seen.query.strip_prefix("o=").map_or(0, |o| o.parse().unwrap());
        if seen.path == "/v2/" {
            Reply::status(200)
        } else if at / 10 + 1 >= from {
            otherwise()
        } else {
            Reply::tags(names(at..at + 10)).header("link", format!("<?o={}>; rel=\"next\"", at + 10))
        }
    })
    .await
}

#[tokio::test]
async fn pages_before_one_that_fails_are_a_partial_list_that_says_why() {
    let clock = || Arc::new(FixedClock("2024-05-01T10:00:00Z".parse().unwrap()));
    let answers: [(fn() -> Reply, &str); 5] = [
        (|| Reply::status(429).header("retry-after", "3600"), "may be asked again at 2024-05-01T11:00:00Z"),
        (|| Reply::status(200).body("{\"tags\": [\"v20\","), "its list of tags"),
        (|| Reply::status(403), "403"),
        (|| Reply::status(500), "500"),
        (|| Reply::Hang, "no answer within"),
    ];
    for (answer, why) in answers {
        let fake = pages(3, answer).await;
        let registry = registry().clock(clock()).timeout(Duration::from_millis(300)).build().unwrap();
        let seen = registry.tags(&fake.name("a")).await.unwrap();
        assert_eq!(seen.value.len(), 20, "{why}");
        let Completeness::Partial(reasons) = seen.completeness else { panic!("there is more") };
        let text = reasons.join("; ");
        assert!(text.contains("only the first 2 pages with 20 tags") && text.contains(why), "{text}");
        assert!(fake.count("/tags/list") <= 5, "the pages, and the last one again");
    }
    // The first page is no list: there is nothing to tell.
    let fake = pages(1, || Reply::status(200).body("<html>")).await;
    let error = registry().build().unwrap().tags(&fake.name("a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error:?}");
}

#[tokio::test]
async fn tags_are_taken_up_to_a_number() {
    let fake = pages(usize::MAX, || Reply::status(500)).await;
    let seen = registry().max_tags(25).build().unwrap().tags(&fake.name("a")).await.unwrap();
    assert_eq!(seen.value.len(), 25);
    assert!(matches!(&seen.completeness, Completeness::Partial(why) if why[0].contains("more than 25 tags")));
    assert_eq!(fake.count("/tags/list"), 3);
    // All on one page.
    let fake = Fake::start(|_| Reply::tags(names(0..1_000_000))).await;
    let seen = registry().build().unwrap().tags(&fake.name("a")).await.unwrap();
    assert_eq!(seen.value.len(), 100_000);
    assert!(matches!(&seen.completeness, Completeness::Partial(why) if why[0].contains("100000 tags")));
}

#[tokio::test]
async fn as_many_tags_as_are_taken_are_all() {
    let fake = Fake::start(|_| Reply::tags(names(0..25).into_iter().chain(names(0..25)))).await;
    let seen = registry().max_tags(25).build().unwrap().tags(&fake.name("a")).await.unwrap();
    assert_eq!((seen.value.len(), seen.completeness), (25, Completeness::Complete));
}
