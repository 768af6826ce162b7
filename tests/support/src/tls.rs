//! A private certificate authority and one server certificate of it, for 127.0.0.1 and localhost.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Result;
use crate::process::output;
use crate::run::{installed, make_dir, write};

/// The PEM files of a server.
#[derive(Debug)]
pub(crate) struct Certificates {
    pub(crate) ca: PathBuf,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

const CONFIG: &str = "\
[req]
prompt = no
distinguished_name = name
[name]
CN = flux tests
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = IP:127.0.0.1, DNS:localhost
";

/// Creates the authority and the certificate in `dir`.
pub(crate) fn certificates(dir: &Path) -> Result<Certificates> {
    make_dir(dir)?;
    write(&dir.join("openssl.conf"), CONFIG)?;
    private_key(dir, "ca.key")?;
    private_key(dir, "server.key")?;
    openssl(
        dir,
        "req -config openssl.conf -x509 -extensions ca -days 30 -subj /CN=flux-tests-ca -key ca.key -out ca.crt",
    )?;
    openssl(dir, "req -config openssl.conf -new -key server.key -out server.csr")?;
    openssl(
        dir,
        "x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 \
         -extfile openssl.conf -extensions server -out server.crt",
    )?;
    Ok(Certificates {
        ca: dir.join("ca.crt"),
        certificate: dir.join("server.crt"),
        key: dir.join("server.key"),
    })
}

/// Creates a private key (EC, P-256) as the PEM file `dir/name`.
pub(crate) fn private_key(dir: &Path, name: &str) -> Result<()> {
    openssl(dir, &format!("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out {name}"))
}

/// Writes the public half of `dir/name` to the PEM file `dir/public`.
pub(crate) fn public_key(dir: &Path, name: &str, public: &str) -> Result<()> {
    openssl(dir, &format!("pkey -in {name} -pubout -out {public}"))
}

fn openssl(dir: &Path, arguments: &str) -> Result<()> {
    let program = installed("openssl", "openssl")?;
    output(Command::new(program).args(arguments.split_whitespace()).current_dir(dir)).map(drop)
}
