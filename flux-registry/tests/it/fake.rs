//! A scripted registry, for behaviour that a real one does not show on demand.

use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use flux_core::backend::layers::RetryPolicy;
use flux_registry::{OciRegistry, OciRegistryBuilder};
use http_body_util::Full;
use hyper::{Request, Response, body::Bytes, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// A request that the server got.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) authorization: Option<String>,
    /// The number of requests before it.
    pub(crate) number: usize,
    /// The server's own address, `http://127.0.0.1:PORT`.
    pub(crate) base: String,
}

/// The answer of the server to a request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Answer {
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: Vec<u8>,
        after: Duration,
    },
    /// Answers only after all tests have long given up.
    Hang,
}

impl Reply {
    pub(crate) fn status(status: u16) -> Self {
        Self::Answer { status, headers: Vec::new(), body: Vec::new(), after: Duration::ZERO }
    }

    pub(crate) fn json(body: &serde_json::Value) -> Self {
        Self::status(200).body(body.to_string())
    }

    pub(crate) fn tags(tags: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let tags: Vec<String> = tags.into_iter().map(Into::into).collect();
        Self::json(&serde_json::json!({"name": "any", "tags": tags}))
    }

    pub(crate) fn header(mut self, key: &'static str, value: impl Into<String>) -> Self {
        if let Self::Answer { headers, .. } = &mut self {
            headers.push((key, value.into()));
        }
        self
    }

    /// Delays the answer.
    pub(crate) fn after(mut self, time: Duration) -> Self {
        if let Self::Answer { after, .. } = &mut self {
            *after = time;
        }
        self
    }

    pub(crate) fn body(mut self, content: impl Into<Vec<u8>>) -> Self {
        if let Self::Answer { body, .. } = &mut self {
            *body = content.into();
        }
        self
    }
}

/// A server on a loopback port, for as long as its runtime lives.
#[derive(Clone, Debug)]
pub(crate) struct Fake {
    pub(crate) host: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    at_once: Arc<AtomicUsize>,
}

impl Fake {
    pub(crate) async fn start(handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fake = Self {
            host: listener.local_addr().unwrap().to_string(),
            seen: Arc::default(),
            at_once: Arc::default(),
        };
        let (served, handler) = (fake.clone(), Arc::new(handler));
        tokio::spawn(async move {
            let running = Arc::new(AtomicUsize::new(0));
            while let Ok((stream, _)) = listener.accept().await {
                let (served, handler, running) = (served.clone(), Arc::clone(&handler), Arc::clone(&running));
                tokio::spawn(async move {
                    let service = service_fn(|request: Request<hyper::body::Incoming>| {
                        let seen = served.record(&request);
                        served
                            .at_once
                            .fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        let (reply, running) = (handler(&seen), Arc::clone(&running));
                        async move {
                            // Others get their turn while this request is being answered.
                            tokio::task::yield_now().await;
                            let wait = match &reply {
                                Reply::Hang => Duration::from_secs(600),
                                Reply::Answer { after, .. } => *after,
                            };
                            tokio::time::sleep(wait).await;
                            running.fetch_sub(1, Ordering::SeqCst);
                            Ok::<_, Infallible>(respond(reply))
                        }
                    });
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        fake
    }

    fn record(&self, request: &Request<hyper::body::Incoming>) -> Seen {
        let mut all = self.seen.lock().unwrap();
        let seen = Seen {
            method: request.method().to_string(),
            path: request.uri().path().to_owned(),
            query: request.uri().query().unwrap_or_default().to_owned(),
            authorization: request.headers().get("authorization").map(|v| v.to_str().unwrap().to_owned()),
            number: all.len(),
            base: format!("http://{}", self.host),
        };
        all.push(seen.clone());
        seen
    }

    /// Returns the requests so far, `METHOD /path`, and forgets them.
    pub(crate) fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }

    /// Returns the number of requests so far whose path contains `part`.
    pub(crate) fn count(&self, part: &str) -> usize {
        self.seen.lock().unwrap().iter().filter(|seen| seen.path.contains(part)).count()
    }

    /// Returns the highest number of requests that were answered at the same time.
    pub(crate) fn most_at_once(&self) -> usize {
        self.at_once.load(Ordering::SeqCst)
    }

    /// Returns an image of this server.
    pub(crate) fn name(&self, repository: &str) -> flux_core::image::ImageName {
        format!("{}/{repository}", self.host).parse().unwrap()
    }
}

fn respond(reply: Reply) -> Response<Full<Bytes>> {
    let Reply::Answer { status, headers, body, .. } = reply else { return Response::default() };
    let mut response = Response::builder().status(status);
    for (key, value) in headers {
        response = response.header(key, value);
    }
    response.body(Full::new(Bytes::from(body))).unwrap()
}

/// Returns a registry that retries without waiting for long.
pub(crate) fn registry() -> OciRegistryBuilder {
    OciRegistry::builder().retry(RetryPolicy {
        attempts: 3,
        first: Duration::from_millis(1),
        longest: Duration::from_millis(10),
    })
}

pub(crate) fn tag(text: &str) -> flux_core::image::Tag {
    text.parse().unwrap()
}

pub(crate) fn tags(texts: &[&str]) -> Vec<flux_core::image::Tag> {
    texts.iter().map(|text| tag(text)).collect()
}
