//! One object of the API server, and the requests that make it what git says.
//!
//! Mostly it is one apply. Field ownership may have to change hands before, and what the server
//! refuses may be tried in another way, if the plan says so.

use std::time::Duration;

use flux_core::{
    Object,
    sync::{ApplyOptions, Takeover, content_digest, deletion, marked_as_created},
};
use kube::core::{
    ApiResource,
    params::{DeleteParams, Preconditions},
};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::{
    failure::{Failure, FailureKind},
    http::{Answer, Http},
};

/// How long an object that is deleted to be created anew may take to go.
const GOING: Duration = Duration::from_secs(30);
/// How often it is looked whether it has gone.
const LOOK: Duration = Duration::from_millis(200);

/// How often ownership is tried to change hands beside others who write.
const TRIES: usize = 5;

/// An object that requests are about.
pub(crate) struct Recipient<'a> {
    pub(crate) http: &'a Http,
    pub(crate) resource: &'a ApiResource,
    pub(crate) namespace: Option<&'a str>,
    pub(crate) name: &'a str,
}

/// An object that was applied.
pub(crate) struct Applied {
    pub(crate) answer: Answer,
    /// `true` if it was refused at first, and fields that stood in its way went.
    pub(crate) cleared: bool,
}

impl From<Answer> for Applied {
    fn from(answer: Answer) -> Self {
        Self { answer, cleared: false }
    }
}

impl Recipient<'_> {
    /// Applies an object as the plan says.
    pub(crate) async fn apply(&self, object: &Object, options: &ApplyOptions) -> Result<Applied, Failure> {
        let mut owned = None;
        if let Some((takeover, before)) =
            options.takeover.as_ref().and_then(|t| Some((t, t.before.as_ref()?)))
        {
            owned = Some(self.own(&takeover.resource_version, &takeover.seen, before).await?);
        }
        let failure = match self.send(object, options).await {
            Ok(answer) => return Ok(answer.into()),
            Err(failure) => failure,
        };
        if let Some(takeover) = &options.takeover
            && let Some(answer) =
                self.clear_the_way(takeover, owned.as_ref(), object, options, &failure).await
        {
            return Ok(Applied { answer, cleared: true });
        }
        match &options.replace {
            Some(uid) if failure.kind == FailureKind::Immutable => {
                self.replace(uid, object, failure).await.map(Applied::from)
            }
            _ => Err(failure),
        }
    }

    /// Puts the mark of creation on an object that turned out not to have been there.
    pub(crate) async fn mark(&self, object: &Object, mark: &str) -> Result<Answer, Failure> {
        self.send(&marked_as_created(&object.value(), mark).into(), &ApplyOptions::default()).await
    }

    async fn send(&self, object: &Object, options: &ApplyOptions) -> Result<Answer, Failure> {
        self.http.apply(self.resource, self.namespace, self.name, object, options.force_conflicts).await
    }

    /// Lets the managed fields `to` take the place of `from`, beside what others do meanwhile:
    /// controllers write to an object that has just changed.
    async fn own(&self, version: &str, from: &Value, to: &Value) -> Result<Answer, Failure> {
        let mut version = version.to_owned();
        let mut fields = to.clone();
        for _ in 0..TRIES {
            let set =
                self.http.set_managed_fields(self.resource, self.namespace, self.name, &version, &fields);
            let failure = match set.await {
                Err(failure) if failure.kind == FailureKind::Conflict => failure,
                answer => return answer,
            };
            let live = self.http.get(self.resource, self.namespace, self.name).await?;
            fields = Takeover::rebase(from, to, &managed_fields(&live)).ok_or(failure)?;
            version = live.resource_version().to_owned();
        }
        Err(Failure::new(FailureKind::Conflict, "others change it all the time"))
    }

    /// Applies an object again, after what the server complains of has become ours; puts the
    /// ownership back if that does not help.
    ///
    /// Returns `None` if the first refusal stands.
    async fn clear_the_way(
        &self,
        takeover: &Takeover,
        owned: Option<&Answer>,
        object: &Object,
        options: &ApplyOptions,
        failure: &Failure,
    ) -> Option<Answer> {
        let second = takeover.if_refused.as_ref()?;
        let is_refused = matches!(failure.kind, FailureKind::Invalid | FailureKind::Immutable);
        if !is_refused || !second.answers(failure.fields()) {
            return None;
        }
        let (version, from) = match owned {
            Some(owned) => (owned.body.resource_version(), managed_fields(&owned.body)),
            None => (takeover.resource_version.as_str(), takeover.seen.clone()),
        };
        let to = &second.managed_fields;
        let owned = self.own(version, &from, to).await.ok()?;
        match self.send(object, options).await {
            Ok(answer) => Some(answer),
            Err(again) => {
                tracing::debug!(name = self.name, reason = %again.message, "it is refused all the same");
                if let Err(failure) = self.own(owned.body.resource_version(), to, &from).await {
                    tracing::debug!(name = self.name, reason = %failure.message, "the ownership stays");
                }
                None
            }
        }
    }

    /// Deletes an object as it was seen, or as it is when only its status has changed since: the
    /// controllers of what is being changed write to it all the time.
    pub(crate) async fn delete(&self, seen: Preconditions, content: &str) -> Result<Answer, Failure> {
        let mut seen = seen;
        for _ in 0..TRIES {
            let params = DeleteParams::background().preconditions(seen.clone());
            let failure = match self.http.delete(self.resource, self.namespace, self.name, &params).await {
                Err(failure) if failure.kind == FailureKind::Conflict => failure,
                answer => return answer,
            };
            let live = self.http.get(self.resource, self.namespace, self.name).await?;
            if Some(live.uid()) != seen.uid.as_deref() || content_digest(&live.value()) != content {
                return Err(failure);
            }
            seen.resource_version = Some(live.resource_version().to_owned());
        }
        Err(Failure::new(FailureKind::Conflict, "its status changes all the time"))
    }

    /// Deletes an object and creates it anew, if the server would take the new one.
    async fn replace(&self, uid: &str, object: &Object, immutable: Failure) -> Result<Answer, Failure> {
        self.http.would_be_created(self.resource, self.namespace, self.name, object).await?;
        let params = DeleteParams::background()
            .preconditions(Preconditions { uid: Some(uid.to_owned()), resource_version: None });
        match self.http.delete(self.resource, self.namespace, self.name, &params).await {
            Err(failure) if failure.kind != FailureKind::NotFound => return Err(failure),
            _ => {}
        }
        let began = Instant::now();
        loop {
            match self.http.get(self.resource, self.namespace, self.name).await {
                Err(failure) if failure.kind == FailureKind::NotFound => break,
                Err(failure) => return Err(failure),
                Ok(live) if live.uid() != uid => break,
                Ok(live) if began.elapsed() > GOING => return Err(still_there(&live, &immutable)),
                Ok(_) => sleep(LOOK).await,
            }
        }
        self.send(object, &ApplyOptions::default()).await
    }
}

fn managed_fields(object: &Object) -> Value {
    object.at("/metadata/managedFields").unwrap_or_default()
}

/// Returns the failure about an object that was deleted and is still there.
fn still_there(live: &Object, immutable: &Failure) -> Failure {
    let waits = deletion(&live.value()).unwrap_or_else(|| "it is still there".to_owned());
    Failure::new(
        FailureKind::Conflict,
        format!("{waits}; it is to be created anew, because {}", immutable.message),
    )
}
