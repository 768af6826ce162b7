//! The codes on the page `docs/codes.md` are those of the library.

use flux_core::{finding::Code, health::EvidenceCode, policy::Rule, release, sync};

const PAGE: &str = include_str!("../../../docs/codes.md");

/// Returns the codes of a section, in their order.
fn section(title: &str) -> Vec<&'static str> {
    let start = PAGE.find(&format!("## {title}\n")).unwrap();
    let body = &PAGE[start + 3..];
    let body = &body[..body.find("\n## ").unwrap_or(body.len())];
    body.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect()
}

#[test]
fn every_code_stands_on_the_page_and_no_other() {
    assert_eq!(section("Findings"), Code::ALL.iter().map(|c| c.as_str()).collect::<Vec<_>>());
    assert_eq!(section("Releases"), release::Reason::ALL.iter().map(|c| c.as_str()).collect::<Vec<_>>());
    assert_eq!(section("Tags"), Rule::CODES.iter().map(|(_, code)| *code).collect::<Vec<_>>());
    assert_eq!(section("Syncs"), sync::Reason::ALL.iter().map(|c| c.as_str()).collect::<Vec<_>>());
    assert_eq!(section("Health"), EvidenceCode::ALL.iter().map(|c| c.as_str()).collect::<Vec<_>>());
}
