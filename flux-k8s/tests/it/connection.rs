//! A real watch while the connection to the API server is cut, frozen and restored.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use flux_core::{
    backend::{Cluster as _, Completeness, Observed},
    sync::{Outcome, Reason},
};
use flux_k8s::KubeCluster;
use flux_test_support::KubeServer;
use serde_json::Value;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

use crate::support::{apply, config_map, create, eventually, id, marked, names, open, plan, scope};

/// The state of the proxy in front of the API server.
#[derive(Clone, Copy, PartialEq)]
enum Road {
    Open,
    /// Connections are closed, and so is each new one at once.
    Cut,
    /// Connections stay open, and no data comes through.
    Frozen,
}

/// Starts a proxy in front of the API server; returns its address and the sender of its state.
async fn road(server: &KubeServer) -> (SocketAddr, Arc<watch::Sender<Road>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (state, to) = (Arc::new(watch::Sender::new(Road::Open)), server.url().replace("https://", ""));
    let changes = state.clone();
    tokio::spawn(async move {
        let mut passages = JoinSet::new();
        while let Ok((mut inner, _)) = listener.accept().await {
            let (to, mut state) = (to.clone(), changes.subscribe());
            passages.spawn(async move {
                let mut outer = TcpStream::connect(to).await.unwrap();
                loop {
                    let now = *state.borrow_and_update();
                    let over = match now {
                        Road::Cut => true,
                        Road::Frozen => state.changed().await.is_err(),
                        Road::Open => tokio::select! {
                            _ = copy_bidirectional(&mut inner, &mut outer) => true,
                            changed = state.changed() => changed.is_err(),
                        },
                    };
                    if over {
                        return;
                    }
                }
            });
        }
    });
    (address, state)
}

async fn open_by(server: &KubeServer, address: SocketAddr) -> KubeCluster {
    let config = std::fs::read_to_string(server.kubeconfig()).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), config.replace(server.url(), &format!("https://{address}"))).unwrap();
    KubeCluster::builder().kubeconfig(file.path()).open().await.unwrap()
}

fn value(observed: &Observed, object: &Value) -> Option<String> {
    observed.objects.get(&id(object))?.at("/data/key")?.as_str().map(str::to_owned)
}

#[tokio::test]
async fn a_cut_is_reported_as_stale_and_what_happened_meanwhile_is_seen_after_it() {
    let Some(server) = flux_test_support::kube() else { return };
    let namespace = server.namespace("cut");
    let (address, road) = road(&server).await;
    let cluster = open_by(&server, address).await;
    let objects = ["kept", "gone"].map(|name| marked(config_map(&namespace, name, "1")));
    let wanted = scope(&objects);
    apply(&cluster, objects.iter().map(|o| create(0, o.clone())).collect()).await;
    let seen = cluster.observe(&wanted).await.unwrap();
    assert!(seen.completeness.is_complete(), "{:?}", seen.completeness);

    road.send_replace(Road::Cut);
    server.kubectl(&["-n", &namespace, "patch", "configmap", "kept", "-p", r#"{"data":{"key":"2"}}"#]);
    server.kubectl(&["-n", &namespace, "delete", "configmap", "gone"]);
    eventually("what is seen is stale", async || {
        let seen = cluster.observe(&wanted).await.unwrap();
        assert_eq!(names(&seen.value, &namespace), ["gone", "kept"], "what was seen is still reported");
        matches!(seen.completeness, Completeness::Stale { .. }).then_some(())
    })
    .await;

    road.send_replace(Road::Open);
    eventually("all is seen again", async || {
        let seen = cluster.observe(&wanted).await.unwrap();
        let fresh = seen.completeness.is_complete() && names(&seen.value, &namespace) == ["kept"];
        (fresh && value(&seen.value, &objects[0]).as_deref() == Some("2")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_server_that_freezes_during_an_apply_is_given_up_soon() {
    let Some(server) = flux_test_support::kube() else { return };
    let namespace = server.namespace("frozen");
    let (address, road) = road(&server).await;
    let cluster = open_by(&server, address).await;
    apply(&cluster, vec![create(0, config_map(&namespace, "before", "1"))]).await;

    road.send_replace(Road::Frozen);
    let steps = (0..100).map(|n| create(0, config_map(&namespace, &format!("c{n}"), "1"))).collect();
    let began = Instant::now();
    let report = cluster.apply(&plan(steps), &()).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(14), "{:?}", began.elapsed());
    assert_eq!(report.resources.len(), 100);
    for resource in &report.resources {
        assert_eq!(
            (resource.outcome, resource.reason),
            (Outcome::Failed, Reason::Unavailable),
            "{resource:?}"
        );
    }
}

#[tokio::test]
async fn dropping_the_cluster_ends_its_watches() {
    let Some(server) = flux_test_support::kube() else { return };
    let namespace = server.namespace("drop");
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    let cluster = open(&server).await;
    cluster.observe(&scope([&config_map(&namespace, "a", "1")])).await.unwrap();
    cluster.workloads(Some(&namespace)).await.unwrap();
    assert!(tasks() > before);
    drop(cluster);
    eventually("no task is left", async || (tasks() <= before).then_some(())).await;
}
