//! Requests with limits.
//!
//! Each is answered within a time limit or given up, and is retried where this is safe.

use std::{sync::Arc, time::Duration};

use flux_core::{Object, sync::FIELD_MANAGER};
use kube::{
    Client, Resource as _,
    api::{ListParams, Patch, PatchParams, PostParams},
    client::Body,
    core::{
        ApiResource, Status,
        params::{DeleteParams, GetParams},
        request::{self, Request},
    },
};
use serde_json::{Value, json, value::RawValue};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    failure::{Failure, FailureKind, Target},
    raw::RawObject,
};

/// How long a read may take.
const READ: Duration = Duration::from_secs(8);
/// How long a write may take while the server shows that it lives: admission webhooks have up to 30
/// s each.
const WRITE: Duration = Duration::from_secs(65);
/// How often a server that has not answered a write is asked whether it lives, and how long it has
/// to say so.
const PULSE: Duration = Duration::from_secs(4);
/// After this time no further try is begun.
const LAST_TRY: Duration = Duration::from_secs(4);
/// The pauses between tries.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_millis(600)];

/// The API server.
#[derive(Clone)]
pub(crate) struct Http {
    pub(crate) client: Client,
    pub(crate) target: Arc<Target>,
}

/// An answer. No `Debug`: it may be a Secret.
pub(crate) struct Answer {
    /// `true` if the object was created by this request (status 201).
    pub(crate) created: bool,
    pub(crate) body: Object,
}

impl Http {
    /// Reads an object.
    pub(crate) async fn get(
        &self,
        resource: &ApiResource,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Object, Failure> {
        let request = path(resource, namespace, name)?.get(name, &GetParams::default());
        Ok(self.read(request).await?.body)
    }

    /// Reads all objects of a kind in a namespace or everywhere, page by page.
    pub(crate) async fn list(
        &self,
        resource: &ApiResource,
        namespace: Option<&str>,
    ) -> Result<Vec<Value>, Failure> {
        let mut all = Vec::new();
        self.pages(resource, namespace, None, |page| all.extend(page)).await?;
        Ok(all)
    }

    /// Reads all objects of a kind that a selector takes, page by page.
    pub(crate) async fn pages(
        &self,
        resource: &ApiResource,
        namespace: Option<&str>,
        selector: Option<&str>,
        mut take: impl FnMut(Vec<Value>),
    ) -> Result<(), Failure> {
        let request = Request::new(RawObject::url_path(resource, namespace));
        let mut params = ListParams::default().limit(500);
        params.label_selector = selector.map(str::to_owned);
        loop {
            let mut page = self.read(request.list(&params)).await?.body.value();
            if let Some(Value::Array(items)) = page.get_mut("items").map(Value::take) {
                take(items);
            }
            match page.pointer("/metadata/continue").and_then(Value::as_str).filter(|t| !t.is_empty()) {
                Some(token) => params.continue_token = Some(token.to_owned()),
                None => return Ok(()),
            }
        }
    }

    /// Returns `true` if a kind has any object with a label, in a namespace or anywhere.
    ///
    /// With `applied`, only objects count to which our field manager applied something.
    pub(crate) async fn any(
        &self,
        resource: &ApiResource,
        namespace: Option<&str>,
        selector: &str,
        applied: bool,
    ) -> Result<bool, Failure> {
        let limit = if applied { 500 } else { 1 };
        let mut params = ListParams::default().labels(selector).limit(limit);
        loop {
            let list = Request::new(RawObject::url_path(resource, namespace)).list_metadata(&params);
            let page = self.read(list).await?.body.value();
            let items = page.get("items").and_then(Value::as_array);
            if items.is_some_and(|items| items.iter().any(|item| !applied || is_applied(item))) {
                return Ok(true);
            }
            match page.pointer("/metadata/continue").and_then(Value::as_str).filter(|t| !t.is_empty()) {
                Some(token) if applied => params.continue_token = Some(token.to_owned()),
                _ => return Ok(false),
            }
        }
    }

    /// Sends an object with server-side apply.
    pub(crate) async fn apply(
        &self,
        resource: &ApiResource,
        namespace: Option<&str>,
        name: &str,
        object: &Object,
        force_conflicts: bool,
    ) -> Result<Answer, Failure> {
        let mut params = PatchParams::apply(FIELD_MANAGER).validation_strict();
        params.force = force_conflicts;
        // The text is sent as it is.
        let text = RawValue::from_string(object.text());
        let text = text.map_err(|e| Failure::from_kube(&kube::Error::SerdeError(e)))?;
        let request = path(resource, namespace, name)?.patch(name, &params, &Patch::Apply(text));
        self.write(request).await
    }

    /// Sets the managed fields of an object, if it still has the resource version given.
    ///
    /// By a JSON patch: an object whose managed fields are of a version that is no longer served
    /// takes no other.
    pub(crate) async fn set_managed_fields(
        &self,
        resource: &ApiResource,
        namespace: Option<&str>,
        name: &str,
        resource_version: &str,
        fields: &Value,
    ) -> Result<Answer, Failure> {
        let url = path(resource, namespace, name)?.url_path;
        let patch = json!([
            {"op": "replace", "path": "/metadata/managedFields", "value": fields},
            {"op": "replace", "path": "/metadata/resourceVersion", "value": resource_version},
        ]);
        let request = http::Request::patch(format!("{url}/{name}?fieldManager={FIELD_MANAGER}"))
            .header(http::header::ACCEPT, "application/json")
            .header(http::header::CONTENT_TYPE, "application/json-patch+json")
            .body(patch.to_string().into_bytes())
            .map_err(request::Error::BuildRequest);
        self.write(request).await
    }

    /// Asks whether an object could be created if none of its name were there, without doing it.
    ///
    /// # Errors
    /// The refusal of the object, by the server or by an admission plugin.
    pub(crate) async fn would_be_created(
        &self,
        resource: &ApiResource,
        namespace: Option<&str>,
        name: &str,
        object: &Object,
    ) -> Result<(), Failure> {
        let params = PostParams { dry_run: true, field_manager: Some(FIELD_MANAGER.to_owned()) };
        let body = object.text().into_bytes();
        match self.write(path(resource, namespace, name)?.create(&params, body)).await {
            // The name is taken, which is found out last.
            Err(failure) if failure.kind == FailureKind::Conflict => Ok(()),
            answer => answer.map(|_| ()),
        }
    }

    /// Deletes an object.
    pub(crate) async fn delete(
        &self,
        resource: &ApiResource,
        namespace: Option<&str>,
        name: &str,
        params: &DeleteParams,
    ) -> Result<Answer, Failure> {
        let request = path(resource, namespace, name)?.delete(name, params);
        self.write(request).await
    }

    async fn read(&self, request: Built) -> Result<Answer, Failure> {
        let request = built(request)?;
        self.reads(|| self.send(request.clone())).await
    }

    /// Something that only reads, within the time for that and with a few tries.
    pub(crate) async fn reads<T, F: Future<Output = Result<T, Failure>>>(
        &self,
        attempt: impl Fn() -> F,
    ) -> Result<T, Failure> {
        self.tries(|| async {
            timeout(READ, attempt()).await.unwrap_or_else(|_| {
                Err(Failure::new(FailureKind::Silent, format!("no answer within {READ:?}")))
            })
        })
        .await
    }

    /// Sends a request within the time for a read, and only once: for what may be lost.
    pub(crate) async fn once(&self, request: Built) -> Result<Answer, Failure> {
        let silent = |_| Err(Failure::new(FailureKind::Silent, format!("no answer within {READ:?}")));
        timeout(READ, self.send(built(request)?)).await.unwrap_or_else(silent)
    }

    async fn write(&self, request: Built) -> Result<Answer, Failure> {
        let request = built(request)?;
        self.tries(|| async {
            tokio::select! {
                answer = self.send(request.clone()) => answer,
                failure = self.pulse() => Err(failure),
            }
        })
        .await
    }

    /// Ends when the server seems dead, or the time for a write is over.
    async fn pulse(&self) -> Failure {
        let began = Instant::now();
        while began.elapsed() < WRITE {
            sleep(PULSE).await;
            let alive = match http::Request::get("/version").body(Vec::new()) {
                // Any answer will do.
                Ok(ask) => timeout(PULSE, self.client.send(ask.map(Body::from))).await,
                Err(_) => continue,
            };
            match alive {
                Ok(Ok(_)) => {}
                Ok(Err(e)) => return Failure::from_kube(&e),
                Err(_) => {
                    return Failure::new(
                        FailureKind::Unreachable,
                        format!("no sign of life within {PULSE:?}"),
                    );
                }
            }
        }
        Failure::new(
            FailureKind::Broken,
            format!("no answer within {WRITE:?}; a slow admission webhook may be why"),
        )
    }

    /// Tries up to three times, as long as failures look passing. All our requests are idempotent:
    /// applying again is applying, and a deletion names the uid.
    async fn tries<T, F: Future<Output = Result<T, Failure>>>(
        &self,
        attempt: impl Fn() -> F,
    ) -> Result<T, Failure> {
        let began = Instant::now();
        for pause in PAUSES {
            match attempt().await {
                Err(failure) if failure.is_passing() => {
                    let pause = failure.retry_after.unwrap_or_default().max(pause);
                    if began.elapsed() + pause > LAST_TRY {
                        return Err(failure);
                    }
                    tracing::debug!(server = %self.target.server, reason = %failure.message, "trying again");
                    sleep(pause).await;
                }
                done => return done,
            }
        }
        attempt().await
    }

    async fn send(&self, request: http::Request<Vec<u8>>) -> Result<Answer, Failure> {
        let response = self.client.send(request.map(Body::from)).await.map_err(|e| Failure::from_kube(&e))?;
        let status = response.status();
        let body = response.into_body().collect_bytes().await.map_err(|e| Failure::from_kube(&e))?;
        if !status.is_success() {
            return Err(refusal(status.as_u16(), &body));
        }
        let garbled = |e| Failure::from_kube(&kube::Error::SerdeError(e));
        let body: &RawValue = serde_json::from_slice(&body).map_err(garbled)?;
        let body = Object::from_raw(body).map_err(garbled)?;
        Ok(Answer { created: status.as_u16() == 201, body })
    }
}

/// Returns `true` if our field manager applied something to an object.
fn is_applied(object: &Value) -> bool {
    let entries = object.pointer("/metadata/managedFields").and_then(Value::as_array);
    entries.into_iter().flatten().any(|entry| {
        entry.get("manager").and_then(Value::as_str) == Some(FIELD_MANAGER)
            && entry.get("operation").and_then(Value::as_str) == Some("Apply")
    })
}

type Built = Result<http::Request<Vec<u8>>, request::Error>;

fn built(request: Built) -> Result<http::Request<Vec<u8>>, Failure> {
    request.map_err(|e| Failure::new(FailureKind::Invalid, format!("no request can be made of it: {e}")))
}

/// Returns the failure that an answer outside of 2xx describes.
fn refusal(code: u16, body: &[u8]) -> Failure {
    let mut status = serde_json::from_slice::<Status>(body)
        .ok()
        .filter(|status| !status.message.is_empty() || !status.reason.is_empty())
        .unwrap_or_else(|| {
            // Not from an API server: a proxy, a load balancer.
            let text = String::from_utf8_lossy(body).chars().take(200).collect::<String>();
            Status::failure(&format!("HTTP status {code} {text}"), "")
        });
    status.code = code;
    Failure::from_status(&status)
}

/// The request of an object's path; a name that would lead elsewhere is refused.
fn path(resource: &ApiResource, namespace: Option<&str>, name: &str) -> Result<Request, Failure> {
    for segment in namespace.iter().copied().chain([name]) {
        if !is_segment(segment) {
            return Err(Failure::new(FailureKind::Invalid, format!("`{segment}` cannot be a name")));
        }
    }
    Ok(Request::new(RawObject::url_path(resource, namespace)))
}

/// Returns `true` if a name is one segment of a path, as every name of an object is.
pub(crate) fn is_segment(name: &str) -> bool {
    !matches!(name, "" | "." | "..")
        && name.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '/' | '%' | '?' | '#' | '\\' | '"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_segment_of_a_path() {
        for good in ["web", "system:node", "a.b-c", "x_y"] {
            assert!(is_segment(good), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "../secrets/x", "a?b", "a#b", "a%2f", "a b", "ä", "a\n"] {
            assert!(!is_segment(bad), "{bad:?}");
        }
    }

    #[test]
    fn an_answer_that_is_no_status_is_reported_by_its_code() {
        let failure = refusal(502, b"<html>bad gateway</html>");
        assert_eq!(failure.kind, FailureKind::Overloaded);
        assert!(failure.message.contains("502"));
        assert_eq!(refusal(404, b"").kind, FailureKind::NotFound);
    }
}
