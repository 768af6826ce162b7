//! [`OciRegistry`]: from names and tags to sessions, and from what they found to observations.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use flux_core::{
    backend::{Completeness, Images, Observation, Registry, Result, Tags},
    image::{ImageName, Tag},
};
use reqwest::Method;
use tokio::sync::Semaphore;

use crate::{
    cache::Cache,
    credentials::{Credentials, Login},
    fault::{About, Fault},
    helper::Helpers,
    host::{Clients, Endpoint},
    inspect::Inspector,
    page,
    pager::{Next, PAGE_SIZE, Pager},
    session::{Request, Session, Settings},
};

/// The largest page of tags that is read, in bytes.
const LARGEST_PAGE: usize = 16 << 20;

/// How many logins of a host are remembered although nobody asks with them.
const SESSIONS: usize = 64;

/// A [`Registry`] over the OCI distribution API. It serves images of any host; make one for a
/// process and share it.
///
/// - Errors that concern the whole repository (no login, too many requests, no answer) end a call
///   when no tag could be looked at, and make the observation partial when some could.
/// - A repository is missing, or hidden from who is not logged in, as
///   [`NotFound`](flux_core::backend::ErrorKind::NotFound) or
///   [`Unauthorized`](flux_core::backend::ErrorKind::Unauthorized): many registries do not tell
///   these apart.
pub struct OciRegistry {
    pub(crate) settings: Arc<Settings>,
    pub(crate) credentials: Credentials,
    pub(crate) helpers: Helpers,
    pub(crate) cache: Cache,
    pub(crate) clients: Clients,
    pub(crate) hosts: Mutex<HashMap<String, Host>>,
}

/// The things that all logins at a host share, and the logins.
#[derive(Debug)]
pub(crate) struct Host {
    permits: Arc<Semaphore>,
    sessions: HashMap<Option<Login>, Arc<Session>>,
}

impl fmt::Debug for OciRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OciRegistry")
            .field("credentials", &self.credentials)
            .field("insecure_hosts", &self.settings.transports)
            .finish_non_exhaustive()
    }
}

impl OciRegistry {
    fn session(&self, endpoint: &Endpoint, login: Option<&Login>) -> Arc<Session> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let host = hosts.entry(endpoint.authority.clone()).or_insert_with(|| Host {
            permits: Arc::new(Semaphore::new(self.settings.concurrency)),
            sessions: HashMap::new(),
        });
        if let Some(session) = host.sessions.get(&login.cloned()) {
            return Arc::clone(session);
        }
        let session = Arc::new(Session::new(
            endpoint.clone(),
            login.cloned(),
            Arc::clone(&self.settings),
            Arc::clone(&host.permits),
            self.clients.of(endpoint).clone(),
        ));
        if host.sessions.len() >= SESSIONS {
            // Those of logins that helpers have made anew since, among others.
            host.sessions.retain(|_, session| Arc::strong_count(session) > 1);
        }
        host.sessions.insert(login.cloned(), Arc::clone(&session));
        session
    }

    /// Lists all tags of a repository, and why some are missing.
    ///
    /// Where a page fails that is not the first, those before it are the answer, and the failure
    /// says why some are missing.
    async fn list(
        &self,
        session: &Session,
        repository: &str,
        about: &About<'_>,
    ) -> Result<(Tags, Option<String>), Fault> {
        let first = session.url(repository, &format!("tags/list?n={PAGE_SIZE}"))?;
        let mut pager = Pager::new(first.clone(), self.settings.max_pages, self.settings.max_tags);
        let mut next = Next::Page(first);
        loop {
            let at = match next {
                Next::Page(at) => at,
                Next::End => return Ok((pager.into_tags(), None)),
                Next::Truncated(why) => return Ok((pager.into_tags(), Some(why))),
            };
            let answer = session.ask(repository, Request::Http(Method::GET, at.clone(), LARGEST_PAGE)).await;
            // Some lists have tags twice; more than that tells that there are more than are taken.
            let most = self.settings.max_tags.saturating_mul(2).saturating_add(1);
            let read = answer.and_then(|answer| Ok((page::read(&answer.body, most)?, answer.headers)));
            let (page, headers) = match read {
                Ok(read) => read,
                Err(fault) if pager.pages() > 1 => {
                    let error = about.error(&fault);
                    let (pages, tags) = (pager.pages() - 1, pager.tags());
                    let why = format!("only the first {pages} pages with {tags} tags could be read: {error}");
                    return Ok((pager.into_tags(), Some(why)));
                }
                Err(fault) => return Err(fault),
            };
            let links = headers.get_all("link").iter().filter_map(|link| link.to_str().ok());
            next = pager.page(&at, &page.names, links);
            if page.is_cut && !matches!(next, Next::Truncated(_)) {
                next = Next::Truncated(pager.too_many());
            }
        }
    }
}

#[async_trait]
impl Registry for OciRegistry {
    async fn tags(&self, name: &ImageName) -> Result<Observation<Tags>> {
        let access = self.access(name).await;
        let (session, about) = (&access.session, access.about(name));
        let listed = self.list(session, &name.repository(), &about).await;
        let (value, missing) = listed.map_err(|fault| about.error(&fault))?;
        let completeness = match missing {
            None => Completeness::Complete,
            Some(why) => Completeness::Partial(vec![format!("tags of {name}: {why}")]),
        };
        Ok(Observation { value, completeness, authority: about.authority() })
    }

    async fn inspect(&self, name: &ImageName, tags: &[Tag]) -> Result<Observation<Images>> {
        let access = self.access(name).await;
        let (session, about) = (&access.session, access.about(name));
        let inspector = Inspector {
            session,
            cache: &self.cache,
            repository: &name.repository(),
            concurrency: self.settings.concurrency,
        };
        let images = inspector.at(tags).await;
        let faults = || images.values().filter_map(|image| image.as_ref().err());
        if !images.is_empty()
            && faults().filter(|fault| fault.is_of_repository()).count() == images.len()
            && let Some(fault) = faults().next()
        {
            return Err(about.error(fault));
        }
        // Once for each reason, not for each tag.
        let open: BTreeSet<String> = faults()
            .filter(|fault| fault.leaves_open())
            .map(|fault| about.error(fault).to_string())
            .collect();
        let completeness = if open.is_empty() {
            Completeness::Complete
        } else {
            Completeness::Partial(open.into_iter().collect())
        };
        let value = images
            .iter()
            .map(|(tag, image)| {
                (tag.clone(), image.clone().map_err(|fault| about.inspect_error(tag, &fault)))
            })
            .collect();
        Ok(Observation { value, completeness, authority: about.authority() })
    }
}

impl OciRegistry {
    async fn access(&self, name: &ImageName) -> Access {
        let endpoint = Endpoint::of(name, &self.settings.transports);
        let (login, hint) = self.login(name).await;
        Access { session: self.session(&endpoint, login.as_ref()), hint }
    }

    /// Returns the login for an image, or why there is none although its user thinks so.
    ///
    /// Without the login of a helper that fails, public images can still be read.
    async fn login(&self, name: &ImageName) -> (Option<Login>, Option<String>) {
        let Some(helper) = self.credentials.helper(name) else {
            let hint = self.credentials.hint(name).map(str::to_owned);
            return (self.credentials.login(name).cloned(), hint);
        };
        match self.helpers.login(helper, name, self.settings.clock.now()).await {
            Ok(Some(login)) => (Some(login), None),
            Ok(None) => (None, Some(format!("the credential helper `{helper}` has none"))),
            Err(problem) => (None, Some(problem)),
        }
    }
}

/// The way to the registry of an image.
struct Access {
    /// The requests, under the login that there is.
    session: Arc<Session>,
    /// Why there is none although its user thinks so.
    hint: Option<String>,
}

impl Access {
    /// Returns the subject of its faults.
    fn about<'a>(&'a self, name: &'a ImageName) -> About<'a> {
        let login = self.session.login.as_ref();
        About {
            name,
            host: &self.session.endpoint.authority,
            user: login.map(Login::authority),
            hint: self.hint.as_deref(),
            login,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_that_helpers_make_anew_are_not_remembered_for_ever() {
        let registry = OciRegistry::builder().build().unwrap();
        let endpoint = Endpoint::of(&"a.io/x".parse().unwrap(), &registry.settings.transports);
        let login = |n: usize| Login::Token(n.to_string().into());
        let in_use = registry.session(&endpoint, Some(&login(0)));
        for n in 1..10 * SESSIONS {
            registry.session(&endpoint, Some(&login(n)));
        }
        let hosts = registry.hosts.lock().unwrap();
        let sessions = &hosts[&endpoint.authority].sessions;
        assert!(sessions.len() <= SESSIONS, "{} are kept", sessions.len());
        assert!(Arc::ptr_eq(&sessions[&Some(login(0))], &in_use));
    }
}
