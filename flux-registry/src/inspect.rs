//! From the tag to a digest, from the digest to an image, each digest once.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
};

use bytes::Bytes;
use flux_core::image::{ArtifactKind, Digest, ImageInfo, Tag};
use futures::{
    StreamExt as _,
    future::{BoxFuture, FutureExt as _},
    stream,
};
use oci_distribution::manifest::OciImageManifest;
use reqwest::Method;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use crate::{
    artifact::Artifact,
    cache::Cache,
    fault::Fault,
    manifest::{self, Child, Manifest},
    session::{Answer, Request, Session},
};

/// The largest manifest that is read, in bytes; registries take no larger ones.
const LARGEST_MANIFEST: usize = 4 << 20;

/// The largest configuration that is read, in bytes.
const LARGEST_CONFIG: usize = 8 << 20;

/// How many tags or digests are taken up at a time. What is taken up costs kilobytes, and a tag
/// that waits only its name.
const AT_A_TIME: usize = 256;

/// How many bytes of manifests are kept at most that came with tags.
const MOST_KEPT: usize = 32 << 20;

/// The most entries of an index that are looked at.
const MOST_ENTRIES: usize = 1_000;

/// How deep indexes may lie in each other.
const DEEPEST: u8 = 3;

/// One repository that is looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inspector<'a> {
    pub(crate) session: &'a Session,
    pub(crate) cache: &'a Cache,
    pub(crate) repository: &'a str,
    /// How many things are looked at at once.
    pub(crate) concurrency: usize,
}

/// The digest that a tag points to, and its manifest where that had to be fetched to know.
type Target = (Digest, Option<Bytes>);

/// Stops asking once it is clear that all answers will be the same.
#[derive(Debug, Default)]
struct Stop(OnceLock<Fault>);

impl Stop {
    async fn unless<T>(&self, request: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
        if let Some(fault) = self.0.get() {
            return Err(fault.clone());
        }
        let result = request.await;
        if let Err(fault) = &result
            && fault.is_of_repository()
        {
            let _ = self.0.set(fault.clone());
        }
        result
    }
}

impl<'a> Inspector<'a> {
    /// Looks at some tags. One request for each, and some more for each digest that was not seen
    /// before.
    pub(crate) async fn at(self, tags: &[Tag]) -> BTreeMap<Tag, Result<ImageInfo, Fault>> {
        let stop = &Stop::default();
        let unique: BTreeSet<&Tag> = tags.iter().collect();
        let unique: Vec<&Tag> = unique.into_iter().collect();
        let mut kept = 0;
        let mut resolved: Vec<(&Tag, Result<Target, Fault>)> = Vec::with_capacity(unique.len());
        for some in unique.chunks(AT_A_TIME) {
            let mut resolving = Vec::with_capacity(some.len());
            for tag in some {
                resolving.push(async move { (*tag, stop.unless(self.resolve(tag)).await) });
            }
            let some: Vec<_> = stream::iter(resolving).buffer_unordered(self.concurrency).collect().await;
            for (tag, target) in some {
                // What comes with a tag is kept only up to a sum; beyond it, it is asked for again.
                let target = target.map(|(digest, body)| {
                    let body = body.filter(|body| kept + body.len() <= MOST_KEPT);
                    kept += body.as_ref().map_or(0, Bytes::len);
                    (digest, body)
                });
                resolved.push((tag, target));
            }
        }

        let mut manifests: BTreeMap<&Digest, Option<&Bytes>> = BTreeMap::new();
        for (digest, body) in resolved.iter().filter_map(|(_, target)| target.as_ref().ok()) {
            let known = manifests.entry(digest).or_default();
            *known = known.or(body.as_ref());
        }
        let manifests: Vec<(&Digest, Option<&Bytes>)> = manifests.into_iter().collect();
        let mut learnt: BTreeMap<&Digest, Result<ImageInfo, Fault>> = BTreeMap::new();
        for some in manifests.chunks(AT_A_TIME) {
            let mut learning = Vec::with_capacity(some.len());
            for (digest, body) in some {
                let image = self.learn((*digest).clone(), body.cloned(), DEEPEST);
                learning.push(async move { (*digest, stop.unless(image).await) });
            }
            let some: Vec<_> = stream::iter(learning).buffer_unordered(self.concurrency).collect().await;
            learnt.extend(some);
        }

        let of = |digest: &Digest| learnt.get(digest).cloned().unwrap_or(Err(Fault::Missing));
        resolved
            .iter()
            .map(|(tag, target)| {
                let image = target.as_ref().map_err(Fault::clone).and_then(|(digest, _)| of(digest));
                ((*tag).clone(), image)
            })
            .collect()
    }

    /// Returns what a tag points to now.
    async fn resolve(self, tag: &Tag) -> Result<Target, Fault> {
        let what = format!("manifests/{tag}");
        let url = self.session.url(self.repository, &what)?;
        match self.session.ask(self.repository, Request::Http(Method::HEAD, url, 0)).await {
            Ok(answer) => {
                if let Some(digest) = digest_header(&answer) {
                    return Ok((digest, None));
                }
            }
            // A registry that does not know the method; asked the other way, it also says what is
            // wrong.
            Err(Fault::Invalid(_)) => {}
            Err(fault) => return Err(fault),
        }
        let answer = self.get(&what).await?;
        let digest = match digest_header(&answer) {
            Some(digest) if has_digest(&answer.body, &digest) => digest,
            Some(_) => return Err(forged()),
            None => digest_of(&answer.body)?,
        };
        Ok((digest, Some(answer.body)))
    }

    async fn get(self, what: &str) -> Result<Answer, Fault> {
        let url = self.session.url(self.repository, what)?;
        self.session.ask(self.repository, Request::Http(Method::GET, url, LARGEST_MANIFEST)).await
    }

    /// Returns the image of a digest; asked for once.
    fn learn(
        self,
        digest: Digest,
        body: Option<Bytes>,
        depth: u8,
    ) -> BoxFuture<'a, Result<ImageInfo, Fault>> {
        async move {
            if let Some(known) = self.cache.get(&digest) {
                return (*known).clone().map_err(Fault::NotAnImage);
            }
            let body = match body {
                Some(body) => body,
                None => self.get(&format!("manifests/{digest}")).await?.body,
            };
            if !has_digest(&body, &digest) {
                return Err(forged());
            }
            let learnt = match manifest::read(&body) {
                Ok(Manifest::Image(image)) => self.image(digest.clone(), &image).await,
                Ok(Manifest::Index(_)) if depth == 0 => {
                    let evidence = "its indexes lie too deep in each other";
                    Err(Fault::NotAnImage(Artifact::new(ArtifactKind::Other, evidence)))
                }
                Ok(Manifest::Index(children)) if children.len() > MOST_ENTRIES => {
                    let count = children.len();
                    Err(Fault::Invalid(format!("its index has {count} images; {MOST_ENTRIES} are taken")))
                }
                Ok(Manifest::Index(children)) => match self.index(digest.clone(), &children, depth - 1).await
                {
                    Ok((info, true)) => Ok(info),
                    // What is missing today can be pushed tomorrow under the same digest.
                    Ok((info, false)) => return Ok(info),
                    Err(fault) => Err(fault),
                },
                Err(fault) => Err(fault),
            };
            match &learnt {
                Ok(info) => self.cache.put(&digest, Ok(info.clone())),
                Err(Fault::NotAnImage(artifact)) => self.cache.put(&digest, Err(artifact.clone())),
                Err(_) => {}
            }
            learnt
        }
        .boxed()
    }

    async fn image(self, digest: Digest, image: &OciImageManifest) -> Result<ImageInfo, Fault> {
        // Other addresses that the descriptor may name are not asked: they are anybody's.
        let config: Digest =
            image.config.digest.parse().map_err(|e: flux_core::image::InvalidImage| {
                Fault::Invalid(format!("its configuration: {e}"))
            })?;
        let url = self.session.url(self.repository, &format!("blobs/{config}"))?;
        let answer = self.session.ask(self.repository, Request::Blob(url, LARGEST_CONFIG)).await?;
        if !has_digest(&answer.body, &config) {
            return Err(forged());
        }
        manifest::read_config(digest, &answer.body)
    }

    /// Returns what an index says, and `true` if all its images are there.
    async fn index(self, digest: Digest, children: &[Child], depth: u8) -> Result<(ImageInfo, bool), Fault> {
        let mut learning = Vec::with_capacity(children.len());
        for child in children {
            learning.push(self.learn(child.digest.clone(), None, depth).map(move |image| (child, image)));
        }
        let learnt: Vec<(&Child, Result<ImageInfo, Fault>)> =
            stream::iter(learning).buffered(self.concurrency).collect().await;
        let (mut images, mut artifacts) = (Vec::new(), Vec::new());
        let mut complete = true;
        for (child, image) in learnt {
            match image {
                Ok(info) => images.push((child, info)),
                Err(Fault::NotAnImage(artifact)) => artifacts.push(artifact),
                // A mirror may hold only some platforms: the image is not there for the others.
                Err(Fault::Missing) => complete = false,
                Err(fault) => return Err(fault),
            }
        }
        match (images.is_empty(), complete) {
            (false, _) => Ok((manifest::merge(digest, &images), complete)),
            (true, true) => Err(Fault::NotAnImage(Artifact::of_entries(&artifacts))),
            (true, false) => Err(Fault::Missing),
        }
    }
}

fn digest_header(answer: &Answer) -> Option<Digest> {
    answer.headers.get("docker-content-digest")?.to_str().ok()?.trim().parse().ok()
}

fn forged() -> Fault {
    Fault::Invalid("the content does not have the digest asked for".to_owned())
}

/// Returns `true` if content has a digest; `false` also if the algorithm is unknown.
fn has_digest(body: &[u8], digest: &Digest) -> bool {
    let Some((algorithm, value)) = digest.as_str().split_once(':') else { return false };
    let actual = match algorithm {
        "sha256" => hex(&Sha256::digest(body)),
        "sha384" => hex(&Sha384::digest(body)),
        "sha512" => hex(&Sha512::digest(body)),
        _ => return false,
    };
    actual == value
}

fn digest_of(body: &[u8]) -> Result<Digest, Fault> {
    format!("sha256:{}", hex(&Sha256::digest(body)))
        .parse()
        .map_err(|e: flux_core::image::InvalidImage| Fault::Invalid(e.to_string()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
