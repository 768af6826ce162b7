//! Each layer passes the suite of its trait, and does its one thing.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures::{executor::block_on, future::join_all};
use jiff::Timestamp;

use super::*;
use crate::{
    backend::{
        Change, Clock, Completeness, ConfigRepo as _, Error, ErrorKind, Images, Observation, Registry,
        Result, Tags,
    },
    image::{ArtifactKind, Digest, ImageInfo, ImageName, Tag},
    memory::{MemoryRegistry, MemoryRepo},
    testing::{
        MockRegistry, cluster, config_repo,
        registry::{self, Build, RegistryFixture},
    },
};

/// A clock that goes on when somebody sleeps by it, and counts how often.
#[derive(Debug)]
struct Dream {
    now: Mutex<Timestamp>,
    sleeps: Mutex<Vec<Duration>>,
}

impl Dream {
    fn new() -> Arc<Self> {
        Arc::new(Self { now: Mutex::new(Timestamp::UNIX_EPOCH), sleeps: Mutex::default() })
    }

    fn pass(&self, duration: Duration) {
        *self.now.lock().unwrap() += duration;
    }
}

impl Clock for Dream {
    fn now(&self) -> Timestamp {
        *self.now.lock().unwrap()
    }
}

#[async_trait]
impl Sleeper for Dream {
    async fn sleep(&self, duration: Duration) {
        self.sleeps.lock().unwrap().push(duration);
        self.pass(duration);
    }
}

fn retry<R>(inner: R, time: &Arc<Dream>) -> Retry<R> {
    Retry::new(inner, RetryPolicy::default(), time.clone(), time.clone())
}

fn web() -> ImageName {
    "registry.example.com/web".parse().unwrap()
}

fn away() -> Error {
    Error::unavailable("registry.example.com", "registry.example.com does not answer; try again")
}

fn second(n: i64) -> Timestamp {
    Timestamp::from_second(n).unwrap()
}

mod retry_conforms {
    use super::*;

    crate::registry_conformance!(async || {
        Some(registry::MemoryFixture::around(|memory| retry(memory, &Dream::new())))
    });
}

mod limit_conforms {
    use super::*;

    crate::registry_conformance!(async || {
        Some(registry::MemoryFixture::around(|memory| Limit::new(memory, 1)))
    });
}

mod first_seen_conforms {
    use super::*;

    crate::registry_conformance!(async || {
        let wrap = |memory| FirstSeen::new(memory, Arc::new(MemorySeen::new()), Dream::new());
        Some(registry::MemoryFixture::around(wrap))
    });
}

#[test]
fn an_image_keeps_the_time_at_which_it_was_first_seen() {
    let digest: Digest = format!("sha256:{:064}", 1).parse().unwrap();
    let image = ImageInfo { digest: Some(digest.clone()), ..ImageInfo::default() };
    let memory = Arc::new(MemoryRegistry::new().with_image(&web(), "1".parse().unwrap(), image.clone()));
    let store: Arc<dyn SeenStore> = Arc::new(MemorySeen::new());
    let seen = |now: &str, tag: &str| {
        let clock = Arc::new(crate::backend::FixedClock(now.parse().unwrap()));
        let registry = FirstSeen::new(Arc::clone(&memory), Arc::clone(&store), clock);
        let tag: Tag = tag.parse().unwrap();
        let images = block_on(registry.inspect(&web(), std::slice::from_ref(&tag))).unwrap().value;
        images[&tag].as_ref().unwrap().first_seen.map(|time| time.to_string())
    };
    let (first, later) = ("2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z");
    assert_eq!(seen(first, "1").as_deref(), Some(first));
    // The same image under another tag, which was not there before.
    memory.push(&web(), "2".parse().unwrap(), image);
    assert_eq!(seen(later, "2").as_deref(), Some(first));
    memory.push(&web(), "3".parse().unwrap(), ImageInfo::default());
    assert_eq!(seen(later, "3"), None, "without a digest there is nothing to remember");
}

mod cache_conforms {
    use super::*;

    /// Tells the cache of what is pushed, as a webhook does.
    #[derive(Debug)]
    struct Cached(registry::MemoryFixture<Cache<Arc<MemoryRegistry>>>);

    #[async_trait]
    impl RegistryFixture for Cached {
        fn registry(&self) -> &dyn Registry {
            self.0.registry()
        }

        fn name(&self, hint: &str) -> ImageName {
            self.0.name(hint)
        }

        fn aliases(&self, name: &ImageName) -> Vec<ImageName> {
            self.0.aliases(name)
        }

        async fn push(&self, name: &ImageName, tag: &Tag, builds: &[Build]) -> Digest {
            let digest = self.0.push(name, tag, builds).await;
            self.0.under_test().forget(name);
            digest
        }

        async fn push_artifact(&self, name: &ImageName, tag: &Tag, kind: ArtifactKind) -> bool {
            self.0.under_test().forget(name);
            self.0.push_artifact(name, tag, kind).await
        }
    }

    crate::registry_conformance!(async || {
        let cache = |memory| Cache::new(memory, Duration::from_secs(60), Dream::new());
        Some(Cached(registry::MemoryFixture::around(cache)))
    });
}

mod fault_conforms {
    use super::*;

    mod registry {
        use super::*;

        crate::registry_conformance!(async || {
            let fault = |memory| Fault::new(memory, FaultPlan::none());
            Some(crate::testing::registry::MemoryFixture::around(fault))
        });
    }

    mod config_repo {
        use super::*;

        crate::config_repo_conformance!(async || {
            Some(crate::testing::config_repo::MemoryFixture::around(|repo| {
                Arc::new(Fault::new(repo, FaultPlan::none()))
            }))
        });
    }

    mod cluster {
        use super::*;

        crate::cluster_conformance!(async || {
            Some(crate::testing::cluster::MemoryFixture::around(|cluster| {
                Arc::new(Fault::new(cluster, FaultPlan::none()))
            }))
        });
    }
}

mod pointers_conform {
    use super::*;

    crate::registry_conformance!(async || {
        let boxed = |memory| Box::new(Arc::new(memory) as Arc<dyn Registry>) as Box<dyn Registry>;
        Some(registry::MemoryFixture::around(boxed))
    });

    #[test]
    fn a_reference_to_a_backend_is_one() {
        fn head(repo: impl crate::backend::ConfigRepo) -> Result<crate::backend::Revision> {
            block_on(repo.head())
        }
        let repo = MemoryRepo::default();
        assert_eq!(head(&repo), head(Box::new(repo.clone())));
        let _: (config_repo::MemoryFixture, cluster::MemoryFixture) = Default::default();
    }
}

#[test]
fn a_registry_that_is_away_for_a_moment_is_asked_again() {
    let time = Dream::new();
    let faults = [Some(Injected::Refused(away())), None];
    let memory = MemoryRegistry::new().with_image(&web(), "1".parse().unwrap(), ImageInfo::default());
    let registry = retry(Fault::new(memory, FaultPlan::script(faults)), &time);
    assert!(block_on(registry.tags(&web())).is_ok());
    assert_eq!(time.sleeps.lock().unwrap().len(), 1);
}

#[test]
fn a_registry_that_stays_away_is_given_up_and_one_that_refuses_is_not_asked_again() {
    let denied = Error::forbidden(web(), "registry.example.com does not show it");
    for (error, calls) in [(away(), 4), (denied, 1)] {
        let mut mock = MockRegistry::new();
        let answer = error.clone();
        mock.expect_tags().times(calls).returning(move |_| Err(answer.clone()));
        assert_eq!(block_on(retry(mock, &Dream::new()).tags(&web())), Err(error));
    }
}

#[test]
fn a_pause_is_kept_and_a_shorter_one_does_not_end_it() {
    let time = Dream::new();
    let mut mock = MockRegistry::new();
    let pauses = Mutex::new(vec![1, 4]);
    mock.expect_tags().returning(move |name| match pauses.lock().unwrap().pop() {
        Some(at) => Err(Error::rate_limited(name, "fewer requests, please").with_retry_at(second(at))),
        None => Ok(Observation::complete(Vec::new(), "test")),
    });
    let registry = retry(mock, &time);
    let name = web();
    let once = || registry.tags(&name);
    // Both are asked before either is answered.
    let (first, later) = block_on(futures::future::join(once(), once()));
    assert!(first.is_ok() && later.is_ok());
    assert!(time.now() >= second(4), "{:?}", time.sleeps);
}

#[test]
fn a_pause_that_is_too_long_to_wait_for_is_reported_without_a_request() {
    let mut mock = MockRegistry::new();
    let error = Error::rate_limited(web(), "fewer requests, please").with_retry_at(second(3600));
    mock.expect_tags().times(1).returning(move |_| Err(error.clone()));
    let registry = retry(mock, &Dream::new());
    for _ in 0..3 {
        let error = block_on(registry.tags(&web())).unwrap_err();
        assert_eq!((error.kind(), error.retry_at()), (ErrorKind::RateLimited, Some(second(3600))));
    }
}

/// A registry that counts how many calls run at once.
#[derive(Debug, Default)]
struct Busy {
    running: AtomicUsize,
    most: AtomicUsize,
    calls: AtomicUsize,
}

#[async_trait]
impl Registry for Busy {
    async fn tags(&self, _: &ImageName) -> Result<Observation<Tags>> {
        self.most.fetch_max(self.running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        for _ in 0..3 {
            yield_once().await;
        }
        self.running.fetch_sub(1, Ordering::SeqCst);
        self.calls.fetch_add(1, Ordering::SeqCst);
        Ok(Observation::complete(Vec::new(), "test"))
    }

    async fn inspect(&self, _: &ImageName, _: &[Tag]) -> Result<Observation<Images>> {
        Ok(Observation::complete(Images::new(), "test"))
    }
}

async fn yield_once() {
    let mut yielded = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return std::task::Poll::Ready(());
        }
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

#[test]
fn no_more_calls_run_at_once_than_allowed_and_none_is_lost() {
    let registry = Limit::new(Arc::new(Busy::default()), 3);
    let name = web();
    let outcomes = block_on(async {
        // One that is given up while it waits keeps nobody from its turn.
        let waiting: Vec<_> = (0..20).map(|_| registry.tags(&name)).collect();
        let given_up = futures::future::select(registry.tags(&name), Box::pin(yield_once()));
        let (outcomes, _) = futures::future::join(join_all(waiting), given_up).await;
        outcomes
    });
    assert!(outcomes.into_iter().all(|outcome| outcome.is_ok()));
    assert!(registry.inner().most.load(Ordering::SeqCst) <= 3);
    assert!(registry.inner().calls.load(Ordering::SeqCst) >= 20);
}

#[test]
fn answers_are_kept_for_their_time_and_are_stale_when_the_registry_is_away() {
    let time = Dream::new();
    let tag: Tag = "1".parse().unwrap();
    let memory = Arc::new(MemoryRegistry::new().with_image(&web(), tag.clone(), ImageInfo::default()));
    let cache = Cache::new(memory.clone(), Duration::from_secs(60), time.clone());
    let ask = || {
        block_on(futures::future::try_join(
            cache.tags(&web()),
            cache.inspect(&web(), std::slice::from_ref(&tag)),
        ))
    };
    for _ in 0..3 {
        let (tags, images) = ask().unwrap();
        assert!(tags.completeness.is_complete() && images.value[&tag].is_ok());
    }
    assert_eq!((memory.counts().tags, memory.counts().inspected), (1, 1));
    time.pass(Duration::from_secs(60));
    memory.set_error(&web(), Some(away()));
    let (tags, images) = ask().unwrap();
    let stale = Completeness::Stale { age: jiff::SignedDuration::from_secs(60), reason: away().to_string() };
    assert_eq!((tags.completeness, images.completeness), (stale.clone(), stale));
    assert_eq!((tags.value, images.value.len()), (vec![tag.clone()], 1));
    let gone = Error::not_found(web(), "it was deleted");
    memory.set_error(&web(), Some(gone.clone()));
    assert_eq!(ask().unwrap_err(), gone, "what is known to be gone is not served");
    memory.set_error(&web(), None);
    assert!(ask().unwrap().0.completeness.is_complete());
}

#[test]
fn a_commit_whose_answer_is_lost_has_landed() {
    let repo = MemoryRepo::new([("web.yaml", "a: 1\n")]);
    let lost = Error::unavailable("git.example.com", "the connection broke");
    let faults = [None, Some(Injected::AnswerLost(lost.clone())), Some(Injected::Refused(lost.clone()))];
    let faulty = Fault::new(repo.clone(), FaultPlan::script(faults));
    let base = block_on(faulty.head()).unwrap();
    let change = Change {
        files: [("web.yaml".parse().unwrap(), "a: 2\n".into())].into(),
        message: "Two".to_owned(),
        author: None,
        time: Timestamp::UNIX_EPOCH,
        note: None,
    };
    assert_eq!(block_on(faulty.commit(&base, &change)), Err(lost.clone()));
    let landed = block_on(repo.head()).unwrap();
    assert_ne!(landed, base);
    assert_eq!(block_on(faulty.head()), Err(lost), "refused");
    assert_eq!(block_on(faulty.head()), Ok(landed), "and the script is over");
}

#[test]
fn the_same_seed_makes_the_same_calls_fail() {
    let outcomes = |seed| {
        let registry = MemoryRegistry::new().with_image(&web(), "1".parse().unwrap(), ImageInfo::default());
        let plan = FaultPlan::seeded(seed, 30, [Injected::Refused(away())]);
        let registry = Fault::new(registry, plan);
        (0..1000).map(|_| block_on(registry.tags(&web())).is_err()).collect::<Vec<_>>()
    };
    assert_eq!(outcomes(7), outcomes(7));
    assert_ne!(outcomes(7), outcomes(8));
    let failed = outcomes(7).into_iter().filter(|failed| *failed).count();
    assert!((200..400).contains(&failed), "{failed} of 1000");
}
