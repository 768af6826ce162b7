//! Authentication: the number of logins, their credentials, and the messages about them.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use flux_core::backend::{Completeness, ErrorKind, FixedClock, Registry};
use flux_registry::{Credentials, Login, OciRegistry, Secret};
use futures::future::join_all;

use crate::fake::{Fake, Reply, Seen, registry, tag, tags};

const PASSWORD: &str = "s3cr3t-pa55word";
const BASIC: &str = "Basic YW5uOnMzY3IzdC1wYTU1d29yZA==";

fn ann(fake: &Fake) -> OciRegistry {
    let credentials = Credentials::new().with_basic(&fake.host, "ann", PASSWORD);
    registry().credentials(credentials).build().unwrap()
}

/// A registry with a token server; each token is accepted for a number of requests.
async fn token_registry(uses: usize) -> Fake {
    let used = Arc::new(AtomicUsize::new(0));
    let issued = AtomicUsize::new(0);
    Fake::start(move |seen| match seen.path.as_str() {
        "/token" if seen.authorization.as_deref() != Some(BASIC) => {
            Reply::status(401).body(r#"{"errors":[{"code":"UNAUTHORIZED","message":"wrong password"}]}"#)
        }
        "/token" => {
            assert_eq!(seen.query, "scope=repository%3Ateam%2Fapp%3Apull&service=fake");
            used.store(0, Ordering::SeqCst);
            let number = issued.fetch_add(1, Ordering::SeqCst) + 1;
            Reply::json(&serde_json::json!({"token": format!("token-{number}")}))
        }
        _ => {
            let current = format!("Bearer token-{}", issued.load(Ordering::SeqCst));
            if seen.authorization.as_ref() == Some(&current) && used.fetch_add(1, Ordering::SeqCst) < uses {
                Reply::tags(["v1"])
            } else {
                challenge(seen)
            }
        }
    })
    .await
}

fn challenge(seen: &Seen) -> Reply {
    let value = format!("Bearer realm=\"{}/token\",service=\"fake\"", seen.base);
    Reply::status(401).header("www-authenticate", value)
}

#[tokio::test]
async fn many_at_once_get_one_token() {
    let fake = token_registry(1000).await;
    let (registry, name) = (ann(&fake), fake.name("team/app"));
    let seen = join_all((0..64).map(|_| registry.tags(&name))).await;
    assert!(seen.iter().all(|tags| tags.as_ref().unwrap().value == [tag("v1")]));
    assert_eq!(seen[0].as_ref().unwrap().authority, "ann");
    assert_eq!(fake.count("/token"), 1);
    assert_eq!(fake.count("/tags/list"), 64);
}

#[tokio::test]
async fn a_token_that_is_no_longer_taken_is_renewed_once() {
    let fake = token_registry(1).await;
    let (registry, name) = (ann(&fake), fake.name("team/app"));
    for _ in 0..3 {
        assert_eq!(registry.tags(&name).await.unwrap().value, [tag("v1")]);
    }
    assert_eq!(fake.count("/token"), 3);
    assert_eq!(fake.count("/tags/list"), 5, "one that is refused and one that is not, from the second on");
}

#[tokio::test]
async fn a_registry_that_takes_no_token_is_asked_twice() {
    let fake = token_registry(0).await;
    let error = ann(&fake).tags(&fake.name("team/app")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error:?}");
    assert_eq!(fake.count("/tags/list"), 2);
    assert_eq!(fake.count("/token"), 2);
}

#[tokio::test]
async fn a_wrong_password_is_tried_once_and_never_printed() {
    let fake = token_registry(9).await;
    let wrong = "wr0ng-pa55word";
    let credentials = Credentials::new().with_basic(&fake.host, "ann", wrong);
    let registry = registry().credentials(credentials).build().unwrap();
    let many: Vec<_> = (0..50).map(|n| tag(&format!("v{n}"))).collect();
    let error = registry.inspect(&fake.name("team/app"), &many).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error:?}");
    let text = format!("{error} {error:?} {registry:?}");
    assert!(
        error.to_string().contains("wrong password") && text.contains("check the login of ann"),
        "{text}"
    );
    assert!(!text.contains(wrong), "{text}");
    assert_eq!(fake.count("/token"), 1, "accounts are locked for less");
    assert_eq!(fake.count("/manifests/"), 0);
}

#[tokio::test]
async fn a_password_that_the_registry_repeats_is_struck_out() {
    let fake = Fake::start(|seen| {
        let message = format!("no: {PASSWORD} {}", seen.authorization.as_deref().unwrap_or_default());
        Reply::status(403)
            .body(serde_json::json!({"errors": [{"code": "DENIED", "message": message}]}).to_string())
    })
    .await;
    let error = ann(&fake).tags(&fake.name("a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    let text = format!("{error} {error:?}");
    assert!(text.contains("no: *** Basic ***") && !text.contains(PASSWORD), "{text}");
}

#[tokio::test]
async fn a_granted_token_that_the_registry_repeats_is_struck_out_wherever_it_stands() {
    let fake = Fake::start(|seen| match (seen.path.as_str(), seen.authorization.as_deref()) {
        ("/token", _) => Reply::json(&serde_json::json!({"token": "granted-t0ken"})),
        (_, Some(authorization)) if authorization.starts_with("Bearer") => {
            // A part of it would stay if the message were cut off first.
            let message = format!("{}{authorization}", "x".repeat(190 - "Bearer ".len()));
            Reply::status(403)
                .body(serde_json::json!({"errors": [{"code": "DENIED", "message": message}]}).to_string())
        }
        _ => challenge(seen),
    })
    .await;
    let error = ann(&fake).tags(&fake.name("a")).await.unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(text.contains("xBearer ***") && !text.contains("granted"), "{text}");
}

#[tokio::test]
async fn a_token_that_ends_between_two_pages_is_renewed() {
    let fake = token_registry(3).await;
    let (registry, name) = (ann(&fake), fake.name("team/app"));
    for _ in 0..4 {
        assert_eq!(registry.tags(&name).await.unwrap().completeness, Completeness::Complete);
    }
    assert_eq!((fake.count("/token"), fake.count("/tags/list")), (2, 5));
}

#[tokio::test]
async fn an_answer_of_a_token_server_is_bounded_and_told_by_its_status() {
    let token = |answer: fn() -> Reply| async move {
        let fake =
            Fake::start(move |seen| if seen.path == "/token" { answer() } else { challenge(seen) }).await;
        let registry = registry().clock(Arc::new(FixedClock("2024-05-01T10:00:00Z".parse().unwrap())));
        let error = registry.build().unwrap().tags(&fake.name("a")).await.unwrap_err();
        (error, fake.count("/token"))
    };
    let (error, _) = token(|| Reply::status(200).body(vec![b' '; 2 << 20])).await;
    assert!(error.kind() == ErrorKind::Invalid && error.message().contains("larger than 1 MiB"), "{error:?}");
    let (error, _) = token(|| Reply::status(200).body("{}")).await;
    assert!(error.kind() == ErrorKind::Invalid && error.message().contains("is no token"), "{error:?}");
    let (error, _) = token(|| Reply::status(429).header("retry-after", "3600")).await;
    let until = Some("2024-05-01T11:00:00Z".parse().unwrap());
    assert_eq!((error.kind(), error.retry_at()), (ErrorKind::RateLimited, until));
    let (error, asked) = token(|| Reply::status(503)).await;
    assert_eq!((error.kind(), asked), (ErrorKind::Unavailable, 3), "{error:?}");
}

#[tokio::test]
async fn basic_authentication_is_used_where_it_is_wanted() {
    let fake = Fake::start(|seen| match seen.authorization.as_deref() {
        Some(BASIC) => Reply::tags(["v1"]),
        _ => Reply::status(401).header("www-authenticate", "Basic realm=\"fake\""),
    })
    .await;
    let name = fake.name("a");
    assert_eq!(ann(&fake).tags(&name).await.unwrap().value, [tag("v1")]);
    let stranger = registry().build().unwrap();
    let error = stranger.tags(&name).await.unwrap_err();
    assert!(
        error.kind() == ErrorKind::Unauthorized && error.message().contains("give a login for"),
        "{error}"
    );
}

#[tokio::test]
async fn a_token_given_by_hand_is_used_as_it_is() {
    let fake = Fake::start(|seen| match seen.authorization.as_deref() {
        Some("Bearer by-hand") => Reply::tags(["v1"]),
        _ => challenge(seen),
    })
    .await;
    let credentials = Credentials::new().with(&fake.host, Login::Token(Secret::from("by-hand".to_owned())));
    let registry = registry().credentials(credentials).build().unwrap();
    assert_eq!(registry.tags(&fake.name("a")).await.unwrap().value, [tag("v1")]);
    assert_eq!(fake.take().len(), 1, "nothing is asked to get a token that is there");
}

#[tokio::test]
async fn logins_of_one_host_do_not_mix() {
    let fake = Fake::start(|seen| {
        let expected = if seen.path.contains("/one/") { "Bearer 1" } else { "Bearer 2" };
        match seen.authorization.as_deref() {
            Some(given) if given == expected => Reply::tags(["v1"]),
            _ => Reply::status(401),
        }
    })
    .await;
    let token = |text: &str| Login::Token(Secret::from(text.to_owned()));
    let credentials =
        Credentials::new().with(&format!("{}/one", fake.host), token("1")).with(&fake.host, token("2"));
    let registry = registry().credentials(credentials).build().unwrap();
    for name in ["one/a", "two/a", "one/b"] {
        assert_eq!(registry.tags(&fake.name(name)).await.unwrap().value, [tag("v1")], "{name}");
    }
}

#[tokio::test]
async fn a_helper_that_cannot_be_asked_is_reported_when_it_matters() {
    let fake =
        Fake::start(
            |seen| if seen.path.contains("/open/") { Reply::tags(["v1"]) } else { Reply::status(401) },
        );
    let fake = fake.await;
    let config = format!(r#"{{"credHelpers":{{"{}":"flux-no-such-helper"}}}}"#, fake.host);
    let credentials = Credentials::from_docker_config(&config).unwrap();
    let registry = registry().credentials(credentials).build().unwrap();
    let error = registry.inspect(&fake.name("a"), &tags(&["v1"])).await.unwrap_err();
    let words = "the credential helper `flux-no-such-helper` cannot be run";
    assert!(error.to_string().contains(words), "{error}");
    let public = registry.tags(&fake.name("open/a")).await.unwrap();
    assert_eq!((public.value, public.authority.as_str()), (vec![tag("v1")], "anonymous"));
}

#[tokio::test]
async fn an_identity_token_is_exchanged_and_goes_nowhere_else() {
    let fake = Fake::start(|seen| match (seen.path.as_str(), seen.authorization.as_deref()) {
        ("/token", None) if seen.method == "POST" && seen.query.is_empty() => {
            Reply::json(&serde_json::json!({"access_token": "granted", "expires_in": 300}))
        }
        (_, Some("Bearer granted")) => Reply::tags(["v1"]),
        _ => challenge(seen),
    })
    .await;
    let config = format!(r#"{{"auths":{{"{}":{{"identitytoken":"{PASSWORD}"}}}}}}"#, fake.host);
    let credentials = Credentials::from_docker_config(&config).unwrap();
    let registry = registry().credentials(credentials).build().unwrap();
    let tags = registry.tags(&fake.name("team/app")).await.unwrap();
    assert_eq!((tags.value, tags.authority.as_str()), (vec![tag("v1")], "identity token"));
    assert_eq!(fake.count("/token"), 1);
}
