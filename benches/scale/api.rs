//! A plain client of the API server: the floor that all else is compared with, and what the bench
//! itself asks.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use flux_test_support::KubeServer;
use http::{Method, Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, ResponseFuture},
    rt::TokioExecutor,
};
use kube::{
    Config,
    client::ConfigExt,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::objects::{self, Object, Workload};

/// Sends a request over one of the connections of a client.
type Http = Arc<dyn Fn(Request<Full<Bytes>>) -> ResponseFuture + Send + Sync>;

/// A client with the rights of one token.
#[derive(Clone)]
pub(crate) struct Api {
    runtime: Arc<Runtime>,
    config: Config,
    http: Http,
    base: String,
    token: String,
}

impl Api {
    /// Returns a client of the user who may do everything, whose requests are not in the audit log.
    pub(crate) fn of_bench(runtime: &Arc<Runtime>, server: &KubeServer) -> Self {
        Self::with(runtime, server, server.token())
    }

    /// Returns a client of the user in whose name everything is measured.
    pub(crate) fn of_measured_user(runtime: &Arc<Runtime>, server: &KubeServer) -> Self {
        Self::with(runtime, server, server.restricted_token())
    }

    fn with(runtime: &Arc<Runtime>, server: &KubeServer, token: &str) -> Self {
        let file = Kubeconfig::read_from(server.kubeconfig()).expect("the kubeconfig is read");
        let options = KubeConfigOptions::default();
        let config =
            runtime.block_on(Config::from_custom_kubeconfig(file, &options)).expect("a configuration");
        Self {
            runtime: runtime.clone(),
            http: connections(&config),
            config,
            base: server.url().to_owned(),
            token: token.to_owned(),
        }
    }

    /// Creates or changes objects by one server-side apply each, so many at once on as many new
    /// connections, and returns the time.
    pub(crate) fn apply(&self, objects: &[Object], at_once: usize) -> Duration {
        let http = connections(&self.config);
        let requests: Vec<Request<Full<Bytes>>> =
            objects.iter().map(|object| self.apply_request(object)).collect();
        let (requests, next) = (Arc::new(requests), Arc::new(AtomicUsize::new(0)));
        let start = Instant::now();
        self.runtime.block_on(async {
            let workers = (0..at_once).map(|_| {
                let (http, requests, next) = (http.clone(), requests.clone(), next.clone());
                tokio::spawn(async move {
                    while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let response = http(request.clone()).await.expect("the API server answers");
                        let status = response.status();
                        let body =
                            response.into_body().collect().await.expect("the answer is whole").to_bytes();
                        assert!(status.is_success(), "{}: {}", request.uri(), String::from_utf8_lossy(&body));
                    }
                })
            });
            for worker in workers.collect::<Vec<_>>() {
                worker.await.expect("the objects are applied");
            }
        });
        start.elapsed()
    }

    fn apply_request(&self, object: &Object) -> Request<Full<Bytes>> {
        let path = format!("{}?fieldManager=bench&force=true", object.api);
        self.request(Method::PATCH, &path, "application/apply-patch+yaml", object.text.clone())
    }

    /// Changes one object by a merge patch, as another client does.
    pub(crate) fn merge(&self, path: &str, patch: &Value) {
        let path = format!("{path}?fieldManager=somebody");
        self.ask(self.request(Method::PATCH, &path, "application/merge-patch+json", patch.to_string()));
    }

    /// Returns the object or list at a path.
    pub(crate) fn get(&self, path: &str) -> Value {
        self.ask(self.request(Method::GET, path, "application/json", String::new()))
    }

    /// Counts the objects of a resource: `/apis/apps/v1/deployments`.
    pub(crate) fn count(&self, resource: &str) -> usize {
        let separator = if resource.contains('?') { '&' } else { '?' };
        let list = self.get(&format!("{resource}{separator}limit=1"));
        let listed = list["items"].as_array().map_or(0, Vec::len);
        let more = list["metadata"]["remainingItemCount"].as_u64().unwrap_or_default();
        listed + usize::try_from(more).expect("a number of objects")
    }

    /// Deletes the objects of the measurements, and their namespaces.
    pub(crate) fn clear(&self) {
        for namespace in objects::namespaces() {
            let name = namespace.api.rsplit_once('/').expect("a path").1;
            for kind in objects::KINDS {
                let all = format!("{}/namespaces/{name}/{}", kind.0, kind.1);
                self.ask(self.request(Method::DELETE, &all, "application/json", String::new()));
            }
            self.ask(self.request(Method::DELETE, &namespace.api, "application/json", String::new()));
            // Without its controller nobody else lets go of the namespace.
            let last = format!("{}/finalize", namespace.api);
            let body =
                serde_json::json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } });
            self.ask(self.request(Method::PUT, &last, "application/json", body.to_string()));
        }
    }

    /// Watches a workload, and sends the time at which it has an image. Returns when the watch has
    /// begun.
    pub(crate) fn when_it_runs(&self, workload: Workload, image: String) -> mpsc::Receiver<Instant> {
        let (seen, receiver) = mpsc::channel();
        let path = format!(
            "/apis/apps/v1/namespaces/{}/deployments?watch=1&fieldSelector=metadata.name%3D{}",
            workload.namespace(),
            workload.name()
        );
        let request = self.request(Method::GET, &path, "application/json", String::new());
        let response = self.runtime.block_on((self.http)(request)).expect("the API server answers");
        self.runtime.spawn(async move {
            let (mut body, mut line) = (response.into_body(), Vec::new());
            while let Some(Ok(frame)) = body.frame().await {
                for byte in frame.into_data().unwrap_or_default() {
                    if byte != b'\n' {
                        line.push(byte);
                        continue;
                    }
                    let event: Value = serde_json::from_slice(&line).expect("an event in JSON");
                    line.clear();
                    if event["object"]["spec"]["template"]["spec"]["containers"][0]["image"] == image.as_str()
                    {
                        // The receiver may have given up.
                        let _ = seen.send(Instant::now());
                        return;
                    }
                }
            }
        });
        receiver
    }

    fn ask(&self, request: Request<Full<Bytes>>) -> Value {
        let uri = request.uri().clone();
        let answer = self.runtime.block_on(async {
            let response: Response<_> = (self.http)(request).await?;
            let status = response.status();
            Ok::<_, Box<dyn std::error::Error>>((status, response.into_body().collect().await?.to_bytes()))
        });
        let (status, body) = answer.unwrap_or_else(|error| panic!("{uri}: {error}"));
        assert!(status.is_success(), "{uri}: {status}: {}", String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).expect("an answer in JSON")
    }

    fn request(&self, method: Method, path: &str, content: &str, body: String) -> Request<Full<Bytes>> {
        Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .header(header::CONTENT_TYPE, content)
            .header(header::ACCEPT, "application/json")
            .body(Full::from(body))
            .expect("a request")
    }
}

/// Returns a client without connections.
fn connections(config: &Config) -> Http {
    let connector = config.rustls_https_connector().expect("TLS");
    let client = Client::builder(TokioExecutor::new()).build(connector);
    Arc::new(move |request| client.request(request))
}
