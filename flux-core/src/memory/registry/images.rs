//! Images written in a file: image name → list of `{tag, created?, digest?, labels?, platforms?,
//! artifact?, error?}`, or → `{error}`.
//!
//! An error about such a file names the image and the tag that it is about.

use std::{collections::BTreeMap, fmt};

use jiff::{Timestamp, civil, tz::TimeZone};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

use super::{MemoryRegistry, artifact_words};
use crate::{
    backend::{Error, InspectError},
    image::{ArtifactKind, CanonicalName, ImageInfo, ImageName, Tag},
};

/// The content of a file of images, as read by any serde format; [`MemoryRegistry::from_images`]
/// makes sense of it.
///
/// The order and the spelling of the names are kept, so that a name given twice is noticed.
///
/// ```yaml
/// example.com/web:
///   - {tag: v1, created: 2024-05-01T10:00:00Z, platforms: [linux/amd64]}
///   - {tag: v2, error: the manifest is damaged}
///   - {tag: chart-2.0.0, artifact: helm-chart}
/// example.com/private: {error: no credentials}
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ImagesFile(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for ImagesFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = ImagesFile;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping from image names to lists of tags")
            }

            fn visit_unit<E>(self) -> Result<ImagesFile, E> {
                Ok(ImagesFile::default())
            }

            fn visit_none<E>(self) -> Result<ImagesFile, E> {
                Ok(ImagesFile::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ImagesFile, A::Error> {
                let mut entries = Vec::new();
                while let Some((name, Loose(value))) = map.next_entry()? {
                    entries.push((name, value));
                }
                Ok(ImagesFile(entries))
            }
        }

        deserializer.deserialize_any(Entries)
    }
}

/// A value in which texts are taken as they are written: the tag `1.10` is no number.
struct Loose(Value);

impl<'de> Deserialize<'de> for Loose {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Loose;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of tags, or {error: …}")
            }

            fn visit_bool<E>(self, value: bool) -> Result<Loose, E> {
                Ok(Loose(value.into()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Loose, E> {
                Ok(Loose(value.into()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Loose, E> {
                Ok(Loose(value.into()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Loose, E> {
                Ok(Loose(value.into()))
            }

            fn visit_str<E>(self, value: &str) -> Result<Loose, E> {
                Ok(Loose(value.into()))
            }

            fn visit_unit<E>(self) -> Result<Loose, E> {
                Ok(Loose(Value::Null))
            }

            fn visit_none<E>(self) -> Result<Loose, E> {
                Ok(Loose(Value::Null))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Loose, A::Error> {
                let mut values = Vec::new();
                while let Some(Loose(value)) = list.next_element()? {
                    values.push(value);
                }
                Ok(Loose(values.into()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Loose, A::Error> {
                let mut values = Map::new();
                while let Some(key) = map.next_key::<String>()? {
                    let value = match key.as_str() {
                        "tag" | "created" | "digest" | "artifact" | "error" => {
                            match map.next_value::<Option<String>>()? {
                                Some(text) => text.into(),
                                None => Value::Null,
                            }
                        }
                        "labels" => serde_json::json!(map.next_value::<Option<BTreeMap<String, String>>>()?),
                        _ => map.next_value::<Loose>()?.0,
                    };
                    values.insert(key, value);
                }
                Ok(Loose(values.into()))
            }
        }

        deserializer.deserialize_any(Any)
    }
}

/// The errors in a file of images.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[non_exhaustive]
pub enum ImagesError {
    /// A key is no image name.
    #[error("image name `{image}`: {problem}")]
    Name {
        /// The key.
        image: String,
        /// The problem with it.
        problem: String,
    },
    /// Two keys name the same repository.
    #[error(
        "images `{first}` and `{second}` are the same repository: list its tags under one of the two names"
    )]
    SameName {
        /// The key that comes first.
        first: String,
        /// The other one.
        second: String,
    },
    /// The value of an image is neither a list of tags nor `{error: …}`.
    #[error("image `{image}`: {problem}")]
    Image {
        /// The image.
        image: String,
        /// The problem with its value.
        problem: String,
    },
    /// One entry of a list has no usable tag.
    #[error("image `{image}`, entry {entry}: {problem}")]
    Entry {
        /// The image.
        image: String,
        /// Which of its entries, counted from 1.
        entry: usize,
        /// The problem with it.
        problem: String,
    },
    /// Two entries of an image have the same tag.
    #[error("image `{image}` lists tag `{tag}` twice: remove one of the two")]
    DuplicateTag {
        /// The image.
        image: String,
        /// The tag.
        tag: String,
    },
    /// A key of an entry is unknown, or its value cannot be read.
    #[error("image `{image}`, tag `{tag}`: {problem}")]
    Tag {
        /// The image.
        image: String,
        /// The tag.
        tag: String,
        /// The problem with it.
        problem: String,
    },
}

impl MemoryRegistry {
    /// Returns a registry that holds the images of a file.
    ///
    /// An entry with `error` is listed and its image cannot be read, whatever else the entry has.
    /// One with `artifact` is listed and no image: its value is the code of an [`ArtifactKind`].
    ///
    /// # Errors
    /// The first thing that is wrong with the file, with the image and the tag it is wrong for.
    pub fn from_images(file: &ImagesFile) -> Result<Self, ImagesError> {
        let registry = Self::new();
        let mut names: BTreeMap<CanonicalName, &str> = BTreeMap::new();
        for (image, value) in &file.0 {
            let name: ImageName = image.parse().map_err(|error: crate::image::InvalidImage| {
                ImagesError::Name { image: image.clone(), problem: error.problem.to_owned() }
            })?;
            if let Some(first) = names.insert(name.canonical(), image) {
                return Err(ImagesError::SameName { first: first.to_owned(), second: image.clone() });
            }
            registry.add(&name, image, value)?;
        }
        Ok(registry)
    }

    fn add(&self, name: &ImageName, image: &str, value: &Value) -> Result<(), ImagesError> {
        let invalid = |problem: String| ImagesError::Image { image: image.to_owned(), problem };
        match value {
            Value::Array(entries) => {
                // A repository without tags is there all the same.
                self.set_error(name, None);
                let mut seen = BTreeMap::new();
                for (index, entry) in entries.iter().enumerate() {
                    let (tag, entry) = tag_of(image, index + 1, entry)?;
                    if seen.insert(tag.clone(), ()).is_some() {
                        return Err(ImagesError::DuplicateTag {
                            image: image.to_owned(),
                            tag: tag.to_string(),
                        });
                    }
                    let info = image_of(image, &tag, entry)?;
                    self.insert(name, tag, info);
                }
                Ok(())
            }
            Value::Object(map) => match (map.get("error"), map.keys().find(|key| *key != "error")) {
                (_, Some(key)) => Err(invalid(format!(
                    "unknown key `{key}`: write a list of tags, or {{error: \"…\"}} alone"
                ))),
                (Some(Value::String(message)), None) => {
                    self.set_error(name, Some(Error::unavailable(name, message)));
                    Ok(())
                }
                (_, None) => Err(invalid("`error` is a text".to_owned())),
            },
            other => Err(invalid(format!(
                "{} where a list of tags, or {{error: \"…\"}}, is wanted",
                kind_of(other)
            ))),
        }
    }
}

/// Returns the tag of an entry, and the entry as a map.
fn tag_of<'a>(
    image: &str,
    number: usize,
    entry: &'a Value,
) -> Result<(Tag, &'a Map<String, Value>), ImagesError> {
    let invalid = |problem: String| ImagesError::Entry { image: image.to_owned(), entry: number, problem };
    let map =
        entry.as_object().ok_or_else(|| invalid(format!("{} where {{tag: …}} is wanted", kind_of(entry))))?;
    match map.get("tag") {
        Some(Value::String(text)) => {
            let tag = text.parse().map_err(|error: crate::image::InvalidImage| {
                invalid(format!("tag `{text}`: {}", error.problem))
            })?;
            Ok((tag, map))
        }
        Some(other) => Err(invalid(format!("tag {other} is {}: write it in quotes", kind_of(other)))),
        None => Err(invalid("there is no `tag`".to_owned())),
    }
}

/// Reads what an entry says of its image.
fn image_of(
    image: &str,
    tag: &Tag,
    entry: &Map<String, Value>,
) -> Result<Result<ImageInfo, InspectError>, ImagesError> {
    let invalid =
        |problem: String| ImagesError::Tag { image: image.to_owned(), tag: tag.to_string(), problem };
    let mut info = ImageInfo::default();
    let (mut error, mut artifact) = (None, None);
    for (key, value) in entry {
        if value.is_null() {
            continue;
        }
        let text =
            || value.as_str().ok_or_else(|| invalid(format!("`{key}` is a text, not {}", kind_of(value))));
        match key.as_str() {
            "tag" => {}
            "created" => {
                let text = text()?;
                info.created = Some(time(text).ok_or_else(|| {
                    invalid(format!(
                        "`created: {text}` is no date: write it as RFC 3339 has it, 2024-05-01T10:00:00Z"
                    ))
                })?);
            }
            "digest" => {
                let text = text()?;
                info.digest = Some(text.parse().map_err(|e: crate::image::InvalidImage| {
                    invalid(format!("`digest: {text}`: {}", e.problem))
                })?);
            }
            "labels" => {
                info.labels = BTreeMap::deserialize(value).map_err(|_| {
                    invalid("`labels` maps texts to texts: write numbers and booleans in quotes".to_owned())
                })?;
            }
            "platforms" => {
                info.platforms = Vec::deserialize(value)
                    .map_err(|_| invalid("`platforms` is a list of os/architecture[/variant]".to_owned()))?;
            }
            "artifact" => {
                let text = text()?;
                let known = || ArtifactKind::all().map(ArtifactKind::as_str).collect::<Vec<_>>().join(", ");
                let kind = ArtifactKind::of_code(text)
                    .ok_or_else(|| invalid(format!("`artifact: {text}`: known are {}", known())))?;
                artifact = Some(kind);
            }
            "error" => error = Some(InspectError::unreadable(text()?)),
            unknown => {
                return Err(invalid(format!(
                    "unknown key `{unknown}`: known are tag, created, digest, labels, platforms, artifact, error"
                )));
            }
        }
    }
    let artifact = || artifact.map(|kind| InspectError::not_an_image(kind, artifact_words(image, tag, kind)));
    Ok(error.or_else(artifact).map_or(Ok(info), Err))
}

/// Returns a time as RFC 3339 has it, or a day, which stands for its beginning in UTC.
fn time(text: &str) -> Option<Timestamp> {
    let day = || text.parse::<civil::Date>().ok()?.to_zoned(TimeZone::UTC).ok();
    text.parse().ok().or_else(|| Some(day()?.timestamp()))
}

/// Returns the kind of a value, for people.
fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

#[cfg(test)]
mod tests;
