//! A repository behind a server: mirrored, asked for its tip each time, fetched when it moved, pushed to as compare-and-swap.
//!
//! Branch and notes go in one push. The branch is only ever moved from the base: just before sending, what the server says its references are
//! at is compared, and the server compares again under its own lock. The notes follow: when only their history moved, they are attached anew
//! to its new tip and pushed again, and a server that doesn't take them still gets the branch.

use std::sync::{Mutex, PoisonError};

use flux_core::backend::RepoError;
use git2::{
    AutotagOption, Direction, FetchOptions, ObjectType, Oid, ProxyOptions, PushOptions, RemoteConnection,
    Repository,
};

use crate::{
    credentials::Credentials,
    errors::{RefAnswer, git_error, ref_answer},
    local::no_branch,
    mirror::Mirror,
    objects,
    session::{Cancel, Session},
    store::Loan,
    upstream::{ATTEMPTS, Landing, Upstream, pause},
    url::RepoUrl,
};

#[derive(Debug)]
pub(crate) struct Remote {
    url: RepoUrl,
    mirror: Mirror,
    credentials: Credentials,
    branch: Option<String>,
    notes_ref: String,
    /// Of the URL: sets the references of several upstreams in one mirror apart.
    key: String,
    /// The full name of the branch that was last found, when none is configured.
    found_branch: Mutex<Option<String>>,
}

/// The references of upstream that matter.
#[derive(Clone, Debug)]
struct Heads {
    branch_ref: String,
    tip: Oid,
    notes: Option<Oid>,
}

/// What became of a push.
#[derive(Debug)]
enum Pushed {
    /// Nothing was sent, as upstream was not as expected: what its references are at.
    NotSent(Vec<(String, Oid)>),
    /// The server answered, reference by reference.
    Answered(Vec<(String, RefAnswer)>),
}

/// Why upstream could not be looked at.
#[derive(Debug)]
enum Trouble {
    /// Because of upstream, or of the way there.
    Upstream(RepoError),
    /// Upstream was there, but the mirror could not take in what it has.
    Mirror(RepoError),
}

impl From<RepoError> for Trouble {
    fn from(error: RepoError) -> Self {
        Self::Upstream(error)
    }
}

impl From<Trouble> for RepoError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Upstream(error) | Trouble::Mirror(error) => error,
        }
    }
}

impl Remote {
    pub(crate) fn new(
        url: RepoUrl,
        mirror: Mirror,
        credentials: Credentials,
        branch: Option<String>,
        notes_ref: String,
    ) -> Self {
        let key = Oid::hash_object(ObjectType::Blob, url.transport().as_bytes())
            .map_or_else(|_| "upstream".to_owned(), |id| id.to_string()[..12].to_owned());
        Self { url, mirror, credentials, branch, notes_ref, key, found_branch: Mutex::default() }
    }

    /// The mirror's copy of a reference upstream.
    fn tracking(&self, name: &str) -> String {
        format!("refs/flux/{}/{}", self.key, name.strip_prefix("refs/").unwrap_or(name))
    }

    /// Asks upstream; fetches with the same connection what is not here yet.
    fn refresh(&self, repo: &Repository, cancel: &Cancel) -> Result<Heads, Trouble> {
        let session = Session::new(&self.url, &self.credentials, cancel);
        let failed = |error: git2::Error| session.error(&error, "fetching from");
        let broken = |error: git2::Error| match failed(error) {
            error @ (RepoError::Invalid(_) | RepoError::NotFound(_)) => Trouble::Mirror(error),
            error => Trouble::Upstream(error),
        };
        let mut remote = repo.remote_anonymous(&self.url.transport()).map_err(failed)?;
        let mut connection = remote
            .connect_auth(Direction::Fetch, Some(session.callbacks()), Some(proxy()))
            .map_err(failed)?;
        let heads = self.pick(&connection)?;
        *self.found_branch.lock().unwrap_or_else(PoisonError::into_inner) = Some(heads.branch_ref.clone());
        if self.is_here(repo, &heads) {
            return Ok(heads);
        }
        let guard = self.mirror.lock()?;
        // Another process may have fetched while we waited, or pushed what we are about to fetch.
        if self.adopt(repo, &heads).map_err(broken)? {
            return Ok(heads);
        }
        let mut specs = vec![format!("+{0}:{1}", heads.branch_ref, self.tracking(&heads.branch_ref))];
        if heads.notes.is_some() {
            specs.push(format!("+{0}:{1}", self.notes_ref, self.tracking(&self.notes_ref)));
        }
        let mut options = FetchOptions::new();
        options
            .remote_callbacks(session.callbacks())
            .proxy_options(proxy())
            .download_tags(AutotagOption::None)
            .update_fetchhead(false);
        tracing::debug!(url = %self.url, tip = %heads.tip, "fetching");
        connection.remote().fetch(&specs, Some(&mut options), None).map_err(broken)?;
        self.mirror.tidy(repo, &guard);
        Ok(heads)
    }

    fn pick(&self, connection: &RemoteConnection<'_, '_, '_>) -> Result<Heads, RepoError> {
        let list =
            connection.list().map_err(|error| git_error(&error, "listing the references of", &self.url))?;
        let id_of = |name: &str| list.iter().find(|head| head.name() == name).map(git2::RemoteHead::oid);
        let branch_ref = match &self.branch {
            Some(branch) => format!("refs/heads/{branch}"),
            None => default_branch(list, &self.url)?,
        };
        let tip = id_of(&branch_ref).ok_or_else(|| no_branch(&self.url, &branch_ref))?;
        Ok(Heads { tip, notes: id_of(&self.notes_ref), branch_ref })
    }

    /// Whether the mirror has everything that upstream's references name.
    fn is_here(&self, repo: &Repository, heads: &Heads) -> bool {
        let at = |name: &str, id: Oid| repo.refname_to_id(&self.tracking(name)).is_ok_and(|here| here == id);
        at(&heads.branch_ref, heads.tip)
            && repo.find_commit(heads.tip).and_then(|commit| commit.tree()).is_ok()
            && self.notes_tip(repo) == heads.notes
    }

    /// Moves the mirror's references to what upstream's name, if the mirror has it all. A commit is here only with all that it needs: packs
    /// arrive whole, and what we make ourselves stands on what is here.
    fn adopt(&self, repo: &Repository, heads: &Heads) -> Result<bool, git2::Error> {
        let here = |id: Oid| repo.find_commit(id).and_then(|commit| commit.tree()).is_ok();
        if heads.notes.is_none()
            && let Ok(mut notes) = repo.find_reference(&self.tracking(&self.notes_ref))
        {
            notes.delete()?;
        }
        if !here(heads.tip) || !heads.notes.is_none_or(here) {
            return Ok(false);
        }
        repo.reference(&self.tracking(&heads.branch_ref), heads.tip, true, "flux: upstream")?;
        if let Some(notes) = heads.notes {
            repo.reference(&self.tracking(&self.notes_ref), notes, true, "flux: upstream")?;
        }
        Ok(true)
    }

    /// [`refresh`](Self::refresh), on a new mirror if the one that is there is in its way.
    fn refresh_or_repair(&self, cancel: &Cancel) -> Result<Heads, RepoError> {
        let looked = {
            let repo = self.mirror.open()?;
            self.refresh(&repo, cancel)
        };
        match looked {
            Err(Trouble::Mirror(error)) => {
                tracing::warn!(url = %self.url, %error, "the mirror is damaged and is made anew");
                self.mirror.make_anew(&self.mirror.lock()?)?;
                Ok(self.refresh(&*self.mirror.open()?, cancel)?)
            }
            looked => Ok(looked?),
        }
    }

    fn branch_ref(&self, cancel: &Cancel) -> Result<String, RepoError> {
        if let Some(branch) = &self.branch {
            return Ok(format!("refs/heads/{branch}"));
        }
        let found = self.found_branch.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match found {
            Some(found) => Ok(found),
            None => Ok(self.refresh_or_repair(cancel)?.branch_ref),
        }
    }

    /// Pushes objects to references, if each of these is where it is expected (zero: not there).
    fn push(
        &self,
        repo: &Repository,
        updates: &[(String, Oid, Oid)],
        cancel: &Cancel,
    ) -> Result<Pushed, RepoError> {
        let session = Session::new(&self.url, &self.credentials, cancel);
        let expected: Vec<(String, Oid)> =
            updates.iter().map(|(name, from, _)| (name.clone(), *from)).collect();
        // Without a `+`: never by force.
        let specs: Vec<String> = updates.iter().map(|(name, _, to)| format!("{to}:{name}")).collect();
        let mut remote = repo
            .remote_anonymous(&self.url.transport())
            .map_err(|error| session.error(&error, "pushing to"))?;
        let mut options = PushOptions::new();
        options
            .remote_callbacks(session.push_callbacks(&expected))
            .proxy_options(proxy())
            .packbuilder_parallelism(1);
        let pushed = remote.push(&specs, Some(&mut options));
        drop(options);
        let found = session.found.take();
        let was_held_back = !session.sent.get() && !found.is_empty() && !cancel.is_cancelled();
        match pushed {
            Err(_) if was_held_back => Ok(Pushed::NotSent(found)),
            // The connection may have broken after the server had it all.
            Err(error) if session.sent.get() => {
                self.ask_what_became(updates, session.error(&error, "pushing to"), cancel)
            }
            Err(error) => Err(session.error(&error, "pushing to")),
            Ok(()) => {
                let said = session.said();
                let answers: Vec<(String, RefAnswer)> = session
                    .answers
                    .take()
                    .into_iter()
                    .map(|(name, status)| {
                        let answer = match ref_answer(status.as_deref()) {
                            RefAnswer::Refused(words) if !said.is_empty() => {
                                RefAnswer::Refused(format!("{words}: {said}"))
                            }
                            answer => answer,
                        };
                        (name, answer)
                    })
                    .collect();
                if answers.len() == updates.len() {
                    return Ok(Pushed::Answered(answers));
                }
                let silent =
                    RepoError::Unavailable(format!("{} said nothing about what was pushed", self.url));
                self.ask_what_became(updates, silent, cancel)
            }
        }
    }

    /// After a push whose answer got lost: looks at where the references are now.
    fn ask_what_became(
        &self,
        updates: &[(String, Oid, Oid)],
        told: RepoError,
        cancel: &Cancel,
    ) -> Result<Pushed, RepoError> {
        tracing::warn!(url = %self.url, error = %told, "the answer to a push got lost; asking what became of it");
        let repo = self.mirror.open()?;
        let heads = self.refresh(&repo, cancel).map_err(|trouble| {
            let error = RepoError::from(trouble);
            tracing::warn!(url = %self.url, %error, "what became of the push can't be learnt");
            told.clone()
        })?;
        let answers: Vec<(String, RefAnswer)> = updates
            .iter()
            .filter_map(|(name, from, to)| {
                let now = if *name == heads.branch_ref { Some(heads.tip) } else { heads.notes };
                let now = now.unwrap_or(Oid::ZERO_SHA1);
                let built_upon = || repo.graph_descendant_of(now, *to).unwrap_or(false);
                match now {
                    now if now == *to || built_upon() => Some((name.clone(), RefAnswer::Landed)),
                    now if now == *from => None,
                    _ => Some((name.clone(), RefAnswer::Moved)),
                }
            })
            .collect();
        if answers.len() == updates.len() { Ok(Pushed::Answered(answers)) } else { Err(told) }
    }

    /// Moves the mirror's copies of references to where they were pushed.
    fn remember<'u>(&self, repo: &Repository, updates: impl Iterator<Item = &'u (String, Oid, Oid)>) {
        let remembered = self.mirror.lock().is_ok_and(|guard| {
            let moved = updates
                .map(|(name, _, to)| repo.reference(&self.tracking(name), *to, true, "flux: pushed"))
                .all(|moved| moved.is_ok());
            self.mirror.tidy(repo, &guard);
            moved
        });
        if !remembered {
            // The next look at upstream does it.
            tracing::debug!(url = %self.url, "the mirror does not know yet of what was pushed");
        }
    }
}

impl Upstream for Remote {
    fn store(&self) -> Result<Loan<'_>, RepoError> {
        self.mirror.open()
    }

    fn head(&self, cancel: &Cancel) -> Result<Oid, RepoError> {
        self.refresh_or_repair(cancel).map(|heads| heads.tip)
    }

    fn notes_tip(&self, repo: &Repository) -> Option<Oid> {
        repo.refname_to_id(&self.tracking(&self.notes_ref)).ok()
    }

    fn land(&self, landing: &Landing<'_>, cancel: &Cancel) -> Result<(), RepoError> {
        let repo = self.mirror.open()?;
        let branch_ref = self.branch_ref(cancel)?;
        let note = if landing.note.is_some() { Note::Open } else { Note::Done };
        let mut landed = Landed { branch: false, note };
        for attempt in 0..ATTEMPTS {
            if let Err(error) = self.land_once(&repo, &branch_ref, landing, &mut landed, cancel) {
                if !landed.branch {
                    return Err(error);
                }
                landed.note = Note::Lost(error.to_string());
            }
            match landed.note {
                Note::Open => pause(attempt),
                _ if landed.branch => break,
                // Nothing but the branch is left: it was held by somebody, or refused along with the note.
                _ => pause(attempt),
            }
        }
        if !landed.branch {
            return Err(RepoError::Unavailable(format!(
                "{branch_ref} of {} is being changed by others all the time; try again",
                self.url
            )));
        }
        let why = match landed.note {
            Note::Done => return Ok(()),
            Note::Open => "others keep writing notes".to_owned(),
            Note::Lost(why) => why,
        };
        // The branch has landed: from there on nothing fails the release.
        tracing::warn!(url = %self.url, commit = %landing.commit, why, "the note of the commit is lost");
        Ok(())
    }

    fn repair(&self, cancel: &Cancel) -> Result<(), RepoError> {
        // What is open already may miss what has come since, and still see what is gone from the disk.
        self.mirror.reopen()?;
        let is_whole = {
            let repo = self.mirror.open()?;
            let references = repo.references_glob(&format!("refs/flux/{}/heads/*", self.key));
            let tips: Vec<_> =
                references.into_iter().flatten().map(|reference| reference.ok()?.target()).collect();
            let whole = |tip: &Option<Oid>| tip.is_some_and(|tip| objects::is_whole(&repo, tip));
            // Without any it was never fetched into, or just made anew.
            !tips.is_empty() && tips.iter().all(whole)
        };
        if !is_whole {
            tracing::info!(url = %self.url, "the mirror lacks objects and is made anew");
            self.mirror.make_anew(&self.mirror.lock()?)?;
            self.refresh(&*self.mirror.open()?, cancel)?;
        }
        Ok(())
    }
}

/// How far a landing is.
#[derive(Debug)]
struct Landed {
    branch: bool,
    note: Note,
}

#[derive(Debug)]
enum Note {
    /// To be pushed.
    Open,
    /// Pushed, or there is none.
    Done,
    /// Given up, and why.
    Lost(String),
}

impl Remote {
    /// One push of what has not landed yet. `Ok` does not mean that it has now.
    fn land_once(
        &self,
        repo: &Repository,
        branch_ref: &str,
        landing: &Landing<'_>,
        landed: &mut Landed,
        cancel: &Cancel,
    ) -> Result<(), RepoError> {
        let mut updates = Vec::new();
        if !landed.branch {
            updates.push((branch_ref.to_owned(), landing.base, landing.commit));
        }
        if matches!(landed.note, Note::Open) {
            let tip = self.notes_tip(repo);
            let note = landing.attach_note(repo, tip);
            let note = note.map_err(|error| git_error(&error, "making the note of", landing.commit))?;
            updates.extend(note.map(|note| (self.notes_ref.clone(), tip.unwrap_or(Oid::ZERO_SHA1), note)));
        }
        match self.push(repo, &updates, cancel)? {
            Pushed::NotSent(found) => {
                match found.iter().find(|(name, _)| name == branch_ref) {
                    // It is the same commit in every bit: it landed before, and the answer got lost.
                    Some((_, at)) if *at == landing.commit => landed.branch = true,
                    Some((_, at)) if at.is_zero() => return Err(no_branch(&self.url, branch_ref)),
                    Some((_, at)) if *at != landing.base => return Err(moved(landing)),
                    _ => {}
                }
                self.refresh(repo, cancel)?;
            }
            Pushed::Answered(answers) => {
                let answer = |of: &str| answers.iter().find(|(name, _)| name == of).map(|(_, answer)| answer);
                if let Some(answer) = answer(branch_ref) {
                    self.take_branch_answer(branch_ref, answer, landing, landed)?;
                }
                match answer(&self.notes_ref) {
                    Some(RefAnswer::Landed) => landed.note = Note::Done,
                    Some(RefAnswer::Refused(words)) => landed.note = Note::Lost(words.clone()),
                    Some(RefAnswer::Moved | RefAnswer::Busy(_)) => drop(self.refresh(repo, cancel)?),
                    None => {}
                }
                let is_landed = |name: &str| answer(name) == Some(&RefAnswer::Landed);
                self.remember(repo, updates.iter().filter(|(name, ..)| is_landed(name)));
            }
        }
        Ok(())
    }

    fn take_branch_answer(
        &self,
        branch_ref: &str,
        answer: &RefAnswer,
        landing: &Landing<'_>,
        landed: &mut Landed,
    ) -> Result<(), RepoError> {
        match answer {
            RefAnswer::Landed => landed.branch = true,
            RefAnswer::Moved => return Err(moved(landing)),
            RefAnswer::Busy(words) => {
                tracing::debug!(url = %self.url, words, "the branch is held by somebody else");
            }
            // Hooks see all of a push: it may be the notes that were not wanted, so that the branch is tried alone.
            RefAnswer::Refused(words) if matches!(landed.note, Note::Open) => {
                landed.note = Note::Lost(words.clone());
            }
            RefAnswer::Refused(words) => {
                return Err(RepoError::Rejected(format!(
                    "{} refused the change of {branch_ref}: {words}; change what it objects to, or ask who runs it",
                    self.url
                )));
            }
        }
        Ok(())
    }
}

fn moved(landing: &Landing<'_>) -> RepoError {
    RepoError::Moved { base: objects::revision(landing.base) }
}

/// The branch of upstream's `HEAD`; servers that don't say get the one that is where `HEAD` is.
fn default_branch(list: &[git2::RemoteHead<'_>], url: &RepoUrl) -> Result<String, RepoError> {
    let branches = || list.iter().filter(|head| head.name().starts_with("refs/heads/"));
    let head = list.iter().find(|head| head.name() == "HEAD");
    let named = head.and_then(|head| head.symref_target()).map(ToOwned::to_owned);
    let guessed = || {
        let mut same = branches().filter(|branch| head.is_some_and(|head| head.oid() == branch.oid()));
        same.next().map(|branch| branch.name().to_owned())
    };
    named.or_else(guessed).ok_or_else(|| {
        if branches().next().is_none() {
            RepoError::NotFound(format!("{url} is empty; push a first commit to it"))
        } else {
            RepoError::NotFound(format!("HEAD of {url} names no branch; say which branch to use"))
        }
    })
}

fn proxy() -> ProxyOptions<'static> {
    let mut options = ProxyOptions::new();
    options.auto();
    options
}
