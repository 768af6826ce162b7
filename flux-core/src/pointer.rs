//! JSON pointers (RFC 6901): keys, each behind a `/`.

/// Returns a key as a token of a pointer.
pub(crate) fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// Returns the key that a token of a pointer stands for.
pub(crate) fn unescape(token: &str) -> String {
    token.replace("~1", "/").replace("~0", "~")
}

/// Returns the last key of a pointer.
pub(crate) fn last_key(pointer: &str) -> String {
    unescape(pointer.rsplit('/').next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_one_token_and_comes_back() {
        for (key, token) in
            [("web", "web"), ("a/b", "a~1b"), ("a~b", "a~0b"), ("~1", "~01"), ("~0/", "~00~1"), ("", "")]
        {
            assert_eq!(escape(key), token);
            assert_eq!(unescape(token), key);
            assert_eq!(last_key(&format!("/metadata/{token}")), key);
        }
    }
}
