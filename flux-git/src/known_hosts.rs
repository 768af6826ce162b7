//! Host keys of SSH servers, against a file in the form of OpenSSH's `known_hosts`.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;

/// The verdict of a file of known hosts on a key that a host showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HostKey {
    /// It is the host's.
    Known,
    /// The host is not in the file, or only with keys of these other types.
    Unknown {
        /// The types that the file has.
        known_types: Vec<String>,
    },
    /// The file has another key of the same type for the host.
    Changed {
        /// In this line, counted from 1.
        line: usize,
    },
    /// The file revokes the key.
    Revoked {
        /// In this line, counted from 1.
        line: usize,
    },
}

/// Looks a host's key up. `key` is in SSH's wire form, which begins with the key's type.
///
/// As OpenSSH does, a host on another port than 22 is looked up as `[host]:port`, and without the
/// port too.
pub(crate) fn check(file: &str, host: &str, port: u16, key: &[u8]) -> HostKey {
    let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    let names = if port == 22 { vec![host] } else { vec![format!("[{host}]:{port}"), host] };
    let (kind, encoded) = (key_type(key), STANDARD.encode(key));
    let mut verdict = HostKey::Unknown { known_types: Vec::new() };
    for (number, line) in file.lines().enumerate() {
        let line_number = number + 1;
        let mut fields = line.split_whitespace().peekable();
        let marker = fields.next_if(|field| field.starts_with('@'));
        let (Some(patterns), Some(line_kind), Some(line_key)) = (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        if patterns.starts_with('#') || !names.iter().any(|name| matches(patterns, name)) {
            continue;
        }
        match marker {
            Some("@revoked") if line_key == encoded => return HostKey::Revoked { line: line_number },
            // Certificates of hosts are not looked at: libssh2 has none.
            Some(_) => {}
            None if line_key == encoded => verdict = HostKey::Known,
            None if verdict == HostKey::Known => {}
            None if line_kind == kind => verdict = HostKey::Changed { line: line_number },
            None => {
                if let HostKey::Unknown { known_types } = &mut verdict {
                    known_types.push(line_kind.to_owned());
                }
            }
        }
    }
    verdict
}

/// Returns the name of a key's type, from its wire form.
pub(crate) fn key_type(key: &[u8]) -> String {
    let length = key.first_chunk().map_or(0, |length| u32::from_be_bytes(*length) as usize);
    let name = key.get(4..).and_then(|rest| rest.get(..length)).unwrap_or_default();
    String::from_utf8_lossy(name).into_owned()
}

/// Returns `true` if a host's name fits the first field: names and patterns with commas, `!` before
/// exceptions, or one hashed name.
fn matches(patterns: &str, name: &str) -> bool {
    if let Some(hashed) = patterns.strip_prefix("|1|") {
        return matches_hash(hashed, name);
    }
    let mut found = false;
    for pattern in patterns.split(',') {
        let (negated, pattern) = pattern.strip_prefix('!').map_or((false, pattern), |rest| (true, rest));
        if wildcard(pattern.to_ascii_lowercase().as_bytes(), name.as_bytes()) {
            if negated {
                return false;
            }
            found = true;
        }
    }
    found
}

fn matches_hash(salt_and_hash: &str, name: &str) -> bool {
    let decoded = salt_and_hash.split_once('|').and_then(|(salt, hash)| {
        let mac = Hmac::<Sha1>::new_from_slice(&STANDARD.decode(salt).ok()?).ok()?;
        Some((mac, STANDARD.decode(hash).ok()?))
    });
    decoded.is_some_and(|(mut mac, hash)| {
        mac.update(name.as_bytes());
        mac.verify_slice(&hash).is_ok()
    })
}

/// Returns `true` if a text matches a pattern.
///
/// `*` stands for any text, `?` for one character. It is linear in the text for each star.
fn wildcard(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == b'?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match &mut star {
                Some((at, from)) => {
                    *from += 1;
                    (p, t) = (*at + 1, *from);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(kind: &str, body: &str) -> Vec<u8> {
        let mut key = (kind.len() as u32).to_be_bytes().to_vec();
        key.extend(kind.as_bytes());
        key.extend(body.as_bytes());
        key
    }

    fn line(hosts: &str, key: &[u8]) -> String {
        format!("{hosts} {} {} a comment\n", key_type(key), STANDARD.encode(key))
    }

    fn hashed(name: &str) -> String {
        let mut mac = Hmac::<Sha1>::new_from_slice(b"salt").unwrap();
        mac.update(name.as_bytes());
        format!("|1|{}|{}", STANDARD.encode("salt"), STANDARD.encode(mac.finalize().into_bytes()))
    }

    #[test]
    fn a_host_is_known_by_any_form_of_its_name() {
        let key = wire("ssh-ed25519", "k1");
        for (hosts, host, port, known) in [
            ("git.example.com", "git.example.com", 22, true),
            ("GIT.example.com", "git.Example.com", 22, true),
            ("a,git.example.com,b", "git.example.com", 22, true),
            ("*.example.com", "git.example.com", 22, true),
            ("*.example.com,!git.example.com", "git.example.com", 22, false),
            ("g?t.example.com", "git.example.com", 22, true),
            ("[git.example.com]:2222", "git.example.com", 2222, true),
            ("git.example.com", "git.example.com", 2222, true),
            ("[git.example.com]:2222", "git.example.com", 22, false),
            ("[::1]:2222", "[::1]", 2222, true),
            (&hashed("git.example.com"), "git.example.com", 22, true),
            (&hashed("[git.example.com]:2222"), "git.example.com", 2222, true),
            (&hashed("other.example.com"), "git.example.com", 22, false),
            ("example.com", "git.example.com", 22, false),
        ] {
            let verdict = check(&line(hosts, &key), host, port, &key);
            assert_eq!(verdict == HostKey::Known, known, "{hosts} for {host}:{port}: {verdict:?}");
        }
    }

    #[test]
    fn another_key_of_the_type_has_changed_and_another_type_is_unknown() {
        let (shown, other) = (wire("ssh-ed25519", "k1"), wire("ssh-ed25519", "k2"));
        let rsa = wire("ssh-rsa", "k3");
        let comment = "# a comment\n\nbroken-line\n";
        assert_eq!(
            check(&format!("{comment}{}", line("h", &other)), "h", 22, &shown),
            HostKey::Changed { line: 4 }
        );
        assert_eq!(
            check(&format!("{}{}", line("h", &other), line("h", &shown)), "h", 22, &shown),
            HostKey::Known
        );
        assert_eq!(
            check(&line("h", &rsa), "h", 22, &shown),
            HostKey::Unknown { known_types: vec!["ssh-rsa".into()] }
        );
        assert_eq!(check("", "h", 22, &shown), HostKey::Unknown { known_types: vec![] });
    }

    #[test]
    fn a_revoked_key_is_refused_even_if_listed_too() {
        let key = wire("ssh-ed25519", "k1");
        let file = format!("{}@revoked {}", line("h", &key), line("*", &key));
        assert_eq!(check(&file, "h", 22, &key), HostKey::Revoked { line: 2 });
    }
}
