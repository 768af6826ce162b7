//! A server that misbehaves in ways that a real one does not on demand.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use flux_core::{
    backend::{Cluster as _, Completeness, ErrorKind},
    finding::Code,
    sync::{Outcome, Reason},
};
use flux_k8s::KubeCluster;
use http::{Request, Response};
use kube::{Client, client::Body};
use serde_json::{Value, json};

use crate::support::{change, config_map, create, eventually, names, of, plan, scope};

/// The answer of the server to a request.
type Answer = io::Result<(u16, Value)>;

/// Returns a cluster whose server answers discovery correctly, and all else by `answer`.
///
/// `answer` gets the method, the path and the number of requests with both. The second value counts
/// the requests by "METHOD path".
fn cluster(
    answer: impl Fn(&str, &str, usize) -> Answer + Send + Sync + 'static,
) -> (KubeCluster, Arc<Mutex<BTreeMap<String, usize>>>) {
    let asked = Arc::new(Mutex::new(BTreeMap::new()));
    let (counts, answer) = (asked.clone(), Arc::new(answer));
    let service = tower::service_fn(move |request: Request<Body>| {
        let path = request.uri().path().to_owned();
        let watch = request.uri().query().unwrap_or_default().contains("watch=true");
        let method = if watch { "WATCH" } else { request.method().as_str() }.to_owned();
        let times = {
            let mut counts = counts.lock().unwrap();
            let times = counts.entry(format!("{method} {path}")).or_insert(0);
            *times += 1;
            *times
        };
        let answer = answer.clone();
        async move {
            let (status, body) = match path.as_str() {
                "/api" => (200, discovery()),
                "/apis" => (200, json!({ "items": [] })),
                _ => answer(&method, &path, times)?,
            };
            let response = Response::builder().status(status);
            Ok::<_, io::Error>(response.body(Body::from(body.to_string().into_bytes())).unwrap())
        }
    });
    (KubeCluster::from_client(Client::new(service, "default")), asked)
}

fn discovery() -> Value {
    let resource = |kind: &str, plural: &str| {
        json!({ "resource": plural, "scope": "Namespaced", "responseKind": { "kind": kind },
            "verbs": ["get", "list", "watch", "patch", "delete"] })
    };
    json!({ "items": [{ "metadata": {}, "versions": [{ "version": "v1", "freshness": "Current",
        "resources": [resource("ConfigMap", "configmaps"), resource("Service", "services")] }] }] })
}

fn refusal(code: u16, reason: &str) -> Answer {
    Ok((
        code,
        json!({ "kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": format!("server: {reason}") }),
    ))
}

fn created(path: &str) -> Answer {
    let name = path.rsplit('/').next().unwrap_or_default();
    let mut object = config_map("default", name, "1");
    object["metadata"]["resourceVersion"] = json!("7");
    Ok((201, object))
}

fn reset() -> Answer {
    Err(io::Error::new(io::ErrorKind::ConnectionReset, "connection reset by peer"))
}

const A: &str = "PATCH /api/v1/namespaces/default/configmaps/a";

#[tokio::test]
async fn what_may_pass_is_tried_again_a_few_times() {
    for passing in [|| refusal(503, "ServiceUnavailable"), || refusal(429, "TooManyRequests"), reset] {
        let (cluster, asked) =
            cluster(move |_, path, times| if times < 3 { passing() } else { created(path) });
        let steps = vec![create(0, config_map("default", "a", "1"))];
        let report = cluster.apply(&plan(steps), &()).await.unwrap();
        assert_eq!(of(&report, "a").outcome, Outcome::Created, "{report:?}");
        assert_eq!(asked.lock().unwrap()[A], 3);
    }
}

#[tokio::test]
async fn what_does_not_pass_is_that_objects_failure() {
    type Case = (fn() -> Answer, usize, Reason, &'static str);
    let cases: [Case; 6] = [
        (|| refusal(503, "ServiceUnavailable"), 3, Reason::Unavailable, "ServiceUnavailable"),
        (|| refusal(429, "TooManyRequests"), 3, Reason::Unavailable, "TooManyRequests"),
        (|| refusal(409, "Conflict"), 1, Reason::Rejected, "Conflict"),
        (|| refusal(500, "InternalError"), 1, Reason::Rejected, "InternalError"),
        (|| refusal(403, "Forbidden"), 1, Reason::Rejected, "Forbidden"),
        (|| Ok((200, json!("no object"))), 1, Reason::ChangedInGit, ""),
    ];
    for (answer, times, reason, message) in cases {
        let (cluster, asked) =
            cluster(move |_, path, _| if path.ends_with("/a") { answer() } else { created(path) });
        let steps =
            vec![change(0, config_map("default", "a", "1")), change(0, config_map("default", "b", "1"))];
        let report = cluster.apply(&plan(steps), &()).await.unwrap();
        assert_eq!(of(&report, "a").reason, reason, "{report:?}");
        assert!(of(&report, "a").message.contains(message), "{report:?}");
        assert_eq!(of(&report, "b").outcome, Outcome::Created, "the failure of one does not stop the other");
        assert_eq!(asked.lock().unwrap()[A], times);
        assert_eq!(report.findings.len(), usize::from(!message.is_empty()));
        assert!(
            report.findings.iter().all(|f| f.code == Code::ApplyFailed && f.subject == "default:configmap/a")
        );
    }
}

#[tokio::test]
async fn a_server_that_asks_for_too_long_a_pause_is_not_waited_for() {
    let (cluster, _) = cluster(|_, _, _| {
        Ok((
            429,
            json!({ "kind": "Status", "code": 429, "reason": "TooManyRequests", "message": "slow down", "details": { "retryAfterSeconds": 600 } }),
        ))
    });
    let began = Instant::now();
    let report = cluster.apply(&plan(vec![create(0, config_map("default", "a", "1"))]), &()).await.unwrap();
    assert_eq!(of(&report, "a").reason, Reason::Unavailable);
    assert!(began.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn when_the_connection_dies_the_rest_is_given_up_quickly() {
    let (cluster, asked) = cluster(|_, path, _| {
        // Ten objects pass, then nothing does.
        let number: usize = path.rsplit("/c").next().and_then(|n| n.parse().ok()).unwrap_or(0);
        if number < 10 { created(path) } else { reset() }
    });
    let steps = (0..400).map(|n| create(0, config_map("default", &format!("c{n}"), "1"))).collect();
    let began = Instant::now();
    let report = cluster.apply(&plan(steps), &()).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(report.resources.len(), 400, "each has its outcome");
    let (made, failed): (Vec<_>, Vec<_>) =
        report.resources.iter().partition(|r| r.outcome == Outcome::Created);
    assert_eq!(made.len(), 10);
    assert!(failed.iter().all(|r| r.outcome == Outcome::Failed && r.reason == Reason::Unavailable));
    assert!(failed.iter().all(|r| r.message.contains("connection reset")), "{failed:?}");
    let patches: usize = asked.lock().unwrap().values().sum();
    assert!(patches < 10 + 2 * 16 * 3, "{patches} requests to a dead server");
    assert!(!report.findings.is_empty() && report.findings.len() <= 32);
}

#[tokio::test]
async fn a_deletion_whose_answer_was_lost_is_done_all_the_same() {
    let (cluster, _) = cluster(|_, _, times| if times == 1 { reset() } else { refusal(404, "NotFound") });
    let mut object = config_map("default", "a", "1");
    object["metadata"]["uid"] = json!("u");
    let report = cluster.apply(&plan(vec![crate::support::prune(&object)]), &()).await.unwrap();
    assert_eq!(of(&report, "a").outcome, Outcome::Pruned);
}

#[tokio::test]
async fn a_kind_that_cannot_be_listed_makes_the_observation_partial() {
    let (cluster, _) =
        cluster(
            |_, path, _| {
                if path.ends_with("/services") { refusal(500, "InternalError") } else { list(&[]) }
            },
        );
    let seen = cluster.observe(&scope([])).await.unwrap();
    let Completeness::Partial(missing) = seen.completeness else { panic!("{:?}", seen.completeness) };
    assert_eq!(missing, ["Service (v1): server: InternalError"]);
}

fn list(names: &[&str]) -> Answer {
    let object = |name: &str| json!({ "metadata": { "name": name, "namespace": "default", "resourceVersion": "3", "labels": { "fluxcd.io/sync-gc-mark": "x" } } });
    Ok((
        200,
        json!({ "kind": "List", "apiVersion": "v1", "metadata": { "resourceVersion": "5" }, "items": names.iter().map(|name| object(name)).collect::<Vec<_>>() }),
    ))
}

#[tokio::test]
async fn one_kind_that_is_out_of_order_is_missing_and_all_of_them_are_an_error() {
    let mut service = config_map("default", "a", "1");
    service["kind"] = json!("Service");
    let wanted = scope([&config_map("default", "a", "1"), &service]);
    let broken = |all: bool| {
        cluster(move |method, path, _| match method {
            _ if all || path.contains("/services") => refusal(500, "InternalError"),
            "WATCH" => refusal(503, "ServiceUnavailable"),
            _ => list(&["a"]),
        })
    };
    let seen = broken(false).0.observe(&wanted).await.unwrap();
    assert_eq!(names(&seen.value, "default"), ["a"]);
    assert!(matches!(seen.completeness, Completeness::Partial(_)), "{:?}", seen.completeness);

    let error = broken(true).0.observe(&wanted).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    let error = broken(true).0.workloads(None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
}

#[tokio::test]
async fn when_a_watch_fails_what_was_seen_is_reported_as_stale() {
    let up = Arc::new(Mutex::new(true));
    let is_up = up.clone();
    let (cluster, _) = cluster(move |method, path, _| match (*is_up.lock().unwrap(), method) {
        (false, _) => reset(),
        (true, "WATCH") => refusal(503, "ServiceUnavailable"),
        (true, _) if path.ends_with("/configmaps") => list(&["a"]),
        (true, _) => list(&[]),
    });
    let wanted = scope([&config_map("default", "a", "1")]);
    let seen = cluster.observe(&wanted).await.unwrap();
    assert_eq!(names(&seen.value, "default"), ["a"]);

    *up.lock().unwrap() = false;
    let reason = eventually("it is stale", async || match cluster.observe(&wanted).await.unwrap() {
        seen if seen.completeness.is_complete() => None,
        seen => {
            assert_eq!(names(&seen.value, "default"), ["a"], "what was seen is not lost");
            match seen.completeness {
                Completeness::Stale { reason, .. } if reason.contains("connection reset") => Some(reason),
                _ => None,
            }
        }
    })
    .await;
    assert!(reason.starts_with("ConfigMap (v1)"), "{reason}");
}

#[tokio::test]
async fn an_answer_that_makes_no_sense_is_an_error() {
    let service = tower::service_fn(|_: Request<Body>| async {
        Ok::<_, io::Error>(Response::new(Body::from(b"<html>welcome, hunter2</html>".to_vec())))
    });
    let cluster = KubeCluster::from_client(Client::new(service, "default"));
    let error = cluster.observe(&scope([])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error:?}");
    assert!(!error.to_string().contains("hunter2"), "{error}");
}
