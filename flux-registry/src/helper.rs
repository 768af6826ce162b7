//! Credential helpers: programs that keep logins, as a Docker configuration names them.
//!
//! A helper is the program `docker-credential-NAME`, run with the argument `get`. It reads a host
//! from its standard input and writes a login as JSON, by the protocol of
//! <https://github.com/docker/docker-credential-helpers>.

use std::{
    collections::HashMap,
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use flux_core::image::ImageName;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::Command,
    time::timeout,
};

use crate::{credentials::Login, fault::printable, host::helper_key};

/// How long an answer is kept. The logins that helpers of clouds make are good for an hour or more.
const KEPT: SignedDuration = SignedDuration::from_mins(5);
/// How long a helper may take: those of clouds ask servers.
const LIMIT: Duration = Duration::from_secs(30);
/// The bytes of an answer that are read.
const LARGEST_ANSWER: u64 = 1 << 20;
/// The words with which a helper says that it has no login; newer ones also end with a failure.
const NONE: &str = "credentials not found in native keychain";
/// The name that stands for an identity token.
const IDENTITY: &str = "<token>";

/// The answer of a helper: a login, none, or why it could not be asked, for people.
type Answer = Result<Option<Login>, String>;

/// The answers of helpers, each asked for once in a while.
#[derive(Debug, Default)]
pub(crate) struct Helpers {
    /// By the name of the helper and the host.
    known: Mutex<HashMap<(String, String), Arc<Slot>>>,
}

/// One answer, and when it was given; whoever wants it while it is asked for waits.
type Slot = tokio::sync::Mutex<Option<(Timestamp, Answer)>>;

impl Helpers {
    /// Returns the login for an image that a helper keeps.
    pub(crate) async fn login(&self, helper: &str, name: &ImageName, now: Timestamp) -> Answer {
        let host = helper_key(name);
        let slot = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(known.entry((helper.to_owned(), host.clone())).or_default())
        };
        let mut kept = slot.lock().await;
        if let Some((at, answer)) = &*kept
            && now.duration_since(*at) < KEPT
        {
            return answer.clone();
        }
        let answer = ask(helper, &host, LIMIT).await;
        *kept = Some((now, answer.clone()));
        answer
    }
}

async fn ask(helper: &str, host: &str, limit: Duration) -> Answer {
    let failed = |problem: &str| format!("the credential helper `{}` {problem}", printable(helper));
    if helper.contains(['/', '\\']) {
        return Err(failed("is named by a path; its name has to be that of a program"));
    }
    let run = async {
        let mut child = Command::new(format!("docker-credential-{helper}"))
            .arg("get")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        if let Some(mut input) = child.stdin.take() {
            // One that does not read its input says itself what it lacks.
            let _ = input.write_all(host.as_bytes()).await;
        }
        let mut output = Vec::new();
        if let Some(out) = child.stdout.take() {
            out.take(LARGEST_ANSWER).read_to_end(&mut output).await?;
        }
        Ok::<_, std::io::Error>((child.wait().await?.success(), output))
    };
    match timeout(limit, run).await {
        Ok(Ok((succeeded, output))) => read(succeeded, &output).map_err(|problem| failed(&problem)),
        Ok(Err(error)) => Err(failed(&format!("cannot be run: {error}"))),
        Err(_) => Err(failed(&format!("gave no answer within {} s", limit.as_secs()))),
    }
}

/// Reads the answer of a helper.
fn read(succeeded: bool, output: &[u8]) -> Answer {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Kept {
        username: String,
        secret: String,
    }
    if !succeeded {
        let words = printable(&String::from_utf8_lossy(output));
        return if words.contains(NONE) { Ok(None) } else { Err(format!("failed: {words}")) };
    }
    // Its words are not repeated: they may be a login in another form.
    let kept: Kept =
        serde_json::from_slice(output).map_err(|_| "gave an answer that is no login".to_owned())?;
    Ok(match (kept.username.as_str(), kept.secret.as_str()) {
        // Some older ones say so that they have none.
        ("", "") => None,
        (IDENTITY, _) => Some(Login::Identity(kept.secret.into())),
        _ => Some(Login::Basic { username: kept.username, password: kept.secret.into() }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answers_of_helpers_are_read_in_all_their_forms() {
        let basic = Login::Basic { username: "ann".to_owned(), password: "pw".to_owned().into() };
        for (succeeded, output, expected) in [
            (true, r#"{"ServerURL":"a.io","Username":"ann","Secret":"pw"}"#, Ok(Some(basic))),
            (
                true,
                r#"{"Username":"<token>","Secret":"t"}"#,
                Ok(Some(Login::Identity("t".to_owned().into()))),
            ),
            (true, r#"{"ServerURL":"","Username":"","Secret":""}"#, Ok(None)),
            (false, "credentials not found in native keychain\n", Ok(None)),
            (true, "s3cr3t", Err("gave an answer that is no login".to_owned())),
            (false, "the keychain\nis locked", Err("failed: the keychain is locked".to_owned())),
        ] {
            assert_eq!(read(succeeded, output.as_bytes()), expected, "{output}");
        }
    }

    #[tokio::test]
    async fn one_that_cannot_be_run_is_named() {
        let problem = ask("no-such-helper-of-flux", "a.io", LIMIT).await.unwrap_err();
        assert!(problem.contains("`no-such-helper-of-flux` cannot be run"), "{problem}");
        assert!(ask("../x", "a.io", LIMIT).await.unwrap_err().contains("by a path"));
    }
}
