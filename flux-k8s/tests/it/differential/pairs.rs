//! Pairs of manifests: an object as it was, and as it is to be.
//!
//! Each property of a manifest is drawn by its name. The second manifest of a pair draws some of
//! the properties again, so that it differs from the first by what was added, removed or changed.

use serde_json::{Value, json};

/// Draws the properties of one manifest.
#[derive(Clone, Debug)]
struct Draw {
    seed: u64,
    is_second: bool,
    within: String,
}

impl Draw {
    fn within(&self, name: &str) -> Self {
        Self { within: format!("{}/{name}", self.within), ..self.clone() }
    }

    /// Returns the number that belongs to a name: FNV-1a, and the bits mixed.
    fn hash(&self, purpose: &str, name: &str) -> u64 {
        let text = format!("{} {purpose} {}/{name}", self.seed, self.within);
        let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        let mixed = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        mixed ^ (mixed >> 33)
    }

    /// Draws a number below a limit; the second manifest draws it again with this chance, in
    /// hundredths.
    fn number(&self, name: &str, limit: usize, change: u64) -> usize {
        let again = self.is_second && self.hash("change", name) % 100 < change;
        let drawn = self.hash(if again { "second" } else { "first" }, name);
        usize::try_from(drawn % limit as u64).unwrap()
    }

    fn pick<const N: usize>(&self, name: &str, options: [Value; N]) -> Value {
        options[self.number(name, N, 35)].clone()
    }

    /// Draws what can hardly ever be changed.
    fn pick_fixed<const N: usize>(&self, name: &str, options: [Value; N]) -> Value {
        options[self.number(name, N, 4)].clone()
    }

    fn is(&self, name: &str) -> bool {
        self.number(name, 2, 35) == 1
    }

    /// Draws which of these there are, and sometimes another order.
    fn some(&self, name: &str, options: impl IntoIterator<Item = Value>) -> Value {
        let draw = self.within(name);
        let kept = options.into_iter().enumerate().filter(|(n, _)| draw.is(&n.to_string()));
        let mut kept: Vec<Value> =
            kept.map(|(_, option)| option).filter(|option| !option.is_null()).collect();
        if draw.number("order", 4, 20) == 0 {
            kept.reverse();
        }
        if kept.is_empty() { Value::Null } else { kept.into() }
    }
}

/// Takes out what is null: it was drawn as absent.
fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(without_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

/// Returns so many pairs of each kind; no object names a namespace.
pub(crate) fn pairs(of_each_kind: u64) -> Vec<(Value, Value)> {
    let kinds = KINDS.iter().zip(0..).flat_map(|(kind, n)| (0..of_each_kind).map(move |m| (kind, n, m)));
    let pair = |((kind, make), n, m): (&(&str, fn(&Draw) -> Value), u64, u64)| {
        let [first, second] = [false, true].map(|is_second| {
            let draw = Draw { seed: n * 1_000 + m, is_second, within: String::new() };
            let mut object = make(&draw);
            object["metadata"] = json!({"name": format!("{kind}-{m}"), "labels": labels(&draw.within("labels")),
                "annotations": labels(&draw.within("annotations"))});
            without_nulls(&mut object);
            object
        });
        (first, second)
    };
    kinds.map(pair).collect()
}

type Kind = (&'static str, fn(&Draw) -> Value);

const KINDS: [Kind; 12] = [
    ("deployment", deployment),
    ("statefulset", stateful_set),
    ("daemonset", daemon_set),
    ("cronjob", cron_job),
    ("service", service),
    ("configmap", config_map),
    ("secret", secret),
    ("ingress", ingress),
    ("autoscaler", autoscaler),
    ("budget", budget),
    ("policy", network_policy),
    ("account", account_or_role),
];

fn labels(draw: &Draw) -> Value {
    let value = |name: &str| draw.pick(name, [Value::Null, json!("1"), json!("2"), json!("")]);
    draw.pick(
        "all",
        [
            Value::Null,
            json!({}),
            json!({"a": value("a")}),
            json!({"a": value("a"), "example.com/b": value("b")}),
        ],
    )
}

fn deployment(draw: &Draw) -> Value {
    let rolling = |surge: Value| json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge}});
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {
        "replicas": draw.pick("replicas", [json!(0), json!(0), json!(1), Value::Null]),
        "selector": draw.pick_fixed("selector", [json!({"matchLabels": {"app": "web"}}),
            json!({"matchExpressions": [{"key": "app", "operator": "In", "values": ["web", "other"]}]})]),
        "strategy": draw.pick("strategy", [Value::Null, json!({}), json!({"type": "Recreate"}), rolling(json!(1)), rolling(json!("10%")),
            json!({"rollingUpdate": {"maxUnavailable": 1}}), json!({"type": "RollingUpdate"})]),
        "minReadySeconds": draw.pick("ready", [Value::Null, json!(0), json!(5)]),
        "revisionHistoryLimit": draw.pick("history", [Value::Null, json!(3)]),
        "progressDeadlineSeconds": draw.pick("deadline", [Value::Null, json!(300)]),
        "paused": draw.pick("paused", [Value::Null, json!(false), json!(true)]),
        "template": template(draw, "Always"),
    }})
}

fn stateful_set(draw: &Draw) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "spec": {
        "replicas": draw.pick("replicas", [json!(0), json!(1), Value::Null]),
        "serviceName": draw.pick_fixed("service", [json!("a"), json!("b")]),
        "selector": {"matchLabels": {"app": "web"}},
        "podManagementPolicy": draw.pick_fixed("management", [Value::Null, json!("Parallel")]),
        "minReadySeconds": draw.pick("ready", [Value::Null, json!(5)]),
        "updateStrategy": draw.pick("strategy", [Value::Null, json!({"type": "OnDelete"}), json!({"type": "RollingUpdate"}),
            json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}), json!({"rollingUpdate": {"partition": 0}})]),
        "persistentVolumeClaimRetentionPolicy":
            draw.pick("claims", [Value::Null, json!({"whenDeleted": "Delete"}), json!({"whenScaled": "Delete", "whenDeleted": "Retain"})]),
        "ordinals": draw.pick("ordinals", [Value::Null, json!({"start": 1})]),
        "volumeClaimTemplates": draw.pick_fixed("templates", [Value::Null, json!([{"metadata": {"name": "kept"},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}])]),
        "template": template(draw, "Always"),
    }})
}

fn daemon_set(draw: &Draw) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "spec": {
        "selector": {"matchLabels": {"app": "web"}},
        "minReadySeconds": draw.pick("ready", [Value::Null, json!(5)]),
        "updateStrategy": draw.pick("strategy", [Value::Null, json!({"type": "OnDelete"}),
            json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}),
            json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "20%"}})]),
        "template": template(draw, "Always"),
    }})
}

fn cron_job(draw: &Draw) -> Value {
    json!({"apiVersion": "batch/v1", "kind": "CronJob", "spec": {
        "schedule": draw.pick("schedule", [json!("0 0 1 1 *"), json!("30 4 1 1 *"), json!("@yearly")]),
        "suspend": true,
        "timeZone": draw.pick("zone", [Value::Null, json!("Etc/UTC"), json!("Europe/Berlin")]),
        "concurrencyPolicy": draw.pick("concurrency", [Value::Null, json!("Forbid"), json!("Replace"), json!("Allow")]),
        "startingDeadlineSeconds": draw.pick("deadline", [Value::Null, json!(10)]),
        "successfulJobsHistoryLimit": draw.pick("history", [Value::Null, json!(0), json!(1)]),
        "jobTemplate": {
            "metadata": draw.pick("metadata", [Value::Null, json!({"labels": {"a": "1"}}), json!({"annotations": {"a": "1"}})]),
            "spec": {
                "backoffLimit": draw.pick("backoff", [Value::Null, json!(0), json!(6)]),
                "parallelism": draw.pick("parallelism", [Value::Null, json!(2)]),
                "completions": draw.pick("completions", [Value::Null, json!(2), json!(4)]),
                "ttlSecondsAfterFinished": draw.pick("ttl", [Value::Null, json!(60)]),
                "template": template(draw, "Never"),
            },
        },
    }})
}

fn template(draw: &Draw, restart: &str) -> Value {
    let draw = draw.within("template");
    let mut labels = labels(&draw.within("labels"));
    if labels.is_null() {
        labels = json!({});
    }
    labels["app"] = json!("web");
    let [a, b] = ["a", "b"].map(|name| volume(&draw.within(name), name));
    let mounted: Vec<&str> =
        [("a", &a), ("b", &b)].iter().filter(|(_, v)| !v.is_null()).map(|(n, _)| *n).collect();
    let volumes: Vec<&Value> = [&a, &b].into_iter().filter(|volume| !volume.is_null()).collect();
    let sidecar = draw.is("sidecar").then(|| container(&draw.within("sidecar"), "sidecar", &mounted));
    let mut containers = vec![container(&draw.within("web"), "web", &mounted)];
    containers.extend(sidecar);
    if draw.number("order", 5, 20) == 0 {
        containers.reverse();
    }
    let init = |name: &str| container(&draw.within(name), name, &mounted);
    let term = json!({"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]});
    json!({
        "metadata": {"labels": labels,
            "annotations": draw.pick("annotations", [Value::Null, json!({"a": "1"}), json!({"a": "2", "b": "1"})])},
        "spec": {
            "containers": containers,
            "initContainers": draw.some("init", [init("first"), init("second")]),
            "volumes": if volumes.is_empty() { Value::Null } else { json!(volumes) },
            "restartPolicy": if restart == "Always" { draw.pick("restart", [Value::Null, json!("Always")]) }
                else { draw.pick("restart", [json!("Never"), json!("OnFailure")]) },
            "serviceAccountName": draw.pick("account", [Value::Null, json!("a"), json!("b")]),
            "automountServiceAccountToken": draw.pick("token", [Value::Null, json!(false), json!(true)]),
            "nodeSelector": draw.pick("node", [Value::Null, json!({"kubernetes.io/os": "linux"}), json!({"kubernetes.io/arch": "amd64"})]),
            "tolerations": draw.pick("tolerations", [Value::Null, json!([{"key": "a", "operator": "Exists"}]),
                json!([{"key": "a", "operator": "Exists"}, {"key": "b", "value": "1", "effect": "NoExecute", "tolerationSeconds": 5}])]),
            "affinity": draw.pick("affinity", [Value::Null,
                json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": [term]}]}}}),
                json!({"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
                    {"weight": 1, "podAffinityTerm": {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "web"}}}}]}})]),
            "topologySpreadConstraints": draw.some("spread", ["kubernetes.io/hostname", "zone"].map(|key| json!({"maxSkew": 1, "topologyKey": key,
                "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": {"matchLabels": {"app": "web"}}}))),
            "imagePullSecrets": draw.some("pull", [json!({"name": "a"}), json!({"name": "b"})]),
            "hostAliases": draw.some("aliases", [json!({"ip": "10.1.2.3", "hostnames": draw.pick("names", [json!(["a"]), json!(["a", "b"])])}),
                json!({"ip": "10.1.2.4", "hostnames": ["c"]})]),
            "terminationGracePeriodSeconds": draw.pick("grace", [Value::Null, json!(20), json!(60)]),
            "dnsPolicy": draw.pick("dns", [Value::Null, json!("Default"), json!("ClusterFirst")]),
            "dnsConfig": draw.pick("dns config", [Value::Null, json!({"nameservers": ["1.1.1.1"]}),
                json!({"options": [{"name": "ndots", "value": "2"}], "searches": ["a.example.com"]})]),
            "hostNetwork": draw.pick("host network", [Value::Null, Value::Null, Value::Null, json!(false), json!(true)]),
            "securityContext": draw.pick("security", [Value::Null, json!({}), json!({"runAsUser": 1000, "fsGroup": 2000}),
                json!({"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}}),
                json!({"seccompProfile": {"type": "Localhost", "localhostProfile": "a.json"}}),
                json!({"sysctls": [{"name": "kernel.shm_rmid_forced", "value": "1"}], "supplementalGroups": [1, 2]})]),
            "enableServiceLinks": draw.pick("links", [Value::Null, json!(false), json!(true)]),
            "shareProcessNamespace": draw.pick("share", [Value::Null, json!(true)]),
        },
    })
}

fn volume(draw: &Draw, name: &str) -> Value {
    let source = draw.pick("source", [
        Value::Null,
        json!({"emptyDir": {}}),
        json!({"emptyDir": {"sizeLimit": "1Gi"}}),
        json!({"emptyDir": {"sizeLimit": "1024Mi", "medium": "Memory"}}),
        json!({"configMap": {"name": "a"}}),
        json!({"configMap": {"name": "a", "defaultMode": 0o400, "optional": true, "items": [{"key": "a", "path": "b"}]}}),
        json!({"secret": {"secretName": "a"}}),
        json!({"hostPath": {"path": "/tmp"}}),
        json!({"hostPath": {"path": "/tmp", "type": "Directory"}}),
        json!({"persistentVolumeClaim": {"claimName": "a"}}),
        json!({"downwardAPI": {"items": [{"path": "a", "fieldRef": {"fieldPath": "metadata.name"}}]}}),
        json!({"projected": {"sources": [{"configMap": {"name": "a"}}, {"serviceAccountToken": {"path": "t"}}]}}),
        json!({"projected": {"sources": [{"secret": {"name": "a"}}]}}),
        json!({"nfs": {"server": "nfs", "path": "/"}}),
    ]);
    let Value::Object(mut volume) = source else { return Value::Null };
    volume.insert("name".to_owned(), name.into());
    volume.into()
}

fn container(draw: &Draw, name: &str, mounted: &[&str]) -> Value {
    let is_init = name == "first" || name == "second";
    let probe = |name: &str| if is_init { Value::Null } else { probe(&draw.within(name)) };
    let mounts = mounted.iter().flat_map(|name| {
        let draw = draw.within(name);
        let path = draw.pick("path", [json!("/a"), json!("/b")]).as_str().unwrap().to_owned();
        [json!({"name": name, "mountPath": format!("{path}/{name}"), "readOnly": draw.pick("read", [Value::Null, json!(false), json!(true)])}),
            json!({"name": name, "mountPath": format!("/second/{name}"), "subPath": draw.pick("sub", [Value::Null, json!("x")])})]
    });
    let handler = |name: &str| {
        if is_init {
            Value::Null
        } else {
            draw.pick(
                name,
                [
                    Value::Null,
                    Value::Null,
                    json!({"exec": {"command": ["a"]}}),
                    json!({"httpGet": {"path": "/", "port": 80}}),
                    json!({"sleep": {"seconds": 1}}),
                ],
            )
        }
    };
    let [start, stop] = [handler("start"), handler("stop")];
    let lifecycle = if start.is_null() && stop.is_null() {
        Value::Null
    } else {
        json!({"postStart": start, "preStop": stop})
    };
    json!({
        "name": name,
        "image": draw.pick("image", [json!("web:1"), json!("web:2"), json!("web"), json!("web:latest")]),
        "imagePullPolicy": draw.pick("policy", [Value::Null, json!("Always"), json!("IfNotPresent")]),
        "command": draw.pick("command", [Value::Null, json!(["a"]), json!(["a", "b"])]),
        "args": draw.pick("args", [Value::Null, json!([]), json!(["-v"]), json!(["-v", "-v"]), json!(["-w", "-v"])]),
        "workingDir": draw.pick("dir", [Value::Null, json!("/a")]),
        "env": draw.some("env", ["A", "B", "C"].map(|name| env(&draw.within(name), name))),
        "envFrom": draw.pick("env from", [Value::Null, json!([{"configMapRef": {"name": "a"}}]),
            json!([{"secretRef": {"name": "a"}, "prefix": "X_"}, {"configMapRef": {"name": "a", "optional": true}}])]),
        "ports": draw.some("ports", [
            json!({"containerPort": draw.pick("http", [json!(80), json!(8080)]), "name": if is_init { Value::Null } else { json!(format!("{name}-http")) }}),
            json!({"containerPort": 53, "protocol": "UDP"}),
            json!({"containerPort": 53, "protocol": draw.pick("protocol", [Value::Null, json!("TCP")])}),
            json!({"containerPort": draw.pick("other", [json!(9000), json!(9001)])}),
        ]),
        "livenessProbe": probe("live"),
        "readinessProbe": probe("ready"),
        "startupProbe": probe("start"),
        "lifecycle": lifecycle,
        "resources": draw.pick("resources", [Value::Null, json!({}), json!({"limits": {"cpu": "1", "memory": "1Gi"}}),
            json!({"limits": {"cpu": "1000m", "memory": "1024Mi"}, "requests": {"cpu": "0.5"}}),
            json!({"limits": {"cpu": 1, "memory": 1_073_741_824}, "requests": {"cpu": "500m"}}), json!({"requests": {"memory": "64M", "cpu": 0.1}})]),
        "volumeMounts": if mounted.is_empty() { Value::Null } else { draw.some("mounts", mounts) },
        "securityContext": draw.pick("security", [Value::Null, json!({"runAsUser": 1}), json!({"capabilities": {"drop": ["ALL"]}}),
            json!({"capabilities": {"add": ["NET_ADMIN"], "drop": ["ALL"]}, "readOnlyRootFilesystem": true}),
            json!({"privileged": false, "allowPrivilegeEscalation": false})]),
        "terminationMessagePolicy": draw.pick("message", [Value::Null, json!("FallbackToLogsOnError")]),
        "tty": draw.pick("tty", [Value::Null, json!(true)]),
        "stdin": draw.pick("stdin", [Value::Null, json!(false), json!(true)]),
        "restartPolicy": if is_init { draw.pick("restart", [Value::Null, json!("Always")]) } else { Value::Null },
    })
}

fn env(draw: &Draw, name: &str) -> Value {
    let draw = draw.within("env");
    draw.pick("value", [
        json!({"name": name}),
        json!({"name": name, "value": ""}),
        json!({"name": name, "value": "1"}),
        json!({"name": name, "value": "$(A) 2"}),
        json!({"name": name, "valueFrom": {"configMapKeyRef": {"name": "a", "key": "k"}}}),
        json!({"name": name, "valueFrom": {"configMapKeyRef": {"name": "b", "key": "k", "optional": true}}}),
        json!({"name": name, "valueFrom": {"secretKeyRef": {"name": "a", "key": "k"}}}),
        json!({"name": name, "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}),
        json!({"name": name, "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace", "apiVersion": "v1"}}}),
        json!({"name": name, "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1m"}}}),
    ])
}

fn probe(draw: &Draw) -> Value {
    let action = draw.pick("action", [
        Value::Null,
        json!({"httpGet": {"path": "/", "port": 80}}),
        json!({"httpGet": {"path": "/live", "port": "http", "scheme": "HTTPS", "httpHeaders": [{"name": "X", "value": "1"}]}}),
        json!({"tcpSocket": {"port": 80}}),
        json!({"exec": {"command": ["true"]}}),
        json!({"grpc": {"port": 9000}}),
        json!({"grpc": {"port": 9000, "service": "a"}}),
    ]);
    let Value::Object(mut probe) = action else { return Value::Null };
    probe.insert("periodSeconds".to_owned(), draw.pick("period", [Value::Null, json!(5)]));
    probe.insert("initialDelaySeconds".to_owned(), draw.pick("delay", [Value::Null, json!(0), json!(1)]));
    probe.insert("timeoutSeconds".to_owned(), draw.pick("timeout", [Value::Null, json!(3)]));
    probe.into()
}

fn service(draw: &Draw) -> Value {
    let is_balancer = draw.number("balancer", 3, 25) == 0;
    let kind = if is_balancer {
        json!("LoadBalancer")
    } else {
        draw.pick("type", [Value::Null, json!("ClusterIP"), json!("NodePort"), json!("ExternalName")])
    };
    let is_outside = kind == "LoadBalancer" || kind == "NodePort";
    let is_name = kind == "ExternalName";
    let port = |name: &str, number: [u16; 2], protocol: Value| {
        let draw = draw.within(name);
        json!({"name": name, "port": draw.pick("port", number.map(Value::from)), "protocol": protocol,
            "targetPort": draw.pick("target", [Value::Null, json!(8080), json!("http")]),
            "appProtocol": draw.pick("app", [Value::Null, json!("http")])})
    };
    let all = draw.some(
        "ports",
        [
            port("metrics", [9090, 9091], Value::Null),
            port("dns", [53, 5353], json!("UDP")),
            port("dns-tcp", [53, 5353], json!("TCP")),
        ],
    );
    let mut ports = vec![port("web", [80, 81], draw.pick("protocol", [Value::Null, json!("TCP")]))];
    ports.extend(all.as_array().into_iter().flatten().cloned());
    let affinity = draw.pick("affinity", [Value::Null, json!("None"), json!("ClientIP")]);
    json!({"apiVersion": "v1", "kind": "Service", "spec": {
        "type": kind,
        "externalName": if is_name { draw.pick("external name", [json!("a.example.com"), json!("b.example.com")]) } else { Value::Null },
        "clusterIP": if is_outside || is_name { Value::Null } else { draw.pick_fixed("headless", [Value::Null, Value::Null, json!("None")]) },
        "ports": if is_name { draw.pick("named ports", [Value::Null, json!(ports)]) } else { json!(ports) },
        "selector": draw.pick("selector", [Value::Null, json!({"app": "web"}), json!({"app": "web", "tier": "1"}), json!({"tier": "2"})]),
        "sessionAffinity": affinity,
        "sessionAffinityConfig": if affinity == "ClientIP" { draw.pick("seconds", [Value::Null, json!({"clientIP": {"timeoutSeconds": 10}})]) } else { Value::Null },
        "externalTrafficPolicy": if is_outside { draw.pick("traffic", [Value::Null, json!("Local"), json!("Cluster")]) } else { Value::Null },
        "internalTrafficPolicy": draw.pick("inside", [Value::Null, Value::Null, json!("Cluster")]),
        "publishNotReadyAddresses": draw.pick("not ready", [Value::Null, json!(false), json!(true)]),
        "externalIPs": draw.pick("addresses", [Value::Null, json!(["192.0.2.1"]), json!(["192.0.2.1", "192.0.2.2"])]),
        "loadBalancerSourceRanges": if is_balancer { draw.pick("ranges", [Value::Null, json!(["10.0.0.0/8"])]) } else { Value::Null },
        "loadBalancerClass": if is_balancer { json!("example.com/none") } else { Value::Null },
    }})
}

fn config_map(draw: &Draw) -> Value {
    let value =
        |name: &str| draw.pick(name, [Value::Null, json!("1"), json!("2"), json!(""), json!("a: 1\nb: 2\n")]);
    json!({"apiVersion": "v1", "kind": "ConfigMap",
        "data": draw.pick("data", [Value::Null, json!({}), json!({"a": value("a"), "b.yaml": value("b"), "c": value("c")}), json!({"a": value("a")})]),
        "binaryData": draw.pick("binary", [Value::Null, json!({"x": "AAE="}), json!({"x": "AAI=", "y": "/w=="})]),
        "immutable": draw.pick_fixed("immutable", [Value::Null, Value::Null, json!(false)])})
}

fn secret(draw: &Draw) -> Value {
    let data = |name: &str| draw.pick(name, [Value::Null, json!("eA=="), json!("eQ=="), json!("")]);
    let text = |name: &str| draw.pick(name, [Value::Null, json!("x"), json!("y"), json!("")]);
    json!({"apiVersion": "v1", "kind": "Secret",
        "type": draw.pick_fixed("type", [Value::Null, json!("Opaque"), json!("example.com/type")]),
        "data": draw.pick("data", [Value::Null, json!({"a": data("a"), "b": data("b")}), json!({"c": data("c")})]),
        "stringData": draw.pick("text", [Value::Null, Value::Null, json!({"b": text("text b"), "d": text("text d")})])})
}

fn ingress(draw: &Draw) -> Value {
    let backend = |name: &str| {
        let draw = draw.within(name);
        let port = draw.pick("port", [json!({"number": 80}), json!({"number": 81}), json!({"name": "http"})]);
        draw.pick(
            "backend",
            [
                json!({"service": {"name": "a", "port": port}}),
                json!({"service": {"name": "b", "port": port}}),
                json!({"resource": {"apiGroup": "example.com", "kind": "Bucket", "name": "a"}}),
            ],
        )
    };
    let rule = |name: &str| {
        let draw = draw.within(name);
        let path = |path: &str| json!({"path": path, "pathType": draw.pick(path, [json!("Prefix"), json!("Exact")]), "backend": backend(path)});
        let paths = if draw.is("more") { json!([path("/"), path("/more")]) } else { json!([path("/")]) };
        json!({"host": draw.pick("host", [json!("a.example.com"), json!("b.example.com"), Value::Null]), "http": {"paths": paths}})
    };
    let rules = if draw.is("more") { json!([rule("first"), rule("second")]) } else { json!([rule("first")]) };
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "spec": {
        "ingressClassName": draw.pick("class", [Value::Null, json!("a"), json!("b")]),
        "defaultBackend": draw.pick("default", [Value::Null, backend("default")]),
        "rules": rules,
        "tls": draw.some("tls", [json!({"hosts": ["a.example.com"], "secretName": "a"}), json!({"secretName": draw.pick("secret", [json!("b"), json!("c")])})])}})
}

fn autoscaler(draw: &Draw) -> Value {
    let target = draw.pick(
        "target",
        [
            json!({"type": "Utilization", "averageUtilization": 80}),
            json!({"type": "AverageValue", "averageValue": "500m"}),
            json!({"type": "AverageValue", "averageValue": "0.5"}),
        ],
    );
    let policies = draw.pick("policies", [json!([{"type": "Pods", "value": 1, "periodSeconds": 60}]),
        json!([{"type": "Percent", "value": 10, "periodSeconds": 60}, {"type": "Pods", "value": 4, "periodSeconds": 60}])]);
    json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "spec": {
        "minReplicas": draw.pick("min", [Value::Null, json!(1), json!(2)]),
        "maxReplicas": draw.pick("max", [json!(5), json!(9)]),
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": draw.pick("name", [json!("none"), json!("nothing")])},
        "metrics": draw.some("metrics", [json!({"type": "Resource", "resource": {"name": "cpu", "target": target}}),
            json!({"type": "Resource", "resource": {"name": "memory", "target": {"type": "Utilization", "averageUtilization": 70}}}),
            json!({"type": "External", "external": {"metric": {"name": "q", "selector": {"matchLabels": {"q": "a"}}}, "target": {"type": "Value", "value": "1k"}}})]),
        "behavior": draw.pick("behavior", [Value::Null, json!({"scaleDown": {"stabilizationWindowSeconds": 60}}),
            json!({"scaleUp": {"policies": policies, "selectPolicy": "Min"}}), json!({"scaleDown": {"policies": policies}})])}})
}

fn budget(draw: &Draw) -> Value {
    let number = draw.pick("number", [json!(1), json!(2), json!("50%"), json!(0)]);
    let key = draw.pick("key", [json!("minAvailable"), json!("maxUnavailable")]);
    let mut budget = json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "spec": {
        "selector": draw.pick("selector", [json!({"matchLabels": {"app": "a"}}), json!({"matchLabels": {"app": "b", "tier": "1"}}), json!({}),
            json!({"matchExpressions": [{"key": "app", "operator": "In", "values": ["a", "b"]}]})]),
        "unhealthyPodEvictionPolicy": draw.pick("unhealthy", [Value::Null, json!("AlwaysAllow"), json!("IfHealthyBudget")])}});
    budget["spec"][key.as_str().unwrap()] = number;
    budget
}

fn network_policy(draw: &Draw) -> Value {
    let peers = |name: &str| {
        draw.some(name, [json!({"podSelector": {"matchLabels": {"app": "a"}}}), json!({"namespaceSelector": {}}),
            json!({"ipBlock": {"cidr": "10.0.0.0/8", "except": draw.within(name).pick("except", [Value::Null, json!(["10.1.0.0/16"])])}})])
    };
    let ports = |name: &str| {
        draw.some(
            name,
            [
                json!({"port": 80}),
                json!({"port": "http", "protocol": "TCP"}),
                json!({"port": 53, "protocol": "UDP"}),
                json!({"port": 8000, "endPort": 8010}),
            ],
        )
    };
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "spec": {
        "podSelector": draw.pick("selector", [json!({}), json!({"matchLabels": {"app": "a"}}), json!({"matchLabels": {"app": "b"}})]),
        "policyTypes": draw.pick("types", [Value::Null, json!(["Ingress"]), json!(["Ingress", "Egress"]), json!(["Egress"])]),
        "ingress": draw.pick("ingress", [Value::Null, json!([]), json!([{}]), json!([{"from": peers("from"), "ports": ports("in")}]),
            json!([{"from": peers("from")}, {"ports": ports("in")}])]),
        "egress": draw.pick("egress", [Value::Null, json!([{"to": peers("to"), "ports": ports("out")}])])}})
}

fn account_or_role(draw: &Draw) -> Value {
    if draw.seed.is_multiple_of(2) {
        return json!({"apiVersion": "v1", "kind": "ServiceAccount",
            "automountServiceAccountToken": draw.pick("token", [Value::Null, json!(false), json!(true)]),
            "imagePullSecrets": draw.some("pull", [json!({"name": "a"}), json!({"name": "b"})]),
            "secrets": draw.some("secrets", [json!({"name": "a"}), json!({"name": "b"})])});
    }
    json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "rules": draw.some("rules", [
        json!({"apiGroups": [""], "resources": ["pods"], "verbs": draw.pick("verbs", [json!(["get"]), json!(["get", "list"])])}),
        json!({"apiGroups": ["apps"], "resources": ["deployments"], "resourceNames": draw.pick("names", [Value::Null, json!(["a"])]), "verbs": ["*"]}),
    ])})
}
