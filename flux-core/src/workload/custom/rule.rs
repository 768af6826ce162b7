//! Reading the rules in `spec.workloads` of a policy document, and reporting the mistakes in them.

use serde_json::{Map, Value};

use crate::{
    finding::{Code, Problem},
    manifest::{ApiVersion, Resource, scope_of},
    pointer::{escape, unescape},
    workload::pods::is_known,
};

/// The paths of the images of a kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rule {
    group: String,
    version: Option<String>,
    kind: String,
    pub pods: Vec<Path>,
    pub containers: Vec<Path>,
    pub images: Vec<ImagePaths>,
}

/// The paths of an image: whole in `repository`, or in several scalars.
#[derive(Clone, Debug)]
pub(crate) struct ImagePaths {
    pub name: Option<String>,
    pub registry: Option<Path>,
    pub repository: Path,
    pub tag: Option<Path>,
    pub digest: Option<Path>,
}

/// The keys on the way to a value; `*` is any key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Path(pub Vec<String>);

impl Rule {
    pub(crate) fn is_for(&self, resource: &Resource) -> bool {
        self.kind == resource.kind
            && self.group == resource.group()
            && self.version.as_ref().is_none_or(|version| version == resource.api_version.version())
    }
}

impl Path {
    fn parse(text: &str) -> Option<Self> {
        let steps: Vec<String> = match text.strip_prefix('/') {
            Some(pointer) => pointer.split('/').map(unescape).collect(),
            None => text.split('.').map(str::to_owned).collect(),
        };
        steps.iter().all(|step| !step.is_empty()).then_some(Self(steps))
    }

    pub(crate) fn below(&self, key: &str) -> Self {
        Self(self.0.iter().cloned().chain([key.to_owned()]).collect())
    }

    /// Returns the pointer of this path, with each `*` taken from a match of another path.
    pub(crate) fn beside(&self, other: &Self, matched: &str) -> String {
        let matched = matched.split('/').skip(1);
        let mut stars = other.0.iter().zip(matched).filter(|(step, _)| *step == "*").map(|(_, found)| found);
        let step = |step: &String| match step.as_str() {
            "*" => format!("/{}", stars.next().unwrap_or("*")),
            key => format!("/{}", escape(key)),
        };
        self.0.iter().map(step).collect()
    }

    fn has_star(&self) -> bool {
        self.0.iter().any(|step| step == "*")
    }
}

const RULE_KEYS: &str = "group or apiVersion, kind, pods, containers and images";
const IMAGE_KEYS: &str = "name, image, registry, repository, tag and digest";

/// Returns the rules of a policy document, and the findings about them.
///
/// A rule with a mistake is left out.
pub(crate) fn rules(document: &Resource) -> (Vec<Rule>, Vec<Problem>) {
    let mut reader = Reader { document, problems: Vec::new() };
    let rules = match document.object.at("/spec/workloads") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(rules)) => {
            let rule =
                |(index, rule): (usize, &Value)| reader.rule(&format!("/spec/workloads/{index}"), rule);
            rules.iter().enumerate().filter_map(rule).collect()
        }
        Some(_) => {
            reader.wrong(
                "/spec/workloads",
                "is no list",
                format!("write a list of mappings with {RULE_KEYS}"),
            );
            Vec::new()
        }
    };
    (rules, reader.problems)
}

struct Reader<'a> {
    document: &'a Resource,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn rule(&mut self, at: &str, value: &Value) -> Option<Rule> {
        let before = self.problems.len();
        let mut rule = Rule::default();
        let mut group = None;
        for (key, value) in self.map(at, value, RULE_KEYS)? {
            let at = format!("{at}/{}", escape(key));
            match key.as_str() {
                "group" => group = self.text(&at, value),
                "apiVersion" => {
                    let api_version = ApiVersion::from(self.text(&at, value)?);
                    group = Some(api_version.group().to_owned());
                    rule.version = Some(api_version.version().to_owned());
                }
                "kind" => rule.kind = self.text(&at, value).unwrap_or_default(),
                "pods" => rule.pods = self.paths(&at, value),
                "containers" => rule.containers = self.paths(&at, value),
                "images" => rule.images = self.images(&at, value),
                _ => self.wrong(&at, "is no key of a workload's rule", format!("write {RULE_KEYS}")),
            }
        }
        let Some(group) = group.filter(|_| !rule.kind.is_empty()) else {
            self.wrong(at, "does not say what it is for", "write its `group` and `kind`".to_owned());
            return None;
        };
        if is_known(&group, &rule.kind) || scope_of(&format!("{group}/v1"), &rule.kind).is_some() {
            let what = format!("is for {} of `{group}`, whose images are found without a rule", rule.kind);
            self.wrong(at, &what, "remove it; rules are for custom kinds".to_owned());
        }
        rule.group = group;
        (self.problems.len() == before).then_some(rule)
    }

    fn images(&mut self, at: &str, value: &Value) -> Vec<ImagePaths> {
        let Some(items) = value.as_array() else {
            self.wrong(at, "is no list", format!("write a list of mappings with {IMAGE_KEYS}"));
            return Vec::new();
        };
        let image = |(index, item): (usize, &Value)| self.image(&format!("{at}/{index}"), item);
        items.iter().enumerate().filter_map(image).collect()
    }

    fn image(&mut self, at: &str, value: &Value) -> Option<ImagePaths> {
        let map = self.map(at, value, IMAGE_KEYS)?;
        let (mut name, mut whole) = (None, None);
        let (mut registry, mut repository, mut tag, mut digest) = (None, None, None, None);
        for (key, value) in map {
            let at = format!("{at}/{}", escape(key));
            let text = self.text(&at, value)?;
            if key == "name" {
                name = Some(text);
                continue;
            }
            let slot = match key.as_str() {
                "image" => &mut whole,
                "registry" => &mut registry,
                "repository" => &mut repository,
                "tag" => &mut tag,
                "digest" => &mut digest,
                _ => {
                    self.wrong(&at, "is no key of an image", format!("write {IMAGE_KEYS}"));
                    continue;
                }
            };
            *slot = self.path(&at, &text);
        }
        let split = [&registry, &tag, &digest].into_iter().any(Option::is_some);
        let repository = match (whole, repository) {
            (Some(whole), None) if !split => whole,
            (None, Some(repository)) => repository,
            _ => {
                let remedy = "write either `image`, or `repository` and what stands beside it".to_owned();
                self.wrong(at, "does not say where the image stands", remedy);
                return None;
            }
        };
        if name.is_none() && !repository.has_star() {
            self.wrong(at, "has no `name`", "give the container a name".to_owned());
        }
        // An item that `*` found has a name of its own.
        let name = name.filter(|_| !repository.has_star());
        Some(ImagePaths { name, registry, repository, tag, digest })
    }

    fn paths(&mut self, at: &str, value: &Value) -> Vec<Path> {
        let Some(items) = value.as_array() else {
            self.wrong(at, "is no list", "write a list of paths, such as spec.template.spec".to_owned());
            return Vec::new();
        };
        let mut paths = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let at = format!("{at}/{index}");
            let text = self.text(&at, item);
            paths.extend(text.and_then(|text| self.path(&at, &text)));
        }
        paths
    }

    fn path(&mut self, at: &str, text: &str) -> Option<Path> {
        let path = Path::parse(text);
        if path.is_none() {
            let remedy = "write keys with dots between, such as spec.image, or a JSON pointer".to_owned();
            self.wrong(at, "is no path", remedy);
        }
        path
    }

    fn text(&mut self, at: &str, value: &Value) -> Option<String> {
        let text = value.as_str().map(str::to_owned);
        if text.is_none() {
            self.wrong(at, "is no text", "write a text".to_owned());
        }
        text
    }

    fn map<'v>(&mut self, at: &str, value: &'v Value, keys: &str) -> Option<&'v Map<String, Value>> {
        if !value.is_object() {
            self.wrong(at, "is no mapping", format!("write a mapping with {keys}"));
        }
        value.as_object()
    }

    fn wrong(&mut self, at: &str, what: &str, remedy: String) {
        let evidence = format!("`{}` {what}", at.trim_start_matches('/').replace('/', "."));
        let problem = Problem::new(Code::InvalidPolicy, self.document.position_of(at), evidence, &remedy);
        self.problems.push(problem.about(format!("FluxPolicy {}", self.document.name)));
    }
}
