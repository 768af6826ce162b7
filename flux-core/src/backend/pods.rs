//! The pods of workloads, as far as their health needs them.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::image::Digest;

/// Which pods are asked for.
///
/// Exhaustive: callers of a cluster make it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PodQuery {
    /// The namespace.
    pub namespace: String,
    /// The labels that the pods have.
    pub selector: LabelSelector,
}

/// A label selector of the Kubernetes API (`matchLabels` and `matchExpressions`).
///
/// Its text is that of a `labelSelector` in a request: `app=web,tier in (a,b)`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LabelSelector(Vec<Requirement>);

/// One condition of a selector; all of them must hold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
struct Requirement {
    key: String,
    operator: Operator,
    values: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
}

impl LabelSelector {
    /// Returns the selector of a workload (`spec.selector`).
    ///
    /// `None` if it has none, if the selector is empty and so would take every pod, or if it cannot
    /// be read. A ReplicationController's selector, which is a plain mapping, is read too.
    ///
    /// ```
    /// use flux_core::backend::LabelSelector;
    /// use serde_json::json;
    ///
    /// let web = json!({"spec": {"selector": {"matchLabels": {"app": "web"}}}});
    /// let selector = LabelSelector::of_workload(&web).map(|selector| selector.to_string());
    /// assert_eq!(selector.as_deref(), Some("app=web"));
    /// assert_eq!(LabelSelector::of_workload(&json!({"kind": "ConfigMap"})), None);
    /// ```
    pub fn of_workload(object: &Value) -> Option<Self> {
        let selector = object.get("spec")?.get("selector")?.as_object()?;
        let is_plain = !selector.contains_key("matchLabels") && !selector.contains_key("matchExpressions");
        let labels =
            if is_plain { Some(selector) } else { selector.get("matchLabels").and_then(Value::as_object) };
        let mut requirements = Vec::new();
        for (key, value) in labels.into_iter().flatten() {
            let values = vec![value.as_str()?.to_owned()];
            requirements.push(Requirement { key: key.clone(), operator: Operator::In, values });
        }
        let expressions = selector.get("matchExpressions").filter(|_| !is_plain);
        for expression in expressions.and_then(Value::as_array).into_iter().flatten() {
            requirements.push(requirement(expression)?);
        }
        requirements.sort();
        (!requirements.is_empty()).then_some(Self(requirements))
    }

    /// Returns `true` if an object's labels (`metadata.labels`) fulfil the selector.
    pub fn matches(&self, labels: &Value) -> bool {
        self.0.iter().all(|requirement| {
            let value = labels.get(&requirement.key).and_then(Value::as_str);
            let is_one = || value.is_some_and(|value| requirement.values.iter().any(|one| one == value));
            match requirement.operator {
                Operator::In => is_one(),
                Operator::NotIn => !is_one(),
                Operator::Exists => value.is_some(),
                Operator::DoesNotExist => value.is_none(),
            }
        })
    }
}

fn requirement(expression: &Value) -> Option<Requirement> {
    let operator = match expression.get("operator")?.as_str()? {
        "In" => Operator::In,
        "NotIn" => Operator::NotIn,
        "Exists" => Operator::Exists,
        "DoesNotExist" => Operator::DoesNotExist,
        _ => return None,
    };
    let values = expression.get("values").and_then(Value::as_array).into_iter().flatten();
    let values = values.map(|value| value.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()?;
    Some(Requirement { key: expression.get("key")?.as_str()?.to_owned(), operator, values })
}

impl fmt::Display for LabelSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, Requirement { key, operator, values }) in self.0.iter().enumerate() {
            let comma = if n == 0 { "" } else { "," };
            match (operator, &values[..]) {
                (Operator::In, [value]) => write!(f, "{comma}{key}={value}")?,
                (Operator::In, values) => write!(f, "{comma}{key} in ({})", values.join(","))?,
                (Operator::NotIn, values) => write!(f, "{comma}{key} notin ({})", values.join(","))?,
                (Operator::Exists, _) => write!(f, "{comma}{key}")?,
                (Operator::DoesNotExist, _) => write!(f, "{comma}!{key}")?,
            }
        }
        Ok(())
    }
}

/// A pod, as far as the health of its workload needs it.
///
/// It has neither the environment and arguments of its containers nor the messages that they left
/// when they ended: these may quote secrets.
///
/// Exhaustive: implementors of a cluster make it, mostly by [`Pod::of`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pod {
    /// Its name.
    pub name: String,
    /// `true` if it is being deleted.
    pub is_deleting: bool,
    /// `status.phase`: `Pending`, `Running`, `Succeeded`, `Failed` or `Unknown`.
    pub phase: String,
    /// `status.reason`, as in `Evicted`; empty if there is none.
    pub reason: String,
    /// `status.message`; empty if there is none.
    pub message: String,
    /// Its conditions.
    pub conditions: Vec<PodCondition>,
    /// Its containers, init containers first, as far as their status is known.
    pub containers: Vec<PodContainer>,
}

/// A condition of a pod.
///
/// Exhaustive: implementors of a cluster make it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodCondition {
    /// Its type, as in `PodScheduled`.
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// The reason, as in `Unschedulable`; empty if there is none.
    pub reason: String,
    /// The words of whoever set it; empty if there are none.
    pub message: String,
}

/// A container of a pod.
///
/// Exhaustive: implementors of a cluster make it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodContainer {
    /// Its name.
    pub name: String,
    /// The image that the pod asks for.
    pub image: String,
    /// The image that runs, as the kubelet tells it; empty before it is there.
    pub image_id: String,
    /// `true` for an init container.
    pub is_init: bool,
    /// `true` if it is ready.
    pub is_ready: bool,
    /// How often it was started again.
    pub restarts: i64,
    /// Its state now.
    pub state: ContainerState,
    /// How it ended the last time, if it ever did.
    pub last_exit: Option<ContainerExit>,
}

/// The state of a container.
///
/// Exhaustive: the Kubernetes API has these three, and none before the kubelet reports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ContainerState {
    /// Nothing is known.
    #[default]
    Unknown,
    /// It waits to be started.
    Waiting {
        /// The reason, as in `ImagePullBackOff`.
        reason: String,
        /// The words of the kubelet.
        message: String,
    },
    /// It runs.
    Running,
    /// It has ended.
    Ended(ContainerExit),
}

/// How a container ended.
///
/// Exhaustive: implementors of a cluster make it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerExit {
    /// The exit code.
    pub code: i64,
    /// The reason, as in `OOMKilled`; empty if there is none.
    pub reason: String,
}

impl PodContainer {
    /// Returns the digest of the image that runs, where the kubelet tells it.
    ///
    /// An id without `@` is that of a local image, and no digest that a registry knows.
    pub fn digest(&self) -> Option<Digest> {
        self.image_id.rsplit_once('@')?.1.parse().ok()
    }
}

impl Pod {
    /// Reads a pod as the API server has it.
    pub fn of(object: &Value) -> Self {
        let status = &object["status"];
        let specified: BTreeMap<&str, &str> = ["initContainers", "containers"]
            .into_iter()
            .flat_map(|list| object["spec"][list].as_array().into_iter().flatten())
            .filter_map(|container| Some((container["name"].as_str()?, container["image"].as_str()?)))
            .collect();
        let statuses = [("initContainerStatuses", true), ("containerStatuses", false)];
        let containers = statuses.into_iter().flat_map(|(list, is_init)| {
            let containers = status[list].as_array().into_iter().flatten();
            let specified = &specified;
            containers.map(move |container| of_status(container, is_init, specified))
        });
        Self {
            name: text(&object["metadata"]["name"]),
            is_deleting: object["metadata"]["deletionTimestamp"].is_string(),
            phase: text(&status["phase"]),
            reason: text(&status["reason"]),
            message: text(&status["message"]),
            conditions: status["conditions"].as_array().into_iter().flatten().map(of_condition).collect(),
            containers: containers.collect(),
        }
    }
}

fn of_status(container: &Value, is_init: bool, specified: &BTreeMap<&str, &str>) -> PodContainer {
    let name = text(&container["name"]);
    let state = &container["state"];
    PodContainer {
        image: specified.get(&*name).map_or_else(|| text(&container["image"]), |image| (*image).to_owned()),
        image_id: text(&container["imageID"]),
        is_init,
        is_ready: container["ready"] == true,
        restarts: container["restartCount"].as_i64().unwrap_or(0),
        state: match (state.get("waiting"), state.get("running"), state.get("terminated")) {
            (Some(waiting), ..) => ContainerState::Waiting {
                reason: text(&waiting["reason"]),
                message: text(&waiting["message"]),
            },
            (_, Some(_), _) => ContainerState::Running,
            (.., Some(ended)) => ContainerState::Ended(exit(ended)),
            _ => ContainerState::Unknown,
        },
        last_exit: container["lastState"].get("terminated").map(exit),
        name,
    }
}

fn exit(ended: &Value) -> ContainerExit {
    ContainerExit { code: ended["exitCode"].as_i64().unwrap_or(0), reason: text(&ended["reason"]) }
}

fn of_condition(condition: &Value) -> PodCondition {
    PodCondition {
        kind: text(&condition["type"]),
        status: text(&condition["status"]),
        reason: text(&condition["reason"]),
        message: text(&condition["message"]),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_selector_is_written_and_matched_as_the_api_server_does_it() {
        let of = |selector: Value| LabelSelector::of_workload(&json!({"spec": {"selector": selector}}));
        let expressions = json!({"matchLabels": {"app": "web"}, "matchExpressions": [
            {"key": "tier", "operator": "In", "values": ["a", "b"]},
            {"key": "old", "operator": "DoesNotExist"},
            {"key": "stage", "operator": "NotIn", "values": ["test"]},
            {"key": "team", "operator": "Exists"}]});
        let selector = of(expressions).unwrap();
        assert_eq!(selector.to_string(), "app=web,!old,stage notin (test),team,tier in (a,b)");
        assert!(selector.matches(&json!({"app": "web", "tier": "b", "team": "x", "more": "1"})));
        for labels in [
            json!({"app": "web", "tier": "c", "team": "x"}),
            json!({"app": "web", "tier": "a", "team": "x", "old": "1"}),
            json!({"app": "web", "tier": "a", "team": "x", "stage": "test"}),
            json!({"app": "web", "tier": "a"}),
            json!(null),
        ] {
            assert!(!selector.matches(&labels), "{labels}");
        }
        assert_eq!(of(json!({"app": "web"})).unwrap().to_string(), "app=web", "a ReplicationController's");
        for bad in [
            json!({}),
            json!({"matchLabels": {}}),
            json!(null),
            json!({"matchLabels": {"app": 1}}),
            json!({"matchExpressions": [{"key": "a", "operator": "Near"}]}),
        ] {
            assert_eq!(of(bad.clone()), None, "{bad}");
        }
    }

    #[test]
    fn a_pod_is_read_without_what_may_quote_secrets() {
        let pod = Pod::of(&json!({
            "metadata": {"name": "web-1"},
            "spec": {"containers": [{"name": "web", "image": "web:2", "env": [{"name": "P", "value": "hunter2"}]}]},
            "status": {"phase": "Running", "containerStatuses": [{
                "name": "web", "image": "docker.io/library/web:2", "restartCount": 3,
                "imageID": "docker.io/library/web@sha256:0000000000000000000000000000000000000000000000000000000000000001",
                "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}},
                "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled", "message": "hunter2"}}}]},
        }));
        let container = &pod.containers[0];
        assert_eq!((&*container.image, container.restarts), ("web:2", 3));
        assert_eq!(container.last_exit, Some(ContainerExit { code: 137, reason: "OOMKilled".to_owned() }));
        assert!(container.digest().is_some_and(|digest| digest.to_string().ends_with("01")));
        assert!(!format!("{pod:?}").contains("hunter2"));
        let local = PodContainer { image_id: "sha256:abc".to_owned(), ..PodContainer::default() };
        assert_eq!(local.digest(), None);
    }

    #[test]
    fn a_pod_of_any_shape_is_read_with_what_it_has() {
        for object in
            [json!(null), json!([]), json!({"status": 1}), json!({"status": {"containerStatuses": [1]}})]
        {
            assert!(Pod::of(&object).name.is_empty());
        }
    }
}
