//! The parts put together: fetching and pushing as an [`Upstream`].

use flux_core::backend::Result;
use git2::{Oid, Repository};

use super::{fetch::Remote, push};
use crate::{
    objects,
    session::Cancel,
    store::Loan,
    upstream::{Landing, Upstream},
};

impl Upstream for Remote {
    fn store(&self) -> Result<Loan<'_>> {
        self.mirror.open()
    }

    fn head(&self, cancel: &Cancel) -> Result<Oid> {
        self.refresh_or_repair(cancel).map(|heads| heads.tip)
    }

    fn branch(&self, cancel: &Cancel) -> Result<String> {
        self.branch_ref(cancel)
    }

    fn notes_tip(&self, repo: &Repository) -> Option<Oid> {
        self.mirrored_notes_tip(repo)
    }

    fn land(&self, landing: &Landing<'_>, cancel: &Cancel) -> Result<()> {
        push::land(self, landing, cancel)
    }

    fn repair(&self, cancel: &Cancel) -> Result<()> {
        // What is open already may miss what has come since, and still see what is gone from the
        // disk.
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
