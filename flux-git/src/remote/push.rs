//! Pushing as compare-and-swap.
//!
//! Branch and notes go in one push. The branch is only ever moved from the base: just before
//! sending, what the server says its references are at is compared, and the server compares again
//! under its own lock. The notes follow: when only their history moved, they are attached anew to
//! its new tip and pushed again, and a server that doesn't take them still gets the branch.

use flux_core::backend::{Error, Result};
use git2::{Oid, PushOptions, Repository};

use super::fetch::{Remote, proxy};
use crate::{
    errors::{RefAnswer, ref_answer},
    local::no_branch,
    objects,
    session::{Cancel, Session},
    upstream::{ATTEMPTS, Landing, pause},
};

/// A reference to push: its name, where it is taken to be (zero: nowhere), where it is to be.
type Update = (String, Oid, Oid);

/// The outcome of a push.
#[derive(Debug)]
enum Pushed {
    /// Nothing was sent, as upstream was not as expected: what its references are at.
    NotSent(Vec<(String, Oid)>),
    /// The server answered, reference by reference.
    Answered(Vec<(String, RefAnswer)>),
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

/// Lands a commit and its note, in as many pushes as it takes.
pub(super) fn land(remote: &Remote, landing: &Landing<'_>, cancel: &Cancel) -> Result<()> {
    let repo = remote.mirror.open()?;
    let branch_ref = remote.branch_ref(cancel)?;
    let note = if landing.note.is_some() { Note::Open } else { Note::Done };
    let mut landed = Landed { branch: false, note };
    for attempt in 0..ATTEMPTS {
        if let Err(error) = remote.land_once(&repo, &branch_ref, landing, &mut landed, cancel) {
            if !landed.branch {
                return Err(error);
            }
            landed.note = Note::Lost(error.to_string());
        }
        match landed.note {
            Note::Open => pause(attempt),
            _ if landed.branch => break,
            // Nothing but the branch is left: it was held by somebody, or refused along with the
            // note.
            _ => pause(attempt),
        }
    }
    if !landed.branch {
        let text =
            format!("{branch_ref} of {} is being changed by others all the time; try again", remote.url);
        return Err(Error::unavailable(&remote.url, text));
    }
    let why = match landed.note {
        Note::Done => return Ok(()),
        Note::Open => "others keep writing notes".to_owned(),
        Note::Lost(why) => why,
    };
    // The branch has landed: from there on nothing fails the release.
    tracing::warn!(url = %remote.url, commit = %landing.commit, why, "the note of the commit is lost");
    Ok(())
}

impl Remote {
    /// Pushes once what has not landed yet.
    ///
    /// `Ok` does not mean that it has now.
    fn land_once(
        &self,
        repo: &Repository,
        branch_ref: &str,
        landing: &Landing<'_>,
        landed: &mut Landed,
        cancel: &Cancel,
    ) -> Result<()> {
        let mut updates = Vec::new();
        if !landed.branch {
            updates.push((branch_ref.to_owned(), landing.base, landing.commit));
        }
        if matches!(landed.note, Note::Open) {
            let tip = self.mirrored_notes_tip(repo);
            match landing.attach_note(repo, tip) {
                Ok(note) => {
                    let from = tip.unwrap_or(Oid::ZERO_SHA1);
                    updates.extend(note.map(|note| (self.notes_ref.clone(), from, note)));
                }
                Err(error) => landed.note = Note::Lost(error.message().to_owned()),
            }
        }
        match self.push(repo, &updates, cancel)? {
            Pushed::NotSent(found) => {
                match found.iter().find(|(name, _)| name == branch_ref) {
                    // It is the same commit in every bit: it landed before, and the answer got
                    // lost.
                    Some((_, at)) if *at == landing.commit => landed.branch = true,
                    Some((_, at)) if at.is_zero() => return Err(no_branch(&self.url, branch_ref)),
                    Some((_, at)) if *at != landing.base => return Err(moved(landing)),
                    _ => {}
                }
                self.catch_up_with_notes(repo, landed, cancel);
            }
            Pushed::Answered(answers) => {
                let answer = |of: &str| answers.iter().find(|(name, _)| name == of).map(|(_, answer)| answer);
                if let Some(answer) = answer(branch_ref) {
                    self.take_branch_answer(branch_ref, answer, landing, landed)?;
                }
                match answer(&self.notes_ref) {
                    Some(RefAnswer::Landed) => landed.note = Note::Done,
                    Some(RefAnswer::Refused(words)) => landed.note = Note::Lost(words.clone()),
                    Some(RefAnswer::Moved | RefAnswer::Busy(_)) => {
                        self.catch_up_with_notes(repo, landed, cancel);
                    }
                    None => {}
                }
                let is_landed = |name: &str| answer(name) == Some(&RefAnswer::Landed);
                self.remember(repo, updates.iter().filter(|(name, ..)| is_landed(name)));
            }
        }
        Ok(())
    }

    /// Fetches the new tip of the notes' history, to attach ours to it. If it can't be had, the
    /// branch goes alone.
    fn catch_up_with_notes(&self, repo: &Repository, landed: &mut Landed, cancel: &Cancel) {
        if matches!(landed.note, Note::Open)
            && let Err(error) = self.refresh(repo, cancel)
        {
            landed.note = Note::Lost(Error::from(error).to_string());
        }
    }

    fn take_branch_answer(
        &self,
        branch_ref: &str,
        answer: &RefAnswer,
        landing: &Landing<'_>,
        landed: &mut Landed,
    ) -> Result<()> {
        match answer {
            RefAnswer::Landed => landed.branch = true,
            RefAnswer::Moved => return Err(moved(landing)),
            RefAnswer::Busy(words) => {
                tracing::debug!(url = %self.url, words, "the branch is held by somebody else");
            }
            // Hooks see all of a push: it may be the notes that were not wanted, so that the branch
            // is tried alone.
            RefAnswer::Refused(words) if matches!(landed.note, Note::Open) => {
                landed.note = Note::Lost(words.clone());
            }
            RefAnswer::Refused(words) => {
                let text = format!(
                    "{} refused the change of {branch_ref}: {words}; change what it objects to, or ask who runs it",
                    self.url
                );
                return Err(Error::rejected(&self.url, text));
            }
        }
        Ok(())
    }

    /// Pushes objects to references, if each of these is where it is expected (zero: not there).
    fn push(&self, repo: &Repository, updates: &[Update], cancel: &Cancel) -> Result<Pushed> {
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
                let message = session.server_message();
                let answers: Vec<(String, RefAnswer)> = session
                    .answers
                    .take()
                    .into_iter()
                    .map(|(name, status)| {
                        let answer = match ref_answer(status.as_deref()) {
                            RefAnswer::Refused(words) if !message.is_empty() => {
                                RefAnswer::Refused(format!("{words}: {message}"))
                            }
                            answer => answer,
                        };
                        (name, answer)
                    })
                    .collect();
                if answers.len() == updates.len() {
                    return Ok(Pushed::Answered(answers));
                }
                let text =
                    format!("{} gave no answer about the references that were pushed; try again", self.url);
                self.ask_what_became(updates, Error::unavailable(&self.url, text), cancel)
            }
        }
    }

    /// Looks, after a push whose answer got lost, at where the references are now.
    fn ask_what_became(&self, updates: &[Update], failed: Error, cancel: &Cancel) -> Result<Pushed> {
        tracing::warn!(url = %self.url, error = %failed, "the answer to a push got lost; asking what became of it");
        let repo = self.mirror.open()?;
        let heads = self.refresh(&repo, cancel).map_err(|error| {
            let error = Error::from(error);
            tracing::warn!(url = %self.url, %error, "what became of the push can't be learnt");
            failed.clone()
        })?;
        let mut answers = Vec::new();
        for (name, from, to) in updates {
            let is_branch = *name == heads.branch_ref;
            let now = if is_branch { Some(heads.tip) } else { heads.notes }.unwrap_or(Oid::ZERO_SHA1);
            let answer = if now == *to || repo.graph_descendant_of(now, *to).unwrap_or(false) {
                RefAnswer::Landed
            } else if now != *from {
                RefAnswer::Moved
            } else if is_branch {
                return Err(failed);
            } else {
                RefAnswer::Busy("not carried out".into())
            };
            answers.push((name.clone(), answer));
        }
        Ok(Pushed::Answered(answers))
    }

    /// Moves the mirror's copies of references to where they were pushed.
    fn remember<'u>(&self, repo: &Repository, updates: impl Iterator<Item = &'u Update>) {
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

fn moved(landing: &Landing<'_>) -> Error {
    Error::moved(&objects::revision(landing.base))
}
