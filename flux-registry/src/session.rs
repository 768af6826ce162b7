//! One login at one host: tokens, a limit on requests at once, retries, and pauses that the host
//! asks for.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
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
use jiff::{SignedDuration, Timestamp};
use reqwest::{
    Method, StatusCode, Url,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue},
};
use serde::Deserialize;
use tokio::{sync::Semaphore, time::timeout};

use crate::{
    credentials::{Login, strike_out},
    fault::Fault,
    host::{Endpoint, Transports},
    manifest,
    retry_after::retry_after,
    token,
};

/// How requests name the program that makes them.
pub(crate) const USER_AGENT: &str = concat!("flux-registry/", env!("CARGO_PKG_VERSION"));

/// The settings that all sessions of a registry share.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) retry: RetryPolicy,
    pub(crate) timeout: Duration,
    pub(crate) concurrency: usize,
    pub(crate) max_pages: usize,
    pub(crate) max_tags: usize,
    pub(crate) transports: Transports,
    pub(crate) clock: Arc<dyn Clock>,
}

/// A request to a registry.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    /// A request for tags or manifests, with the longest answer that is taken, in bytes.
    Http(Method, Url, usize),
    /// A request for a blob, with the longest that is taken, in bytes.
    Blob(Url, usize),
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
    ) -> Self {
        Self {
            endpoint,
            login,
            settings,
            permits,
            http,
            slots: Mutex::default(),
            grants: AtomicU64::new(0),
            pause: Pause::default(),
        }
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
    pub(crate) async fn ask(&self, repository: &str, request: Request) -> Result<Answer, Fault> {
        let mut failed = 0;
        let mut refused = None;
        loop {
            self.respect_pause().await?;
            let (fault, serial) = match self.grant(repository, refused).await {
                Ok(grant) => match self.ask_once(&request, &grant).await {
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

    async fn ask_once(&self, request: &Request, grant: &Grant) -> Result<Answer, Fault> {
        let (request, limit) = match request {
            Request::Http(method, url, limit) => {
                (self.http.request(method.clone(), url.clone()).header(ACCEPT, manifest::ACCEPT), *limit)
            }
            Request::Blob(url, limit) => (self.http.get(url.clone()), *limit),
        };
        let request = match &grant.authorization {
            // A redirect to another host does not take it along.
            Some(authorization) => request.header(AUTHORIZATION, authorization.clone()),
            None => request,
        };
        let result = match self.limited(self.send(request, limit)).await {
            Ok((status, answer)) if status.is_success() => Ok(answer),
            Ok((status, answer)) => Err(self.fault(status, &answer, grant.authorization.as_ref())),
            Err(fault) => Err(fault),
        };
        if let Err(fault) = &result
            && let Some(until) = fault.retry_at()
        {
            self.pause.extend_to(until);
        }
        result
    }

    /// Returns the fault that an answer is, without the secrets that it may repeat.
    ///
    /// They are struck out before anything is cut off, or a part of one could stay.
    fn fault(&self, status: StatusCode, answer: &Answer, authorization: Option<&HeaderValue>) -> Fault {
        let body = self.without_secrets(&answer.body, authorization);
        Fault::of_answer(status, body.as_bytes(), retry_after(&answer.headers, self.settings.clock.now()))
    }

    fn without_secrets(&self, body: &[u8], authorization: Option<&HeaderValue>) -> String {
        let text = String::from_utf8_lossy(body);
        let granted = authorization.and_then(|value| value.to_str().ok());
        let granted = granted.and_then(|value| value.split_once(' ')).map_or("", |(_, secret)| secret);
        let text = strike_out(&text, granted);
        self.login.as_ref().map_or(text.clone(), |login| login.redact(&text))
    }

    /// Runs a request when its turn comes, and not for longer than requests may take.
    async fn limited<T>(&self, request: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
        let _permit = self.permits.acquire().await;
        let limit = self.settings.timeout;
        timeout(limit, request).await.unwrap_or_else(|_| {
            Err(Fault::Unreachable(format!("no answer within {} s", limit.as_secs_f32())))
        })
    }

    /// Sends a request, and reads its answer if it is not longer than `limit` bytes.
    async fn send(
        &self,
        request: reqwest::RequestBuilder,
        limit: usize,
    ) -> Result<(StatusCode, Answer), Fault> {
        let mut response = request.send().await.map_err(Fault::of_request)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(Fault::of_request)? {
            if body.len() + chunk.len() > limit {
                return Err(too_large(limit));
            }
            body.extend_from_slice(&chunk);
        }
        Ok((status, Answer { headers, body: body.freeze() }))
    }

    /// Returns the authorization for requests to a repository. `refused` is the grant that the
    /// registry no longer takes.
    async fn grant(&self, repository: &str, refused: Option<u64>) -> Result<Grant, Fault> {
        let slot = Arc::clone(lock(&self.slots).entry(repository.to_owned()).or_default());
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
        let granted = self.log_in(repository).await;
        slot.finished.fetch_add(1, Ordering::Release);
        *outcome = Some(granted.clone());
        granted
    }

    async fn log_in(&self, repository: &str) -> Result<Grant, Fault> {
        let token = match &self.login {
            Some(Login::Token(token)) => Some(token.reveal().to_owned()),
            login => self.token(repository, login.as_ref()).await?,
        };
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

impl Session {
    /// Returns a token of the token server, if the registry asks for one.
    async fn token(&self, repository: &str, login: Option<&Login>) -> Result<Option<String>, Fault> {
        let version = self.http.get(format!("{}/v2/", self.endpoint.base()));
        // What it says beside is of no interest, so it is not read.
        let version = self.limited(async { version.send().await.map_err(Fault::of_request) }).await?;
        let Some(challenge) = token::challenge(version.headers(), repository)? else { return Ok(None) };
        let request = match login {
            Some(Login::Basic { username, password }) => {
                self.http.get(challenge.address()).basic_auth(username, Some(password.reveal()))
            }
            Some(Login::Identity(identity)) => self
                .http
                .post(challenge.realm.clone())
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(challenge.form(identity.reveal())),
            Some(Login::Token(_)) | None => self.http.get(challenge.address()),
        };
        let (status, answer) = self.limited(self.send(request, token::LARGEST_ANSWER)).await?;
        if status.is_success() {
            return token::read(&answer.body).map(Some);
        }
        let body = self.without_secrets(&answer.body, None);
        Err(token::refused(status, body.as_bytes(), self.fault(status, &answer, None)))
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
