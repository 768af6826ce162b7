//! The objects of the measurements, as files have them and as the API server takes them.

use std::{fs, path::Path};

use crate::deployment::deployment;

/// The namespaces over which the objects are spread.
pub(crate) const NAMESPACES: usize = 20;
/// The kinds of an application's objects: the group and version in the API, and the resource.
pub(crate) const KINDS: [(&str, &str); 4] = [
    ("/apis/apps/v1", "deployments"),
    ("/api/v1", "services"),
    ("/api/v1", "configmaps"),
    ("/api/v1", "serviceaccounts"),
];
/// The image repositories that the workloads use.
const REPOSITORIES: usize = 20;
/// The tags of each image repository: `1.0.0` and so on.
const TAGS: usize = 10;

/// One object in one file.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    /// The path of the file, from the root of the repository.
    pub(crate) file: String,
    /// The path of the object in the API.
    pub(crate) api: String,
    pub(crate) text: String,
}

/// One of the Deployments.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Workload(pub(crate) usize);

impl Workload {
    pub(crate) fn name(self) -> String {
        format!("app-{:05}", self.0)
    }

    pub(crate) fn namespace(self) -> String {
        namespace(self.0 % NAMESPACES)
    }

    /// Returns its image with a tag.
    pub(crate) fn image(self, tag: usize) -> String {
        repository((self.0 + self.0 / NAMESPACES) % REPOSITORIES, tag)
    }

    pub(crate) fn file(self) -> String {
        format!("{}/{}.yaml", self.namespace(), self.name())
    }

    pub(crate) fn api(self) -> String {
        format!("/apis/apps/v1/namespaces/{}/deployments/{}", self.namespace(), self.name())
    }

    /// Returns its file with an image of this tag: a Deployment of 39 lines.
    pub(crate) fn text(self, tag: usize) -> String {
        deployment(&self.name(), &self.namespace(), self.0 % 7, &self.image(tag))
    }

    fn object(self) -> Object {
        Object { file: self.file(), api: self.api(), text: self.text(0) }
    }
}

/// Returns the namespaces, in a file whose name sorts first.
pub(crate) fn namespaces() -> Vec<Object> {
    let object = |n| {
        let name = namespace(n);
        Object {
            file: format!("00-namespaces/{name}.yaml"),
            api: format!("/api/v1/namespaces/{name}"),
            text: format!("apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {name}\n"),
        }
    };
    (0..NAMESPACES).map(object).collect()
}

/// Returns so many Deployments.
pub(crate) fn deployments(count: usize) -> Vec<Object> {
    (0..count).map(|n| Workload(n).object()).collect()
}

/// Returns so many applications of four objects, each in a folder of its own.
pub(crate) fn applications(count: usize) -> Vec<Object> {
    (0..count).flat_map(application).collect()
}

fn application(n: usize) -> [Object; 4] {
    let workload = Workload(n);
    let (name, namespace) = (workload.name(), workload.namespace());
    let head = |version: &str, kind: &str| {
        format!(
            "apiVersion: {version}\nkind: {kind}\nmetadata:\n  name: {name}\n  namespace: {namespace}\n  labels:\n    app: {name}\n"
        )
    };
    let object = |kind: &str, text: String| Object {
        file: format!("{namespace}/{name}/{kind}.yaml"),
        api: format!("/api/v1/namespaces/{namespace}/{kind}s/{name}"),
        text,
    };
    let service = head("v1", "Service")
        + &format!(
            "spec:\n  selector:\n    app: {name}\n  ports:\n  - name: http\n    port: 80\n    targetPort: http\n"
        );
    let config = head("v1", "ConfigMap")
        + &format!(
            "data:\n  LOG_LEVEL: info\n  application.yaml: |\n    name: {name}\n    retries: 3\n    cache: {{size: 1000, ttl: 30s}}\n"
        );
    [
        Object { file: format!("{namespace}/{name}/deployment.yaml"), ..workload.object() },
        object("service", service),
        object("configmap", config),
        object("serviceaccount", head("v1", "ServiceAccount")),
    ]
}

/// Writes objects to their files below a folder.
pub(crate) fn write(folder: &Path, objects: &[Object]) {
    for object in objects {
        let path = folder.join(&object.file);
        fs::create_dir_all(path.parent().expect("a folder")).expect("the folder is made");
        fs::write(path, &object.text).expect("the file is written");
    }
}

/// Writes the tags of the image repositories, in the form of the flag `--images`.
pub(crate) fn write_images(path: &Path) {
    let mut text = String::new();
    for n in 0..REPOSITORIES {
        let image = repository(n, 0);
        text += &format!("{}:\n", image.rsplit_once(':').expect("a tag").0);
        for tag in 0..TAGS {
            text += &format!("- {{tag: 1.0.{tag}, created: 2026-11-{:02}T00:00:00Z}}\n", tag + 1);
        }
    }
    fs::write(path, text).expect("the file is written");
}

fn namespace(n: usize) -> String {
    format!("ns-{n:02}")
}

fn repository(n: usize, tag: usize) -> String {
    format!("registry.example/team/app-{n:02}:1.0.{tag}")
}
