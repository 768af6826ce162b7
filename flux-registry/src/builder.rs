//! The configuration of an [`OciRegistry`].

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use flux_core::backend::{Clock, Error, Result, SystemClock, layers::RetryPolicy};
use oci_distribution::client::{Certificate, CertificateEncoding};

use crate::{
    cache::{Cache, ImageStore},
    credentials::Credentials,
    helper::Helpers,
    host::{Clients, Transport, Transports},
    registry::OciRegistry,
    session::{Settings, USER_AGENT},
};

/// The configuration of an [`OciRegistry`]; each setter returns the builder with one thing changed.
///
/// No request is sent before the registry's first use.
///
/// ```
/// use flux_core::backend::ErrorKind;
/// use flux_registry::OciRegistry;
///
/// let builder = || OciRegistry::builder().insecure_host("registry.lan:5000").concurrency(4);
/// let registry = builder().build()?;
/// let error = builder().ca_file("/nowhere/ca.pem").build().unwrap_err();
/// assert_eq!((error.kind(), error.subject()), (ErrorKind::Invalid, "/nowhere/ca.pem"));
/// # Ok::<(), flux_core::backend::Error>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct OciRegistryBuilder {
    credentials: Credentials,
    transports: Transports,
    ca_files: Vec<PathBuf>,
    timeout: Duration,
    connect_timeout: Duration,
    concurrency: usize,
    max_pages: usize,
    max_tags: usize,
    retry: RetryPolicy,
    clock: Arc<dyn Clock>,
    store: Option<Arc<dyn ImageStore>>,
    cached_images: usize,
}

impl Default for OciRegistryBuilder {
    fn default() -> Self {
        Self {
            credentials: Credentials::new(),
            transports: Transports::default(),
            ca_files: Vec::new(),
            timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            concurrency: 8,
            max_pages: 1000,
            max_tags: 100_000,
            retry: RetryPolicy::default(),
            clock: Arc::new(SystemClock),
            store: None,
            cached_images: 20_000,
        }
    }
}

impl OciRegistry {
    /// Returns a builder of a registry that is used anonymously.
    pub fn builder() -> OciRegistryBuilder {
        OciRegistryBuilder::default()
    }
}

impl OciRegistryBuilder {
    /// Sets the logins. Default: none.
    pub fn credentials(self, credentials: Credentials) -> Self {
        Self { credentials, ..self }
    }

    /// Asks one more host over plain HTTP: without protection of passwords.
    ///
    /// It is `host:port`, or `host` for all its ports. Loopback addresses and `localhost` are asked
    /// so, unless they are listed as [secure](Self::secure_host).
    pub fn insecure_host(mut self, host: &str) -> Self {
        self.transports.insert(host, Transport::Plain);
        self
    }

    /// Asks one more host over TLS although it is this machine.
    ///
    /// It is `host:port`, or `host` for all its ports.
    pub fn secure_host(mut self, host: &str) -> Self {
        self.transports.insert(host, Transport::Tls);
        self
    }

    /// Trusts one more file of PEM certificates beside the system's.
    ///
    /// It is read by [`build`](Self::build).
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.ca_files.push(path.into());
        self
    }

    /// Sets the time limit of one whole request; 30 s by default.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Sets the time limit of a connection attempt; 10 s by default.
    pub fn connect_timeout(self, timeout: Duration) -> Self {
        Self { connect_timeout: timeout, ..self }
    }

    /// Sets the number of concurrent requests to one host; 8 by default, at least 1.
    pub fn concurrency(self, requests: usize) -> Self {
        Self { concurrency: requests.max(1), ..self }
    }

    /// Sets how many pages of tags are read of one repository.
    ///
    /// Tags on further pages are declared missing. The default is 1000, the least 1.
    pub fn max_pages(self, pages: usize) -> Self {
        Self { max_pages: pages.max(1), ..self }
    }

    /// Sets how many tags are taken of one repository.
    ///
    /// More are declared missing. The default is 100,000, the least 1. A tag of which nothing but
    /// its name is known costs less than 100 bytes of memory.
    pub fn max_tags(self, tags: usize) -> Self {
        Self { max_tags: tags.max(1), ..self }
    }

    /// Sets how requests with transient failures are retried.
    pub fn retry(self, retry: RetryPolicy) -> Self {
        Self { retry, ..self }
    }

    /// Sets the clock; the machine's by default.
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// Keeps image details in a store that outlives the process.
    ///
    /// A [`DirStore`](crate::DirStore) is one; by default there is none.
    pub fn store(self, store: Arc<dyn ImageStore>) -> Self {
        Self { store: Some(store), ..self }
    }

    /// Sets of how many images the details are kept in memory.
    ///
    /// The default is 20,000, the least 1.
    pub fn cached_images(self, images: usize) -> Self {
        Self { cached_images: images, ..self }
    }

    /// Builds the registry.
    ///
    /// # Errors
    /// [`Invalid`](flux_core::backend::ErrorKind::Invalid) if a file of certificates cannot be
    /// used, or no HTTP client can be made.
    pub fn build(self) -> Result<OciRegistry> {
        let mut authorities = Vec::new();
        for path in &self.ca_files {
            authorities.extend(certificates(path)?);
        }
        let clients = Clients {
            direct: client(self.connect_timeout, &authorities, true)?,
            proxied: client(self.connect_timeout, &authorities, false)?,
        };
        let settings = Settings {
            retry: self.retry,
            timeout: self.timeout,
            concurrency: self.concurrency,
            max_pages: self.max_pages,
            max_tags: self.max_tags,
            transports: self.transports,
            clock: self.clock,
        };
        Ok(OciRegistry {
            settings: Arc::new(settings),
            credentials: self.credentials,
            helpers: Helpers::default(),
            cache: Cache::new(self.cached_images, self.store),
            clients,
            hosts: Mutex::new(HashMap::new()),
        })
    }
}

fn client(connect: Duration, authorities: &[Certificate], direct: bool) -> Result<reqwest::Client> {
    let failed = |e: reqwest::Error| {
        let text = format!(
            "the HTTP client cannot be made: {e}; check the system's certificates and proxy settings"
        );
        Error::invalid("the HTTP client", text).with_source(e)
    };
    let mut roots = Vec::new();
    for certificate in authorities {
        roots.push(reqwest::Certificate::from_pem(&certificate.data).map_err(failed)?);
    }
    let mut builder =
        reqwest::Client::builder().user_agent(USER_AGENT).connect_timeout(connect).tls_certs_merge(roots);
    if direct {
        builder = builder.no_proxy();
    }
    builder.build().map_err(failed)
}

/// Returns the certificates of a PEM file.
fn certificates(path: &Path) -> Result<Vec<Certificate>> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    let invalid = |problem: String| {
        let path = path.display();
        let text =
            format!("the certificates {path} cannot be used: {problem}; give a file of PEM certificates");
        Error::invalid(path, text)
    };
    let text = fs::read_to_string(path).map_err(|e| invalid(e.to_string()))?;
    let mut found = Vec::new();
    for part in text.split(BEGIN).skip(1) {
        let (body, _) = part.split_once(END).ok_or_else(|| invalid("a certificate has no end".to_owned()))?;
        let data = format!("{BEGIN}{body}{END}\n").into_bytes();
        reqwest::Certificate::from_pem(&data)
            .map_err(|_| invalid(format!("certificate {} is damaged", found.len() + 1)))?;
        found.push(Certificate { encoding: CertificateEncoding::Pem, data });
    }
    if found.is_empty() { Err(invalid("there is no certificate in it".to_owned())) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        for (content, problem) in [
            (None, "No such file"),
            (Some(""), "no certificate"),
            (Some("-----BEGIN CERTIFICATE-----\nAAAA\n"), "no end"),
        ] {
            if let Some(content) = content {
                fs::write(&path, content).unwrap();
            }
            let error = OciRegistry::builder().ca_file(&path).build().unwrap_err().to_string();
            assert!(error.contains("ca.pem") && error.contains(problem), "{error}");
        }
    }
}
