//! The flags that do what a remedy of the library says. The library knows no flags: this is the one table of them.

use std::borrow::Cow;

use flux::{Code, Finding, release::Reason};

/// Returns the flag of the programs that does what the remedy of a finding says.
pub(crate) fn of_code(code: Code) -> Option<&'static str> {
    Some(match code {
        Code::UnusedGeneration => "--git-path",
        Code::GenerationOff => "--manifest-generation",
        Code::NotBuilt => "--git-path and --manifest-generation",
        Code::RegistryUnauthorized => "--docker-config",
        _ => return None,
    })
}

/// Returns the flag that lets a release do what was refused for a reason.
pub(crate) fn of_reason(reason: Reason) -> Option<&'static str> {
    Some(match reason {
        Reason::TagNotMatching => "--force",
        _ => return None,
    })
}

/// Returns a finding whose remedy names the flag.
pub(crate) fn named(finding: &Finding) -> Cow<'_, Finding> {
    match of_code(finding.code) {
        Some(flag) if !finding.remedy.is_empty() => {
            let remedy = format!("{} (flag: {flag})", finding.remedy);
            Cow::Owned(Finding { remedy, ..finding.clone() })
        }
        _ => Cow::Borrowed(finding),
    }
}

/// Returns findings whose remedies name the flags.
pub(crate) fn all_named(findings: &[Finding]) -> Vec<Cow<'_, Finding>> {
    findings.iter().map(named).collect()
}
