//! Configurations that are not usable: each is an error soon, with the place and the next step.

use std::time::{Duration, Instant};

use flux_core::backend::{Cluster as _, ErrorKind, Scope};
use flux_k8s::KubeCluster;
use serde_json::json;
use tempfile::NamedTempFile;

fn kubeconfig(server: &str) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "shop",
        "clusters": [{ "name": "c", "cluster": { "server": server } }],
        "users": [{ "name": "ann", "user": { "token": "hunter2" } }],
        "contexts": [
            { "name": "shop", "context": { "cluster": "c", "user": "ann", "namespace": "till" } },
            { "name": "torn", "context": { "cluster": "none", "user": "ann" } },
        ],
    });
    std::fs::write(file.path(), config.to_string()).unwrap();
    file
}

#[tokio::test]
async fn a_cluster_shows_no_credentials() {
    let file = kubeconfig("https://127.0.0.1:1");
    let cluster = KubeCluster::builder().kubeconfig(file.path()).context("shop").open().await.unwrap();
    assert!(!format!("{cluster:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_configuration_that_is_no_good_names_the_file_and_what_is_wrong() {
    let file = kubeconfig("https://127.0.0.1:1");
    let path = file.path().to_str().unwrap();
    let not_yaml = NamedTempFile::new().unwrap();
    std::fs::write(not_yaml.path(), "users: [{token: hunter2\n").unwrap();
    let no_context = NamedTempFile::new().unwrap();
    std::fs::write(no_context.path(), "apiVersion: v1\nkind: Config\n").unwrap();
    let not_yaml_path = not_yaml.path().to_str().unwrap();
    let cases = [
        ("/nowhere/kubeconfig", None, "/nowhere/kubeconfig does not exist", true),
        (path, Some("no"), "has no context `no`; it has shop, torn", true),
        (path, Some("torn"), "context `torn`", false),
        (not_yaml_path, None, "is not YAML of the right form at line", false),
        (no_context.path().to_str().unwrap(), None, "has no current context", true),
    ];
    for (kubeconfig, context, expected, not_found) in cases {
        let mut builder = KubeCluster::builder().kubeconfig(kubeconfig);
        if let Some(context) = context {
            builder = builder.context(context);
        }
        let error = builder.open().await.unwrap_err();
        assert!(error.to_string().contains(expected) && error.to_string().contains(kubeconfig), "{error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
        assert_eq!(error.kind() == ErrorKind::NotFound, not_found, "{error:?}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_an_error_soon() {
    // A port that was free a moment ago refuses.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    is_unavailable_soon(&format!("https://127.0.0.1:{port}"), Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_server_that_says_nothing_is_an_error_soon() {
    // Connections are taken by the system and never answered.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (secure, plain) = (format!("https://{address}"), format!("http://{address}"));
    let limit = Duration::from_secs(10);
    tokio::join!(is_unavailable_soon(&secure, limit), is_unavailable_soon(&plain, limit));
}

async fn is_unavailable_soon(server: &str, limit: Duration) {
    let file = kubeconfig(server);
    let cluster = KubeCluster::builder().kubeconfig(file.path()).open().await.unwrap();
    let began = Instant::now();
    let scope = Scope::default();
    let (looked, listed) = tokio::join!(cluster.observe(&scope), cluster.workloads(None));
    for error in [looked.unwrap_err(), listed.unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
        assert!(error.is_retryable());
        let text = error.to_string();
        let place = format!("context `shop` of {}", file.path().display());
        assert!(text.contains(server) && text.contains(&place) && text.contains("check"), "{text}");
        assert!(!text.contains("hunter2"));
    }
    assert!(began.elapsed() < limit, "{:?}", began.elapsed());
}
