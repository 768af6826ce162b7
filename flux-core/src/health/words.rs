//! The words of controllers and kubelets, as they may be shown: law 11.

/// The longest text that is quoted, in characters.
const LONGEST: usize = 500;

/// Returns the words of the cluster in one line, without what may be a secret.
///
/// Addresses lose their user, password and query (a registry redirects to signed addresses), and a
/// value that the API server quotes when it refuses a pod is left out.
pub fn harmless(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = without_quoted_values(&without_credentials(&line));
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

/// The characters at which an address in a sentence ends.
const ENDS: [char; 9] = [' ', '"', '\'', '`', ',', ';', ')', '>', '\\'];

/// Returns a text whose addresses have no user, password or query.
fn without_credentials(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        let (address, behind) = after.split_at(after.find(ENDS).unwrap_or(after.len()));
        let (address, query) = match address.split_once('?') {
            Some((address, query)) => (address, Some(query)),
            None => (address, None),
        };
        let (host, path) = address.split_at(address.find('/').unwrap_or(address.len()));
        let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
        shown.extend([before, "://", host, path]);
        if let Some(query) = query {
            // A colon behind it belongs to the sentence.
            shown.push_str(if query.ends_with(':') { "?…:" } else { "?…" });
        }
        rest = behind;
    }
    shown + rest
}

/// Returns a text without the values that `value: "…"` quotes.
fn without_quoted_values(text: &str) -> String {
    const BEFORE: &str = "alue: \"";
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, quoted)) = rest.split_once(BEFORE) {
        let mut is_escaped = false;
        let end = quoted.find(|c| {
            let is_end = c == '"' && !is_escaped;
            is_escaped = c == '\\' && !is_escaped;
            is_end
        });
        shown.push_str(before);
        shown.push_str("alue: \"…\"");
        rest = end.and_then(|end| quoted.get(end + 1..)).unwrap_or_default();
    }
    shown + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_secret_is_left_out() {
        for (text, shown) in [
            ("Back-off pulling\n image \"web:2\"", "Back-off pulling image \"web:2\""),
            (
                "Get \"https://robot:hunter2@registry.example.com/v2/\": denied",
                "Get \"https://registry.example.com/v2/\": denied",
            ),
            (
                "Get \"https://s3.example.com/blob?X-Signature=hunter2\": EOF",
                "Get \"https://s3.example.com/blob?…\": EOF",
            ),
            (
                "env[0].value: Invalid value: \"hunt\\\"er2\": must be short",
                "env[0].value: Invalid value: \"…\": must be short",
            ),
            ("Invalid value: \"hunter2", "Invalid value: \"…\""),
            (
                "a=https://u:hunter2@a.example.com/x,b=https://u:hunter2@b.example.com?t=hunter2: EOF",
                "a=https://a.example.com/x,b=https://b.example.com?…: EOF",
            ),
            ("user@example.com is no address", "user@example.com is no address"),
        ] {
            assert_eq!(harmless(text), shown);
        }
        assert_eq!(harmless(&"ä".repeat(600)).chars().count(), LONGEST + 1);
    }
}
