//! The words of controllers and kubelets, as they may be shown: law 11.

/// The longest text that is quoted, in characters.
const LONGEST: usize = 500;

/// Returns the words of the cluster in one line, without what may be a secret.
///
/// Addresses lose their user, password and query (a registry redirects to signed addresses), and a
/// value that the API server quotes when it refuses a pod is left out.
pub(super) fn harmless(text: &str) -> String {
    let line = text.split_whitespace().map(without_credentials).collect::<Vec<_>>().join(" ");
    let line = without_quoted_values(&line);
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

/// Returns a word whose address has no user, password or query.
fn without_credentials(word: &str) -> String {
    let Some((scheme, rest)) = word.split_once("://") else { return word.to_owned() };
    let (address, query) = match rest.split_once('?') {
        Some((address, query)) => (address, Some(query)),
        None => (rest, None),
    };
    let host = address.find('/').map_or(address.len(), |end| end);
    let start = address.get(..host).and_then(|host| host.rfind('@')).map_or(0, |at| at + 1);
    let address = address.get(start..).unwrap_or_default();
    match query {
        // What follows the address in the sentence is kept.
        Some(query) => {
            let end = query.trim_end_matches(|c: char| matches!(c, '"' | '\'' | ':' | ',' | '.' | ')'));
            format!("{scheme}://{address}?…{}", query.get(end.len()..).unwrap_or_default())
        }
        None => format!("{scheme}://{address}"),
    }
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
            ("user@example.com is no address", "user@example.com is no address"),
        ] {
            assert_eq!(harmless(text), shown);
        }
        assert_eq!(harmless(&"ä".repeat(600)).chars().count(), LONGEST + 1);
    }
}
