//! The flags that carry out the remedies of the library.
//!
//! The library knows no flags: this is the one table of them.

use std::borrow::Cow;

use flux::Finding;

/// The flags by the codes of findings and the reasons of verdicts.
const FLAGS: [(&str, &str); 10] = [
    ("drifted", "--repair of fluxd"),
    ("generation-off", "--manifest-generation"),
    ("not-built", "--git-path and --manifest-generation"),
    ("other-sync-set", "--take-over; or --moved-from for a set that goes on"),
    ("partial-cluster", "--k8s-allow-namespace"),
    ("prune-held-back", "--prune-all, where too many would go"),
    ("registry-forbidden", "--docker-config"),
    ("registry-unauthorized", "--docker-config"),
    ("tag-not-matching", "--force"),
    ("unused-generation", "--git-path"),
];

/// Returns the words that name the flag for a code or reason; empty if there is none.
pub(crate) fn hint(code: &str) -> String {
    let flag = FLAGS.iter().find(|(of, _)| *of == code).map(|(_, flag)| format!(" (flag: {flag})"));
    flag.unwrap_or_default()
}

/// Returns a finding whose remedy names the flag.
pub(crate) fn named(finding: &Finding) -> Cow<'_, Finding> {
    let hint = hint(finding.code.as_str());
    if hint.is_empty() || finding.remedy.is_empty() {
        return Cow::Borrowed(finding);
    }
    let remedy = format!("{}{hint}", finding.remedy);
    Cow::Owned(Finding { remedy, ..finding.clone() })
}
