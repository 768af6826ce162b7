//! The host of an image name.

use std::net::Ipv6Addr;

/// Returns `true` if the first element of a name is taken for a host, valid or not.
pub(super) fn looks_like_host(element: &str) -> bool {
    element == "localhost" || element.contains(['.', ':', '[', ']'])
}

/// Returns `true` if a text is a host.
///
/// It is a DNS name, an IPv4 address or an IPv6 address in brackets, with an optional port.
pub(super) fn is_host(text: &str) -> bool {
    let (name, rest) = match text.strip_prefix('[') {
        Some(inner) => match inner.split_once(']') {
            Some((address, rest)) if address.parse::<Ipv6Addr>().is_ok() => (None, rest),
            _ => return false,
        },
        None => {
            let end = text.find(':').unwrap_or(text.len());
            let (name, rest) = text.split_at(end);
            (Some(name), rest)
        }
    };
    let port_ok = match rest.strip_prefix(':') {
        Some(port) => port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok(),
        None => rest.is_empty(),
    };
    port_ok && name.is_none_or(|name| name.split('.').all(is_label))
}

fn is_label(label: &str) -> bool {
    !label.is_empty()
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}
