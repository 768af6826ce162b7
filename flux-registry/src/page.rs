//! A page of tags, read without keeping more than is taken. Pure.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use crate::fault::Fault;

/// A page of tags.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Page {
    /// The names, as they are written.
    pub(crate) names: Vec<String>,
    /// `true` if there are more than were taken.
    pub(crate) is_cut: bool,
}

/// Reads the answer to a request for tags, and takes `most` names at most.
///
/// # Errors
/// [`Fault::Invalid`] for what is no such answer.
pub(crate) fn read(body: &[u8], most: usize) -> Result<Page, Fault> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let read =
        Object { most }.deserialize(&mut deserializer).and_then(|page| deserializer.end().map(|()| page));
    read.map_err(|e| Fault::Invalid(format!("its list of tags: {e}")))
}

struct Object {
    most: usize,
}

impl<'de> DeserializeSeed<'de> for Object {
    type Value = Page;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Page, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object {
    type Value = Page;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with tags")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Page, A::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "lowercase")]
        enum Key {
            Tags,
            #[serde(other)]
            Other,
        }
        let mut page = Page::default();
        while let Some(key) = map.next_key()? {
            match key {
                Key::Tags => page = map.next_value_seed(Names { most: self.most })?,
                Key::Other => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(page)
    }
}

struct Names {
    most: usize,
}

impl<'de> DeserializeSeed<'de> for Names {
    type Value = Page;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Page, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Names {
    type Value = Page;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of names, or null")
    }

    fn visit_unit<E>(self) -> Result<Page, E> {
        Ok(Page::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Page, A::Error> {
        let mut page = Page::default();
        while page.names.len() < self.most {
            match list.next_element()? {
                Some(name) => page.names.push(name),
                None => return Ok(page),
            }
        }
        while list.next_element::<IgnoredAny>()?.is_some() {
            page.is_cut = true;
        }
        Ok(page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_names_or_null_and_is_cut_off() {
        let page = |names: &[&str], is_cut| {
            Ok(Page { names: names.iter().map(|name| (*name).to_owned()).collect(), is_cut })
        };
        for (body, expected) in [
            (r#"{"name":"a","tags":["1","2"]}"#, page(&["1", "2"], false)),
            (r#"{"tags":["1","2","3"],"more":{"tags":[9]}}"#, page(&["1", "2"], true)),
            (r#"{"tags":null}"#, page(&[], false)),
            ("{}", page(&[], false)),
        ] {
            assert_eq!(read(body.as_bytes(), 2), expected, "{body}");
        }
        for body in ["", "[]", "{\"tags\":[1]}", "{\"tags\":{}}", "{\"tags\":[\"1\"", "{}x", "<html>"] {
            assert!(matches!(read(body.as_bytes(), 2), Err(Fault::Invalid(_))), "{body}");
        }
    }
}
