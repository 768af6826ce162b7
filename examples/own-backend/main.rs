//! A backend of one's own: a `Registry` over the log of a build server.
//!
//! The build server appends a line of JSON for each image that it pushes. Of the lines about a tag
//! the last one counts.
//!
//! ```text
//! {"image": "shop/web", "tag": "1.4.2", "info": {"created": "2026-03-01T08:00:00Z", "digest": …}}
//! ```
//!
//! `cargo test --features testing --example own-backend` holds it to the contract of the trait.

#![expect(clippy::print_stdout, reason = "an example prints")]

use std::{collections::BTreeMap, fs, path::PathBuf};

use async_trait::async_trait;
use flux::{
    backend::{Error, Images, InspectError, Observation, Registry, Result, Tags},
    image::{ImageInfo, ImageName, Tag},
};
use serde::{Deserialize, Serialize};

#[derive(Debug)]
struct BuildLog {
    path: PathBuf,
}

#[derive(Deserialize, Serialize)]
struct Line {
    image: ImageName,
    tag: Tag,
    info: ImageInfo,
}

impl BuildLog {
    fn images(&self, name: &ImageName) -> Result<BTreeMap<Tag, ImageInfo>> {
        let path = self.path.display();
        let text = fs::read_to_string(&self.path).map_err(|error| {
            let message = format!("the build log {path} cannot be read: {error}; check the path");
            Error::unavailable(&path, message).with_source(error)
        })?;
        let mut images = BTreeMap::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line: Line = serde_json::from_str(line).map_err(|error| {
                let message = format!("{path}:{number} is no line of a build log: {error}; correct it");
                Error::invalid(&path, message).with_source(error)
            })?;
            if line.image.canonical() == name.canonical() {
                images.insert(line.tag, line.info);
            }
        }
        Ok(images)
    }
}

#[async_trait]
impl Registry for BuildLog {
    async fn tags(&self, name: &ImageName) -> Result<Observation<Tags>> {
        let images = self.images(name)?;
        if images.is_empty() {
            let message = format!("no build of {name} is in {}; check the name", self.path.display());
            return Err(Error::not_found(name, message));
        }
        Ok(Observation::complete(images.into_keys().collect(), "build log"))
    }

    async fn inspect(&self, name: &ImageName, tags: &[Tag]) -> Result<Observation<Images>> {
        let images = self.images(name)?;
        let missing = |tag: &Tag| {
            InspectError::missing(format!("no build of {name}:{tag} is in the log; it was never built"))
        };
        let found = |tag: &Tag| images.get(tag).cloned().ok_or_else(|| missing(tag));
        let answers = tags.iter().map(|tag| (tag.clone(), found(tag))).collect();
        Ok(Observation::complete(answers, "build log"))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(path), Some(name)) = (arguments.next(), arguments.next()) else {
        return Err("give the path of a build log and the name of an image".into());
    };
    for tag in (BuildLog { path: path.into() }).tags(&name.parse()?).await?.value {
        println!("{tag}");
    }
    Ok(())
}

#[cfg(test)]
mod tests;
