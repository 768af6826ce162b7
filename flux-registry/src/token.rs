//! Tokens: what a registry asks for, and what its token server answers. Pure.
//!
//! The protocol is that of distribution's [token authentication].
//!
//! [token authentication]: https://distribution.github.io/distribution/spec/auth/token/

use oci_distribution::errors::OciEnvelope;
use reqwest::{
    StatusCode, Url,
    header::{HeaderMap, WWW_AUTHENTICATE},
};
use serde::Deserialize;

use crate::fault::{Fault, printable};

/// The largest answer of a token server that is read, in bytes; tokens of large grants have some
/// kilobytes.
pub(crate) const LARGEST_ANSWER: usize = 1 << 20;

/// Returns the token for reading a repository that the registry asks for, if it does.
///
/// # Errors
/// [`Fault::Invalid`] if its token server has no address.
pub(crate) fn challenge(headers: &HeaderMap, repository: &str) -> Result<Option<Challenge>, Fault> {
    let challenges = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    let Some(parameters) = challenges.filter_map(bearer).next() else { return Ok(None) };
    let parameter = |name: &str| {
        parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    };
    let realm = parameter("realm").and_then(|realm| Url::parse(realm).ok());
    let Some(realm) = realm.filter(|url| matches!(url.scheme(), "http" | "https")) else {
        return Err(Fault::Invalid("it asks for a token, and names no token server".to_owned()));
    };
    let scope = format!("repository:{repository}:pull");
    Ok(Some(Challenge { realm, scope, service: parameter("service").map(str::to_owned) }))
}

/// The token that a registry asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Challenge {
    /// The address of its token server.
    pub(crate) realm: Url,
    scope: String,
    service: Option<String>,
}

impl Challenge {
    /// Returns the address at which the token is to be had, with a name and a password or without.
    pub(crate) fn address(&self) -> Url {
        let mut url = self.realm.clone();
        url.query_pairs_mut().extend_pairs(self.pairs());
        url
    }

    /// Returns the form with which the token is to be had for an identity token.
    ///
    /// As of <https://distribution.github.io/distribution/spec/auth/oauth/>.
    pub(crate) fn form(&self, identity: &str) -> String {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "refresh_token").append_pair("refresh_token", identity);
        form.append_pair("client_id", "flux").extend_pairs(self.pairs()).finish()
    }

    fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let service = self.service.as_deref().map(|service| ("service", service));
        std::iter::once(("scope", self.scope.as_str())).chain(service)
    }
}

/// Returns the parameters of a `Bearer` challenge, if there is one in the value of a header.
fn bearer(value: &str) -> Option<Vec<(String, String)>> {
    let starts = |at: usize| value.get(at..at + 7).is_some_and(|word| word.eq_ignore_ascii_case("bearer "));
    let at = (0..value.len()).find(|at| {
        starts(*at)
            && value.get(..*at).is_some_and(|before| before.is_empty() || before.ends_with([' ', ',']))
    })?;
    let mut rest = value.get(at + 7..)?;
    let mut parameters = Vec::new();
    while let Some((key, after)) = rest.split_once('=') {
        let key = key.trim_matches([' ', ',']).to_owned();
        let (text, left) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => after.split_once(',').unwrap_or((after, "")),
        };
        parameters.push((key, text.trim().to_owned()));
        rest = left;
    }
    Some(parameters)
}

/// Returns the token in the answer of a token server.
///
/// # Errors
/// [`Fault::Invalid`] if there is none.
pub(crate) fn read(body: &[u8]) -> Result<String, Fault> {
    #[derive(Deserialize)]
    struct Answer {
        token: Option<String>,
        access_token: Option<String>,
    }
    let invalid = || Fault::Invalid("the answer of its token server is no token".to_owned());
    let answer: Answer = serde_json::from_slice(body).map_err(|_| invalid())?;
    let token = answer.token.filter(|token| !token.is_empty()).or(answer.access_token);
    token.filter(|token| !token.is_empty()).ok_or_else(invalid)
}

/// Returns the fault that a token server's refusal is, given what the same answer of a registry
/// would be.
pub(crate) fn refused(status: StatusCode, body: &[u8], fault: Fault) -> Fault {
    let envelope = serde_json::from_slice::<OciEnvelope>(body).ok();
    let message =
        envelope.as_ref().and_then(|envelope| envelope.errors.first()).map(|e| printable(&e.message));
    match fault {
        Fault::RateLimited(_, until) => {
            Fault::RateLimited("its token server wants fewer requests".to_owned(), until)
        }
        Fault::OutOfOrder(_) => Fault::OutOfOrder(format!("its token server is out of order ({status})")),
        _ => Fault::Unauthorized(match message.filter(|message| !message.is_empty()) {
            Some(message) => format!("its token server refuses the login: {message}"),
            None => "its token server refuses the login".to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn asked(values: &[&str]) -> Result<Option<String>, Fault> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_str(value).unwrap());
        }
        Ok(challenge(&headers, "team/app")?.map(|challenge| challenge.address().to_string()))
    }

    #[test]
    fn a_challenge_says_where_a_token_is_to_be_had() {
        let scope = "scope=repository%3Ateam%2Fapp%3Apull";
        for (values, expected) in [
            (&[][..], None),
            (&[r#"Basic realm="r""#], None),
            (
                &[r#"Bearer realm="https://a.io/token",service="a.io",scope="x,y""#],
                Some(format!("https://a.io/token?{scope}&service=a.io")),
            ),
            (&["bearer realm=https://a.io/token?x=1"], Some(format!("https://a.io/token?x=1&{scope}"))),
            (
                &[r#"Basic realm="bearer ", Bearer service="s", realm="http://a.io""#],
                Some(format!("http://a.io/?{scope}&service=s")),
            ),
            (
                &[r#"Basic realm="r""#, r#"Bearer realm="https://a.io/t""#],
                Some(format!("https://a.io/t?{scope}")),
            ),
        ] {
            assert_eq!(asked(values), Ok(expected), "{values:?}");
        }
        for realm in
            ["Bearer service=\"a\"", "Bearer realm=\"file:///etc/passwd\"", "Bearer realm=\"/token\""]
        {
            assert!(matches!(asked(&[realm]), Err(Fault::Invalid(_))), "{realm}");
        }
    }

    #[test]
    fn an_identity_token_is_exchanged_by_a_form() {
        let realm = Url::parse("https://a.io/token").unwrap();
        let (scope, service) = ("repository:a:pull".to_owned(), Some("a & b".to_owned()));
        assert_eq!(
            Challenge { realm, scope, service }.form("i/d="),
            "grant_type=refresh_token&refresh_token=i%2Fd%3D&client_id=flux&scope=repository%3Aa%3Apull&service=a+%26+b"
        );
    }

    #[test]
    fn a_token_goes_by_two_names() {
        for (body, expected) in [
            (r#"{"token":"a","access_token":"b"}"#, Some("a")),
            (r#"{"token":"","access_token":"b"}"#, Some("b")),
            (r#"{"access_token":"b"}"#, Some("b")),
            (r#"{"token":""}"#, None),
            ("{}", None),
            ("<html>", None),
        ] {
            assert_eq!(read(body.as_bytes()).ok().as_deref(), expected, "{body}");
        }
    }

    #[test]
    fn a_refusal_is_told_by_its_status_and_its_words() {
        let refusal = |status: u16, body: &str| {
            let status = StatusCode::from_u16(status).unwrap();
            refused(status, body.as_bytes(), Fault::of_answer(status, body.as_bytes(), None))
        };
        let bad = r#"{"errors":[{"code":"UNAUTHORIZED","message":"bad password"}]}"#;
        let says = "its token server refuses the login";
        assert_eq!(refusal(401, bad), Fault::Unauthorized(format!("{says}: bad password")));
        assert_eq!(refusal(401, r#"{"details":"incorrect"}"#), Fault::Unauthorized(says.to_owned()));
        assert_eq!(refusal(403, ""), Fault::Unauthorized(says.to_owned()));
        assert!(matches!(refusal(429, ""), Fault::RateLimited(..)));
        assert!(matches!(refusal(503, "<h1>"), Fault::OutOfOrder(_)));
    }

    proptest::proptest! {
        #[test]
        fn no_header_makes_it_panic(value in "[ -~]{0,60}", start in "(Bearer |bearer realm=\")?") {
            let _ = asked(&[&format!("{start}{value}")]);
        }
    }
}
