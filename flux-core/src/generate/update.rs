//! Changes of generated workloads, as data, and the commands that make them.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Command, How, Run, Source};
use crate::{image::ImageRef, manifest::WorkloadId};

/// A change of a generated workload: what a release is to bring about where no bytes can be edited.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GeneratedEdit {
    /// The path under which the workload is known.
    pub path: String,
    /// The workload.
    pub workload: WorkloadId,
    /// What is to change.
    #[serde(flatten)]
    pub change: GeneratedChange,
}

/// What is to change in a generated workload.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "change")]
pub enum GeneratedChange {
    /// A container's image.
    Image {
        /// The container.
        container: String,
        /// The image as it is generated.
        before: String,
        /// The image that is to be generated.
        after: ImageRef,
    },
    /// A policy.
    Policy {
        /// Its name, without prefix.
        policy: String,
        /// Its annotation.
        key: String,
        /// Its value; none if it is to go.
        value: Option<String>,
    },
}

impl Source {
    /// Why images cannot be changed here, if they cannot.
    pub fn refuses_images(&self) -> Option<String> {
        self.refuses("containerImage", |updater| updater.container_image.as_ref())
    }

    /// Why policies cannot be changed here, if they cannot.
    pub fn refuses_policies(&self) -> Option<String> {
        self.refuses("policy", |updater| updater.policy.as_ref())
    }

    fn refuses(&self, key: &str, of: impl Fn(&super::Updater) -> Option<&Command>) -> Option<String> {
        match &self.how {
            How::Commands { updaters, .. } if updaters.iter().any(|updater| of(updater).is_some()) => None,
            How::Commands { .. } => Some(format!("{} has no updater with a `{key}` command", self.by)),
            // Where it is written is found object by object.
            How::Patches { .. } | How::Kustomize => None,
        }
    }
}

/// The commands that set the image of a container, in their order.
pub fn image_runs(
    source: &Source,
    workload: &WorkloadId,
    container: &str,
    image: &ImageRef,
    default: Duration,
) -> Vec<Run> {
    let mut env = of_workload(workload);
    env.insert("FLUX_CONTAINER".to_owned(), container.to_owned());
    env.insert("FLUX_IMG".to_owned(), image.name.to_string());
    env.insert("FLUX_TAG".to_owned(), image.tag.as_ref().map(ToString::to_string).unwrap_or_default());
    if let Some(digest) = &image.digest {
        env.insert("FLUX_DIGEST".to_owned(), digest.to_string());
    }
    runs(source, &env, default, |updater| updater.container_image.as_ref())
}

/// The commands that set or remove a policy, in their order.
pub fn policy_runs(
    source: &Source,
    workload: &WorkloadId,
    policy: &str,
    value: Option<&str>,
    default: Duration,
) -> Vec<Run> {
    let mut env = of_workload(workload);
    env.insert("FLUX_POLICY".to_owned(), policy.to_owned());
    if let Some(value) = value {
        env.insert("FLUX_POLICY_VALUE".to_owned(), value.to_owned());
    }
    runs(source, &env, default, |updater| updater.policy.as_ref())
}

fn of_workload(id: &WorkloadId) -> BTreeMap<String, String> {
    [
        ("FLUX_WORKLOAD", id.to_string()),
        ("FLUX_WL_NS", id.namespace().to_owned()),
        ("FLUX_WL_KIND", id.kind().to_owned()),
        ("FLUX_WL_NAME", id.name().to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

fn runs(
    source: &Source,
    env: &BTreeMap<String, String>,
    default: Duration,
    of: impl Fn(&super::Updater) -> Option<&Command>,
) -> Vec<Run> {
    let How::Commands { updaters, .. } = &source.how else { return Vec::new() };
    let run = |command: &Command| Run {
        command: command.text.clone(),
        folder: source.folder().to_owned(),
        env: env.clone(),
        timeout: Source::timeout(command, default),
        place: command.place.clone(),
    };
    updaters.iter().filter_map(of).map(run).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::Config;

    fn source(text: &str) -> Source {
        let config = Config::parse(".flux.yaml", text.as_bytes()).unwrap();
        Source::of_config("prod", ".flux.yaml", config).unwrap().unwrap()
    }

    const COMMANDS: &str = "version: 1\ncommandUpdated:\n  generators: [{command: g}]\n  updaters:\n  - containerImage: {command: one, timeout: 5s}\n    policy: {command: p}\n  - containerImage: {command: two}\n";

    #[test]
    fn every_updater_is_run_in_its_order_with_v1s_variables() {
        let id: WorkloadId = "shop:deployment/web".parse().unwrap();
        let image: ImageRef = "quay.io/shop/web:1.2".parse().unwrap();
        let runs = image_runs(&source(COMMANDS), &id, "main", &image, Duration::from_secs(60));
        let told: Vec<_> = runs.iter().map(|run| (run.command.as_str(), run.timeout.as_secs())).collect();
        assert_eq!(told, [("one", 5), ("two", 60)]);
        assert_eq!(runs[0].folder, "prod");
        let env: Vec<String> = runs[0].env.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(
            env,
            [
                "FLUX_CONTAINER=main",
                "FLUX_IMG=quay.io/shop/web",
                "FLUX_TAG=1.2",
                "FLUX_WL_KIND=deployment",
                "FLUX_WL_NAME=web",
                "FLUX_WL_NS=shop",
                "FLUX_WORKLOAD=shop:deployment/web",
            ]
        );
        let runs = policy_runs(&source(COMMANDS), &id, "automated", Some("true"), Duration::from_secs(60));
        assert_eq!((runs.len(), runs[0].env["FLUX_POLICY_VALUE"].as_str()), (1, "true"));
        let runs = policy_runs(&source(COMMANDS), &id, "automated", None, Duration::from_secs(60));
        assert!(!runs[0].env.contains_key("FLUX_POLICY_VALUE"));
    }

    #[test]
    fn without_an_updater_of_the_kind_nothing_can_be_changed() {
        assert_eq!(source(COMMANDS).refuses_images(), None);
        let bare = source("version: 1\ncommandUpdated: {generators: [{command: g}]}\n");
        assert!(bare.refuses_images().unwrap().contains("containerImage"));
        let only = "version: 1\ncommandUpdated: {generators: [{command: g}], updaters: [{containerImage: {command: c}}]}\n";
        assert!(source(only).refuses_policies().unwrap().contains("policy"));
        let patches = source("version: 1\npatchUpdated: {generators: [{command: g}], patchFile: p}\n");
        assert_eq!((patches.refuses_images(), patches.refuses_policies()), (None, None));
        let built = Source::of_kustomization("a", "a/kustomization.yaml");
        assert_eq!((built.refuses_images(), built.refuses_policies()), (None, None));
    }
}
