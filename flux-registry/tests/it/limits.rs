//! Registries that are busy, broken, silent or boundless.

use std::{sync::Arc, time::Duration};

use flux_core::backend::{Completeness, ErrorKind, FixedClock, Registry, layers::RetryPolicy};

use crate::{
    content::Content,
    fake::{Fake, Reply, registry, tag},
};

const NOW: &str = "2024-05-01T10:00:00Z";

fn clock() -> Arc<FixedClock> {
    Arc::new(FixedClock(NOW.parse().unwrap()))
}

#[tokio::test]
async fn a_short_pause_is_made() {
    let fake = Fake::start(|seen| match seen.number {
        0 => Reply::status(200),
        1 => Reply::status(429).header("retry-after", "0"),
        2 => Reply::status(503).header("retry-after", "Wed, 01 May 2024 10:00:00 GMT"),
        _ => Reply::tags(["v1"]),
    })
    .await;
    let registry = registry().clock(clock()).build().unwrap();
    assert_eq!(registry.tags(&fake.name("a")).await.unwrap().value, [tag("v1")]);
}

#[tokio::test]
async fn a_long_pause_is_reported_and_kept() {
    let fake = Fake::start(|seen| {
        if seen.path == "/v2/" {
            Reply::status(200)
        } else {
            Reply::status(429).header("retry-after", "3600")
        }
    })
    .await;
    let registry = registry().clock(clock()).build().unwrap();
    let until = "2024-05-01T11:00:00Z".parse().unwrap();
    for _ in 0..3 {
        let error = registry.tags(&fake.name("a")).await.unwrap_err();
        assert!(error.is_retryable());
        assert!(error.kind() == ErrorKind::RateLimited && error.retry_at() == Some(until), "{error:?}");
    }
    assert_eq!(fake.count("/tags/list"), 1, "the host wanted no more requests, and gets none");
    let many: Vec<_> = (0..20).map(|n| tag(&format!("v{n}"))).collect();
    let error = registry.inspect(&fake.name("b"), &many).await.unwrap_err();
    assert_eq!((error.kind(), error.retry_at()), (ErrorKind::RateLimited, Some(until)));
    assert_eq!(fake.count("/v2/b/"), 0, "nor for its other repositories");
}

#[tokio::test]
async fn a_shorter_pause_does_not_end_a_longer_one() {
    // The requests are sent together; the long pause is announced first.
    let fake = Fake::start(|seen| match seen.path.as_str() {
        "/v2/" => Reply::status(200),
        "/v2/a/manifests/v0" => Reply::status(429).header("retry-after", "3600"),
        _ => Reply::status(429).header("retry-after", "60").after(Duration::from_millis(300)),
    })
    .await;
    let registry = registry().clock(clock()).build().unwrap();
    let many: Vec<_> = (0..4).map(|n| tag(&format!("v{n}"))).collect();
    registry.inspect(&fake.name("a"), &many).await.unwrap_err();
    assert!(fake.count("/manifests/") > 1, "others were asked before the pause was known");
    let error = registry.tags(&fake.name("a")).await.unwrap_err();
    assert_eq!(error.retry_at(), Some("2024-05-01T11:00:00Z".parse().unwrap()));
}

#[tokio::test]
async fn a_registry_that_is_out_of_order_for_a_moment_is_asked_again() {
    let fake = Fake::start(|seen| match seen.number {
        0 => Reply::status(200),
        1 => Reply::status(503),
        2 => Reply::status(500),
        _ => Reply::tags(["v1"]),
    })
    .await;
    assert_eq!(registry().build().unwrap().tags(&fake.name("a")).await.unwrap().value, [tag("v1")]);
}

#[tokio::test]
async fn a_registry_that_stays_out_of_order_is_given_up() {
    let fake =
        Fake::start(|seen| if seen.path == "/v2/" { Reply::status(200) } else { Reply::status(502) }).await;
    let error = registry().build().unwrap().tags(&fake.name("a")).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Unavailable && error.message().contains("502"), "{error:?}");
    assert_eq!(fake.count("/tags/list"), 3, "as often as the configuration says");
}

#[tokio::test]
async fn a_silent_registry_is_not_waited_for() {
    let fake = Fake::start(|seen| if seen.path == "/v2/" { Reply::status(200) } else { Reply::Hang }).await;
    let registry = registry().retry(RetryPolicy::NEVER).timeout(Duration::from_millis(200)).build().unwrap();
    let many: Vec<_> = (0..100).map(|n| tag(&format!("v{n}"))).collect();
    let error = registry.inspect(&fake.name("a"), &many).await.unwrap_err();
    assert!(
        error.kind() == ErrorKind::Unavailable && error.message().contains("no answer within 0.2 s"),
        "{error:?}"
    );
    assert!(fake.count("/manifests/") <= 8, "not once for every tag");
}

#[tokio::test]
async fn nobody_there_is_an_error_that_names_the_host() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    drop(listener);
    let error = registry().build().unwrap().tags(&format!("{host}/a").parse().unwrap()).await.unwrap_err();
    assert!(
        error.kind() == ErrorKind::Unavailable
            && error.message().contains(&host)
            && error.message().contains("no connection"),
        "{error:?}"
    );
}

#[tokio::test]
async fn no_more_requests_at_once_than_allowed() {
    let mut content = Content::default();
    let digest = content.image("amd64", NOW);
    let many: Vec<_> = (0..100).map(|n| tag(&format!("v{n}"))).collect();
    for tag in &many {
        content.tag(tag.as_str(), &digest);
    }
    let fake = Fake::start(move |seen| content.serve(seen)).await;
    let registry = registry().concurrency(3).build().unwrap();
    let (a, b) = (fake.name("a"), fake.name("b"));
    let (a, b) = futures::future::join(registry.inspect(&a, &many), registry.inspect(&b, &many)).await;
    assert!(a.unwrap().value.into_values().chain(b.unwrap().value.into_values()).all(|i| i.is_ok()));
    assert!(fake.most_at_once() <= 3, "{}", fake.most_at_once());
}

#[tokio::test]
async fn a_boundless_answer_is_cut_off() {
    let fake = Fake::start(|seen| match seen.path.as_str() {
        "/v2/" => Reply::status(200),
        path if path.contains("/tags/") => Reply::status(200).body(vec![b' '; 17 << 20]),
        _ => Reply::status(200).body(vec![b' '; 5 << 20]),
    })
    .await;
    let registry = registry().build().unwrap();
    let error = registry.tags(&fake.name("a")).await.unwrap_err();
    assert!(
        error.kind() == ErrorKind::Invalid && error.message().contains("larger than 16 MiB"),
        "{error:?}"
    );
    let seen = registry.inspect(&fake.name("a"), &[tag("v1")]).await.unwrap();
    let error = seen.value[&tag("v1")].clone().unwrap_err();
    assert!(error.message.contains("larger than 4 MiB"), "{error}");
    assert_eq!(seen.completeness, Completeness::Complete, "it will not get smaller");
}

#[tokio::test]
async fn a_host_that_does_not_speak_tls_is_distinguished_from_a_silent_one() {
    let fake = Fake::start(|_| Reply::tags(["v1"])).await;
    let registry = registry().secure_host(&fake.host).build().unwrap();
    let error = registry.tags(&fake.name("a")).await.unwrap_err();
    assert!(
        error.kind() == ErrorKind::Unavailable && error.message().contains("list it as an insecure host"),
        "{error:?}"
    );
}
