//! One connection to a server.
//!
//! It presents our credentials, checks the server's host key, and remembers why it was aborted.

use std::{
    cell::{Cell, RefCell},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use flux_core::backend;
use git2::{
    CertificateCheckStatus, Cred, CredentialType, Error, ErrorClass, ErrorCode, Oid, RemoteCallbacks,
    cert::{Cert, CertHostkey},
};

use crate::{
    credentials::{AuthMethod, Credentials},
    errors::git_error,
    known_hosts::{self, HostKey},
    url::RepoUrl,
};

/// A flag that is set when nobody waits for a result any more.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cancel(Arc<AtomicBool>);

impl Cancel {
    pub(crate) fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Cancels when dropped, which is what happens to it when the future that holds it is dropped.
#[derive(Debug, Default)]
pub(crate) struct CancelOnDrop(pub(crate) Cancel);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

/// The references that a push is to find upstream, just before it is sent, with the object that
/// each is taken to be at.
pub(crate) type Expected<'a> = &'a [(String, Oid)];

#[derive(Debug)]
pub(crate) struct Session<'a> {
    url: &'a RepoUrl,
    credentials: &'a Credentials,
    cancel: &'a Cancel,
    tried: RefCell<Vec<AuthMethod>>,
    named: Cell<bool>,
    /// Why we broke it off: it counts more than what libgit2 makes of it.
    verdict: RefCell<Option<backend::Error>>,
    host_key: RefCell<Option<String>>,
    /// The text for people that the server sent.
    sideband: RefCell<Vec<u8>>,
    /// Of a push: what each reference was at, found before anything was sent.
    pub(crate) found: RefCell<Vec<(String, Oid)>>,
    /// Of a push: whether we let it be sent.
    pub(crate) sent: Cell<bool>,
    /// Of a push: the server's word on each reference.
    pub(crate) answers: RefCell<Vec<(String, Option<String>)>>,
}

impl<'a> Session<'a> {
    pub(crate) fn new(url: &'a RepoUrl, credentials: &'a Credentials, cancel: &'a Cancel) -> Self {
        Self {
            url,
            credentials,
            cancel,
            tried: RefCell::default(),
            named: Cell::default(),
            verdict: RefCell::default(),
            host_key: RefCell::default(),
            sideband: RefCell::default(),
            found: RefCell::default(),
            sent: Cell::default(),
            answers: RefCell::default(),
        }
    }

    /// Returns the callbacks for libgit2.
    pub(crate) fn callbacks(&self) -> RemoteCallbacks<'_> {
        let mut callbacks = RemoteCallbacks::new();
        callbacks
            .credentials(|_, user, allowed| self.credential(user, allowed))
            .certificate_check(|certificate, _| self.check(certificate))
            .transfer_progress(|_| !self.cancel.is_cancelled())
            .sideband_progress(|text| {
                self.sideband.borrow_mut().extend_from_slice(text);
                true
            });
        callbacks
    }

    /// Returns the callbacks for a push, which is only sent if upstream is found as expected.
    pub(crate) fn push_callbacks<'s>(&'s self, expected: Expected<'s>) -> RemoteCallbacks<'s> {
        let mut callbacks = self.callbacks();
        callbacks
            .push_negotiation(move |updates| {
                let mut found = self.found.borrow_mut();
                *found = updates
                    .iter()
                    .map(|update| {
                        (String::from_utf8_lossy(update.dst_refname_bytes()).into_owned(), update.src())
                    })
                    .collect();
                let as_expected = found.iter().all(|update| expected.contains(update));
                if as_expected && !self.cancel.is_cancelled() {
                    self.sent.set(true);
                    return Ok(());
                }
                Err(Error::new(ErrorCode::Modified, ErrorClass::Reference, "not sent"))
            })
            .push_update_reference(|name, status| {
                self.answers.borrow_mut().push((name.to_owned(), status.map(ToOwned::to_owned)));
                Ok(())
            });
        callbacks
    }

    /// Returns the text for people that the server sent, on one line.
    pub(crate) fn server_message(&self) -> String {
        let sideband = self.sideband.borrow();
        let text = String::from_utf8_lossy(&sideband);
        let lines: Vec<&str> =
            text.split(['\n', '\r']).map(str::trim).filter(|line| !line.is_empty()).collect();
        lines.join(" ")
    }

    /// Returns the error to report for libgit2's.
    pub(crate) fn error(&self, error: &Error, doing: &str) -> backend::Error {
        if let Some(verdict) = self.verdict.borrow_mut().take() {
            return verdict;
        }
        if self.cancel.is_cancelled() {
            let text = format!("{doing} {} was given up, as nobody waits for it", self.url);
            return backend::Error::unavailable(self.url, text);
        }
        if let (ErrorCode::Certificate, Some(key)) = (error.code(), self.host_key.borrow().as_deref()) {
            let text = format!(
                "{} shows the SSH host key {key}, which ~/.ssh/known_hosts doesn't have for it; {}",
                self.url,
                self.remedy("~/.ssh/known_hosts")
            );
            return backend::Error::untrusted(self.url, text);
        }
        git_error(error, doing, self.url)
    }

    fn credential(&self, user: Option<&str>, allowed: CredentialType) -> Result<Cred, Error> {
        // SSH servers that get the name alone answer with the methods that they allow for it.
        if allowed.is_username() && !self.named.replace(true) {
            return Cred::username(self.credentials.user_name(user));
        }
        // A key file that can't be read gets our own message; libgit2's doesn't name it.
        let problem = self.credentials.identity_problem().filter(|_| allowed.is_ssh_key());
        for method in AuthMethod::ALL {
            // Each way once: libgit2 asks again for as long as it gets an answer.
            if self.tried.borrow().contains(&method) || (method == AuthMethod::Identity && problem.is_some())
            {
                continue;
            }
            if let Some(credential) = method.credential(self.credentials, self.url, user, allowed) {
                self.tried.borrow_mut().push(method);
                match credential {
                    Ok(credential) => return Ok(credential),
                    Err(error) => {
                        tracing::debug!(url = %self.url, method = method.name(), %error, "no credentials");
                    }
                }
            }
        }
        let tried: Vec<&str> = self.tried.borrow().iter().map(|method| method.name()).collect();
        let text = match (problem, tried.as_slice()) {
            (Some(problem), _) => format!("{} wants credentials, but {problem}", self.url),
            (None, []) => format!("{} wants credentials and none were given; give some", self.url),
            (None, tried) => {
                format!("{} doesn't accept {}; check them, or give others", self.url, tried.join(", nor "))
            }
        };
        *self.verdict.borrow_mut() = Some(backend::Error::unauthorized(self.url, text));
        Err(Error::new(ErrorCode::Auth, ErrorClass::Callback, "no credentials left to try"))
    }

    fn check(&self, certificate: &Cert<'_>) -> Result<CertificateCheckStatus, Error> {
        let Some(shown) = certificate.as_hostkey() else {
            return Ok(CertificateCheckStatus::CertificatePassthrough);
        };
        *self.host_key.borrow_mut() = Some(describe(shown));
        let Some(file) = self.credentials.known_hosts_file() else {
            return Ok(CertificateCheckStatus::CertificatePassthrough);
        };
        let (host, port) = self.url.host();
        let key = shown.hostkey().unwrap_or_default();
        let known = std::fs::read(file)
            .map(|text| known_hosts::check(&String::from_utf8_lossy(&text), host, port, key));
        let (url, file, described) = (self.url, file.display(), describe(shown));
        let why = match known {
            Ok(HostKey::Known) => return Ok(CertificateCheckStatus::CertificateOk),
            Ok(HostKey::Unknown { known_types }) if known_types.is_empty() => {
                format!("which {file} doesn't have for it; {}", self.remedy(&file.to_string()))
            }
            Ok(HostKey::Unknown { known_types }) => format!(
                "of which {file} has other types only ({}); {}",
                known_types.join(", "),
                self.remedy(&file.to_string())
            ),
            Ok(HostKey::Changed { line }) => format!(
                "but line {line} of {file} has another for it: somebody may be in between; \
                 if the server's key was changed, replace the line"
            ),
            Ok(HostKey::Revoked { line }) => {
                format!("which line {line} of {file} revokes; don't use this server")
            }
            Err(error) => format!("and the known hosts in {file} cannot be read: {error}; correct the path"),
        };
        let text = format!("{url} shows the SSH host key {described}, {why}");
        *self.verdict.borrow_mut() = Some(backend::Error::untrusted(self.url, text));
        Err(Error::new(ErrorCode::Certificate, ErrorClass::Ssh, "the host key is not trusted"))
    }

    fn remedy(&self, file: &str) -> String {
        let (host, port) = self.url.host();
        format!(
            "if it is the server's own, as its provider can tell you, add the line that `ssh-keyscan -p {port} {host}` prints to {file}"
        )
    }
}

/// Returns the type and the fingerprint of a host key, as OpenSSH prints them.
fn describe(key: &CertHostkey<'_>) -> String {
    let kind = known_hosts::key_type(key.hostkey().unwrap_or_default());
    match key.hash_sha256() {
        Some(hash) => format!("{kind} SHA256:{}", STANDARD_NO_PAD.encode(hash)),
        None => kind,
    }
}
