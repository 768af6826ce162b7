//! One login at one host: tokens, a limit on requests at once, retries, and pauses that the host
//! asks for.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::{Bytes, BytesMut};
use flux_core::backend::{
    Clock,
    layers::{Pause, RetryPolicy},
};
use futures::TryStreamExt as _;
use jiff::{SignedDuration, Timestamp};
use oci_distribution::{
    Client, Reference, RegistryOperation,
    client::{Certificate, ClientConfig, ClientProtocol},
    manifest::OciDescriptor,
    secrets::RegistryAuth,
};
use reqwest::{
    Method, Url,
    header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue},
};
use serde::Deserialize;
use tokio::{sync::Semaphore, time::timeout};

use crate::{
    credentials::Login,
    fault::Fault,
    host::{Endpoint, Transports},
    manifest,
    retry_after::retry_after,
};

/// How requests name the program that makes them.
pub(crate) const USER_AGENT: &str = concat!("flux-registry/", env!("CARGO_PKG_VERSION"));

/// The settings that all sessions of a registry share.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) retry: RetryPolicy,
    pub(crate) timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) concurrency: usize,
    pub(crate) max_pages: usize,
    pub(crate) transports: Transports,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) authorities: Vec<Certificate>,
}

/// A request to a registry.
#[derive(Clone, Debug)]
pub(crate) enum Request<'a> {
    /// A request, with the longest answer that is taken, in bytes.
    Http(Method, Url, usize),
    /// A blob, checked against its digest, with the longest that is taken, in bytes.
    Blob(&'a OciDescriptor, usize),
}

/// An answer of a registry.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// The authorization of requests to one repository.
#[derive(Clone)]
struct Grant {
    serial: u64,
    /// `None` where the registry wants no login.
    authorization: Option<HeaderValue>,
    fresh_until: Timestamp,
}

/// The grant of one repository. Whoever needs one while another is getting it waits, and shares the
/// outcome.
#[derive(Default)]
struct Slot {
    finished: AtomicU64,
    outcome: tokio::sync::Mutex<Option<Result<Grant, Fault>>>,
}

/// One login at one host.
pub(crate) struct Session {
    pub(crate) endpoint: Endpoint,
    pub(crate) login: Option<Login>,
    settings: Arc<Settings>,
    permits: Arc<Semaphore>,
    http: reqwest::Client,
    auth: RegistryAuth,
    /// Logs in, and fetches blobs as whoever logged in.
    client: Client,
    /// Fetches blobs where no login is wanted: the other one would ask again each time whether one
    /// is.
    anonymous: OnceLock<Result<Client, Fault>>,
    slots: Mutex<HashMap<String, Arc<Slot>>>,
    grants: AtomicU64,
    pause: Pause,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("endpoint", &self.endpoint)
            .field("login", &self.login)
            .finish_non_exhaustive()
    }
}

impl Session {
    pub(crate) fn new(
        endpoint: Endpoint,
        login: Option<Login>,
        settings: Arc<Settings>,
        permits: Arc<Semaphore>,
        http: reqwest::Client,
    ) -> Result<Self, Fault> {
        let auth = match &login {
            None => RegistryAuth::Anonymous,
            Some(Login::Basic { username, password }) => {
                RegistryAuth::Basic(username.clone(), password.reveal().to_owned())
            }
            Some(Login::Token(token)) => RegistryAuth::Bearer(token.reveal().to_owned()),
        };
        Ok(Self {
            client: client(&endpoint, &settings)?,
            endpoint,
            login,
            settings,
            permits,
            http,
            auth,
            anonymous: OnceLock::new(),
            slots: Mutex::default(),
            grants: AtomicU64::new(0),
            pause: Pause::default(),
        })
    }

    /// Returns the address of something of a repository, such as `manifests/v1`.
    pub(crate) fn url(&self, repository: &str, what: &str) -> Result<Url, Fault> {
        let text = format!("{}/v2/{repository}/{what}", self.endpoint.base());
        Url::parse(&text).map_err(|e| Fault::Invalid(format!("the name gives no address: {e}")))
    }

    /// Asks, with a login if one is wanted.
    ///
    /// It asks again with a new token when the old one is refused, and again after a while when the
    /// registry is out of order, unreachable, or wants a short pause.
    pub(crate) async fn ask(&self, repository: &str, request: Request<'_>) -> Result<Answer, Fault> {
        let reference =
            Reference::with_tag(self.endpoint.authority.clone(), repository.to_owned(), "latest".to_owned());
        let mut failed = 0;
        let mut refused = None;
        loop {
            self.respect_pause().await?;
            let (fault, serial) = match self.grant(&reference, refused).await {
                Ok(grant) => match self.ask_once(&reference, &request, &grant).await {
                    Ok(answer) => return Ok(answer),
                    Err(fault) => (fault, Some(grant.serial)),
                },
                Err(fault) => (fault, None),
            };
            // A token can be refused before it expires, so one refusal is retried; a second one is
            // final.
            if matches!(fault, Fault::Unauthorized(_)) && serial.is_some() && refused.is_none() {
                refused = serial;
                continue;
            }
            failed += 1;
            if !fault.is_passing() || failed >= self.settings.retry.attempts {
                return Err(fault);
            }
            tracing::debug!(
                host = self.endpoint.authority,
                repository,
                failed,
                ?fault,
                "request failed, made again"
            );
            if let Some(until) = fault.retry_at() {
                self.pause.extend_to(until);
            } else {
                tokio::time::sleep(self.settings.retry.wait(failed)).await;
            }
        }
    }

    /// Waits while the host wants no requests, unless that is longer than a caller should wait.
    async fn respect_pause(&self) -> Result<(), Fault> {
        let now = self.settings.clock.now();
        let Some(until) = self.pause.until(now) else { return Ok(()) };
        let wait = Duration::try_from(until.duration_since(now)).unwrap_or_default();
        if wait > self.settings.retry.longest {
            return Err(Fault::RateLimited("it asked for a pause".to_owned(), Some(until)));
        }
        tokio::time::sleep(wait).await;
        Ok(())
    }

    async fn ask_once(
        &self,
        reference: &Reference,
        request: &Request<'_>,
        grant: &Grant,
    ) -> Result<Answer, Fault> {
        let answer = async {
            match request {
                Request::Http(method, url, limit) => {
                    self.http(method.clone(), url.clone(), *limit, grant).await
                }
                Request::Blob(descriptor, limit) => self.blob(reference, descriptor, *limit, grant).await,
            }
        };
        let result = self.limited(answer).await;
        if let Err(fault) = &result
            && let Some(until) = fault.retry_at()
        {
            self.pause.extend_to(until);
        }
        result
    }

    /// Runs a request when its turn comes, and not for longer than requests may take.
    async fn limited<T>(&self, request: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
        let _permit = self.permits.acquire().await;
        let limit = self.settings.timeout;
        timeout(limit, request).await.unwrap_or_else(|_| {
            Err(Fault::Unreachable(format!("no answer within {} s", limit.as_secs_f32())))
        })
    }

    async fn http(&self, method: Method, url: Url, limit: usize, grant: &Grant) -> Result<Answer, Fault> {
        let mut request = self.http.request(method, url).header(ACCEPT, manifest::ACCEPT);
        if let Some(authorization) = &grant.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        let mut response = request.send().await.map_err(Fault::of_request)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(Fault::of_request)? {
            if body.len() + chunk.len() > limit {
                return Err(too_large(limit));
            }
            body.extend_from_slice(&chunk);
        }
        let body = body.freeze();
        if status.is_success() {
            Ok(Answer { headers, body })
        } else {
            Err(Fault::of_answer(status, &body, retry_after(&headers, self.settings.clock.now())))
        }
    }

    async fn blob(
        &self,
        reference: &Reference,
        descriptor: &OciDescriptor,
        limit: usize,
        grant: &Grant,
    ) -> Result<Answer, Fault> {
        let client = if grant.authorization.is_some() {
            &self.client
        } else {
            let anonymous = self.anonymous.get_or_init(|| client(&self.endpoint, &self.settings));
            anonymous.as_ref().map_err(Fault::clone)?
        };
        let mut stream = client.pull_blob_stream(reference, descriptor).await?.stream;
        let mut body = BytesMut::new();
        let broken = |e: std::io::Error| match e.kind() {
            std::io::ErrorKind::Other => {
                Fault::Invalid("the content does not have the digest asked for".to_owned())
            }
            _ => Fault::Unreachable("the connection broke".to_owned()),
        };
        while let Some(chunk) = stream.try_next().await.map_err(broken)? {
            if body.len() + chunk.len() > limit {
                return Err(too_large(limit));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { headers: HeaderMap::new(), body: body.freeze() })
    }

    /// Returns the authorization for requests to a repository. `refused` is the grant that the
    /// registry no longer takes.
    async fn grant(&self, reference: &Reference, refused: Option<u64>) -> Result<Grant, Fault> {
        let slot = Arc::clone(lock(&self.slots).entry(reference.repository().to_owned()).or_default());
        let finished_before = slot.finished.load(Ordering::Acquire);
        let mut outcome = slot.outcome.lock().await;
        match &*outcome {
            Some(Ok(grant))
                if Some(grant.serial) != refused && grant.fresh_until > self.settings.clock.now() =>
            {
                return Ok(grant.clone());
            }
            // Refused while this one waited: asking again gives the same, and may lock an account.
            Some(Err(fault)) if slot.finished.load(Ordering::Acquire) != finished_before => {
                return Err(fault.clone());
            }
            _ => {}
        }
        let granted = self.log_in(reference).await;
        slot.finished.fetch_add(1, Ordering::Release);
        *outcome = Some(granted.clone());
        granted
    }

    async fn log_in(&self, reference: &Reference) -> Result<Grant, Fault> {
        let token = self
            .limited(async { Ok(self.client.auth(reference, &self.auth, RegistryOperation::Pull).await?) })
            .await?;
        let now = self.settings.clock.now();
        let (value, fresh_until) = match (&token, &self.login) {
            (Some(token), _) => (Some(format!("Bearer {token}")), token_fresh_until(token, now)),
            // No challenge for a token: what is left is basic authentication, or none.
            (None, Some(Login::Basic { username, password })) => {
                let pair = format!("{username}:{}", password.reveal());
                let encoded = base64::engine::general_purpose::STANDARD.encode(pair);
                (Some(format!("Basic {encoded}")), Timestamp::MAX)
            }
            (None, _) => (None, Timestamp::MAX),
        };
        let authorization = match value {
            None => None,
            Some(value) => {
                let mut header = HeaderValue::try_from(value)
                    .map_err(|_| Fault::Invalid("its token does not fit into a header".to_owned()))?;
                header.set_sensitive(true);
                Some(header)
            }
        };
        Ok(Grant { serial: self.grants.fetch_add(1, Ordering::Relaxed), authorization, fresh_until })
    }
}

fn too_large(limit: usize) -> Fault {
    Fault::Invalid(format!("it is larger than {} MiB", limit >> 20))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long a token of unknown life is used: what the specification of token servers says.
const DEFAULT_LIFE: SignedDuration = SignedDuration::from_secs(60);

/// How long before its end a token is renewed.
const MARGIN: SignedDuration = SignedDuration::from_secs(10);

/// How long a token is used whatever it says: clocks differ, and one that is refused is renewed
/// anyway.
const LEAST_LIFE: SignedDuration = SignedDuration::from_secs(5);

/// Returns when a token should be renewed: some time before it ends, if it says when.
fn token_fresh_until(token: &str, now: Timestamp) -> Timestamp {
    #[derive(Deserialize)]
    struct Claims {
        exp: i64,
    }
    let after = |life| now.checked_add(life).unwrap_or(Timestamp::MAX);
    let claims = token.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let end = claims
        .and_then(|json| serde_json::from_slice::<Claims>(&json).ok())
        .and_then(|claims| Timestamp::from_second(claims.exp).ok());
    match end {
        Some(end) => end.checked_sub(MARGIN).unwrap_or(Timestamp::MIN).max(after(LEAST_LIFE)),
        None => after(DEFAULT_LIFE - MARGIN),
    }
}

fn client(endpoint: &Endpoint, settings: &Settings) -> Result<Client, Fault> {
    let mut config = ClientConfig {
        protocol: if endpoint.plain { ClientProtocol::Http } else { ClientProtocol::Https },
        extra_root_certificates: settings.authorities.clone(),
        // Tokens are renewed here, before the client would; it must not forget them earlier.
        default_token_expiration_secs: 24 * 3600,
        read_timeout: Some(settings.timeout),
        connect_timeout: Some(settings.connect_timeout),
        user_agent: USER_AGENT,
        ..ClientConfig::default()
    };
    if endpoint.loopback {
        // The client has no switch against the environment's proxy; another one that is not for
        // this machine is one.
        config.http_proxy = Some("http://127.0.0.1:9".to_owned());
        config.no_proxy = Some("localhost,127.0.0.0/8,::1".to_owned());
    }
    // `Client::new` would fall back to a configuration without these certificates and time limits.
    Client::try_from(config).map_err(Fault::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_renewed_before_it_ends() {
        let now: Timestamp = "2024-05-01T10:00:00Z".parse().unwrap();
        let jwt = |claims: &str| format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(claims));
        let exp = |seconds: i64| jwt(&format!(r#"{{"exp":{}}}"#, now.as_second() + seconds));
        for (token, life) in [
            ("opaque".to_owned(), 50),
            (exp(300), 290),
            (exp(12), 5),
            (exp(-300), 5),
            (jwt("{}"), 50),
            ("a.b.c".to_owned(), 50),
        ] {
            let until = token_fresh_until(&token, now);
            assert_eq!(until.duration_since(now).as_secs(), life, "{token}");
        }
    }
}
