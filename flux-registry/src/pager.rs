//! Lists of tags over several pages: what the next page is, and when to stop. Pure; the requests
//! are made elsewhere.

use std::collections::{BTreeSet, HashSet};

use flux_core::image::Tag;
use url::Url;

/// How many tags are asked for at once; some registries refuse more.
pub(crate) const PAGE_SIZE: usize = 1000;

/// How many pages that bring nothing new are looked at before giving up.
const IDLE_PAGES: usize = 2;

/// The step after a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// All was seen.
    End,
    /// Ask here.
    Page(Url),
    /// There is more that is not asked for, and why.
    Truncated(String),
}

/// The tags seen so far.
#[derive(Debug)]
pub(crate) struct Pager {
    first: Url,
    max_pages: usize,
    max_tags: usize,
    seen: HashSet<Url>,
    idle: usize,
    tags: BTreeSet<Tag>,
}

impl Pager {
    /// Makes a pager that starts at `first`, looks at `max_pages` pages at most, and takes
    /// `max_tags` tags at most.
    pub(crate) fn new(first: Url, max_pages: usize, max_tags: usize) -> Self {
        let seen = HashSet::from([first.clone()]);
        Self { seen, first, max_pages, max_tags, idle: 0, tags: BTreeSet::new() }
    }

    /// Counts the pages that were asked for so far.
    pub(crate) fn pages(&self) -> usize {
        self.seen.len()
    }

    /// Counts the tags that were seen so far.
    pub(crate) fn tags(&self) -> usize {
        self.tags.len()
    }

    /// Says that there are more tags than are taken.
    pub(crate) fn too_many(&self) -> String {
        format!("there are more than {} tags, and no more are taken of one repository", self.max_tags)
    }

    /// Takes in the page that was found at `at`: its tags and its `Link` headers.
    pub(crate) fn page<'a>(
        &mut self,
        at: &Url,
        names: &[String],
        links: impl IntoIterator<Item = &'a str>,
    ) -> Next {
        let (before, mut others) = (self.tags.len(), 0);
        for name in names {
            match name.parse() {
                Ok(tag) => {
                    if self.tags.len() >= self.max_tags && !self.tags.contains(&tag) {
                        return Next::Truncated(self.too_many());
                    }
                    self.tags.insert(tag);
                }
                Err(_) => others += 1,
            }
        }
        if others > 0 {
            tracing::warn!(repository = %self.first.path(), count = others, "names that are no tags, ignored");
        }
        self.idle = if self.tags.len() > before { 0 } else { self.idle + 1 };
        let next = match links.into_iter().find_map(next_link) {
            Some(link) => match self.resolve(at, link) {
                Ok(url) => url,
                Err(problem) => return Next::Truncated(problem),
            },
            // A full page without a link: from a registry that pages, but does not say so. One that
            // ignores `last` answers the same again, and then all was seen.
            None if names.len() == PAGE_SIZE && self.idle == 0 => match names.last() {
                Some(last) => after(&self.first, last),
                None => return Next::End,
            },
            None => return Next::End,
        };
        if self.idle >= IDLE_PAGES || self.seen.contains(&next) {
            return Next::Truncated(format!(
                "the registry's list of tags goes in circles after {} tags",
                self.tags.len()
            ));
        }
        if self.seen.len() >= self.max_pages {
            return Next::Truncated(format!(
                "the list of tags was cut off after {} pages with {} tags",
                self.seen.len(),
                self.tags.len()
            ));
        }
        self.seen.insert(next.clone());
        Next::Page(next)
    }

    /// Returns all tags that were seen.
    pub(crate) fn into_tags(self) -> Vec<Tag> {
        self.tags.into_iter().collect()
    }

    /// Returns where a link leads, if that is on the same host.
    ///
    /// Credentials go with the request, so no other host gets it.
    fn resolve(&self, at: &Url, link: &str) -> Result<Url, String> {
        let url =
            at.join(link).map_err(|_| "the registry's link to the next page of tags is no URL".to_owned())?;
        if url.host() != self.first.host() || (url.port() != self.first.port() && url.port().is_some()) {
            return Err(format!(
                "the registry's next page of tags is on another host, {}, and was not followed",
                url.host_str().unwrap_or("none")
            ));
        }
        // Scheme and port are ours: behind a proxy that ends TLS, registries write links with
        // `http:` or without port.
        let mut next = self.first.clone();
        next.set_query(url.query());
        // So is the path, when the link's is ours without its beginning, as Artifactory writes it
        // for virtual repositories.
        let (ours, theirs) = (self.first.path(), url.path());
        let ending = theirs.strip_prefix("/v2").unwrap_or(theirs);
        if !ours.ends_with(ending) {
            next.set_path(theirs);
        }
        Ok(next)
    }
}

/// Returns the page after a tag.
fn after(first: &Url, last: &str) -> Url {
    let mut next = first.clone();
    next.query_pairs_mut().append_pair("last", last);
    next
}

/// Returns the target of a link to the next page in the value of a `Link` header.
fn next_link(header: &str) -> Option<&str> {
    let mut rest = header;
    loop {
        let (_, link) = rest.split_once('<')?;
        let (target, parameters) = link.split_once('>')?;
        let end = parameters.find('<').unwrap_or(parameters.len());
        let next = parameters[..end].split([';', ',']).any(|parameter| {
            parameter.split_once('=').is_some_and(|(key, value)| {
                key.trim().eq_ignore_ascii_case("rel")
                    && value
                        .trim()
                        .trim_matches('"')
                        .split_ascii_whitespace()
                        .any(|r| r.eq_ignore_ascii_case("next"))
            })
        });
        if next {
            return Some(target);
        }
        rest = &parameters[end..];
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FIRST: &str = "https://r.io/v2/virtual/team/app/tags/list?n=1000";

    fn pager(max_pages: usize) -> (Pager, Url) {
        let first = Url::parse(FIRST).unwrap();
        (Pager::new(first.clone(), max_pages, 100_000), first)
    }

    fn names(range: std::ops::Range<usize>) -> Vec<String> {
        range.map(|n| format!("v{n}")).collect()
    }

    #[test]
    fn a_link_is_followed_on_the_same_host_only() {
        let list = "https://r.io/v2/virtual/team/app/tags/list";
        for (link, target) in [
            (
                r#"</v2/virtual/team/app/tags/list?last=a&n=5>; rel="next""#,
                Some(format!("{list}?last=a&n=5")),
            ),
            (r#"<?next_page=opaque%3D>; rel="next""#, Some(format!("{list}?next_page=opaque%3D"))),
            (r"<https://r.io/v2/virtual/team/app/tags/list?last=a>;rel=next", Some(format!("{list}?last=a"))),
            // Behind a proxy that ends TLS.
            (
                r#"<http://r.io/v2/virtual/team/app/tags/list?last=a>; rel="next""#,
                Some(format!("{list}?last=a")),
            ),
            // Artifactory without its virtual repository.
            (r#"</v2/team/app/tags/list?last=a>; rel="next""#, Some(format!("{list}?last=a"))),
            (r#"</other?page=2>; rel="next""#, Some("https://r.io/other?page=2".to_owned())),
            (r#"<https://evil.io/v2/x/tags/list?last=a>; rel="next""#, None),
            (r#"<//evil.io/v2/x/tags/list?last=a>; rel="next""#, None),
            (r#"<https://r.io:8443/v2/x/tags/list?last=a>; rel="next""#, None),
            (r#"<https://[>; rel="next""#, None),
        ] {
            let (mut pager, first) = pager(9);
            let next = pager.page(&first, &names(0..5), [link]);
            match target {
                Some(target) => assert_eq!(next, Next::Page(Url::parse(&target).unwrap()), "{link}"),
                None => assert!(matches!(next, Next::Truncated(_)), "{link}: {next:?}"),
            }
        }
    }

    #[test]
    fn only_the_next_link_counts() {
        for (header, target) in [
            (r#"<a>; rel="next""#, Some("a")),
            (r#"<a>; rel="prev", <b>; title="x,y"; REL="last next""#, Some("b")),
            (r#"<a,b;c>; rel=next"#, Some("a,b;c")),
            (r#"<a>; rel="prev""#, None),
            ("<a>", None),
            ("", None),
            ("<a; rel=next", None),
        ] {
            assert_eq!(next_link(header), target, "{header}");
        }
    }

    #[test]
    fn a_list_that_goes_in_circles_is_cut_off() {
        let again = format!(r#"<{FIRST}>; rel="next""#);
        let (mut pager, first) = pager(9);
        assert!(matches!(pager.page(&first, &names(0..5), [again.as_str()]), Next::Truncated(_)));
    }

    #[test]
    fn pages_that_bring_nothing_new_end_the_list() {
        let (mut pager, first) = pager(99);
        let mut next = Next::Page(first);
        let mut asked = 0;
        while let Next::Page(at) = next {
            asked += 1;
            let link = format!(r#"<?page={asked}>; rel="next""#);
            next = pager.page(&at, &names(0..5), [link.as_str()]);
        }
        assert!(matches!(next, Next::Truncated(_)));
        assert_eq!(asked, 1 + IDLE_PAGES);
    }

    #[test]
    fn the_cap_on_pages_is_declared() {
        let (mut pager, first) = pager(3);
        let mut next = Next::Page(first);
        let mut asked = 0;
        while let Next::Page(at) = next {
            let link = format!(r#"<?page={asked}>; rel="next""#);
            next = pager.page(&at, &names(asked * 5..asked * 5 + 5), [link.as_str()]);
            asked += 1;
        }
        assert!(matches!(next, Next::Truncated(why) if why.contains("3 pages with 15 tags")));
        assert_eq!(asked, 3);
    }

    #[test]
    fn a_full_page_without_a_link_is_asked_on_from_its_last_tag() {
        let (mut pager, first) = pager(9);
        let Next::Page(second) = pager.page(&first, &names(0..PAGE_SIZE), []) else {
            panic!("there may be more")
        };
        assert_eq!(second.as_str(), format!("{FIRST}&last=v999"));
        // A registry that ignores `last` answers the same again.
        assert_eq!(pager.page(&second, &names(0..PAGE_SIZE), []), Next::End);
        assert_eq!(pager.into_tags().len(), PAGE_SIZE);
    }

    #[test]
    fn what_is_no_tag_is_left_out() {
        let (mut pager, first) = pager(9);
        assert_eq!(pager.page(&first, &["ok".to_owned(), "not ok".to_owned(), String::new()], []), Next::End);
        assert_eq!(pager.into_tags(), ["ok".parse().unwrap()]);
    }

    proptest! {
        #[test]
        fn however_the_pages_are_cut_all_tags_are_seen(total in 0_usize..200, size in 1_usize..50) {
            let all = names(0..total);
            let (mut pager, first) = pager(1000);
            let mut next = Next::Page(first);
            let mut at = 0;
            while let Next::Page(url) = next {
                let end = (at + size).min(total);
                let link = format!(r#"<?o={end}>; rel="next""#);
                next = pager.page(&url, &all[at..end], (end < total).then_some(link.as_str()));
                at = end;
            }
            prop_assert_eq!(next, Next::End);
            prop_assert_eq!(pager.into_tags().len(), total);
        }

        #[test]
        fn no_header_makes_it_panic(header in "\\PC{0,60}", name in "\\PC{0,20}") {
            let (mut pager, first) = pager(9);
            let _ = pager.page(&first, &[name], [header.as_str(), &format!("<{header}>; rel=next")]);
        }
    }
}
