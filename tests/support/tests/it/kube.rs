//! The cluster: Deployments roll out or fail to, and rights follow the roles.

use flux_test_support::{KubeServer, kube};

fn deployment(image: &str) -> String {
    format!(
        "apiVersion: apps/v1\n\
         kind: Deployment\n\
         metadata: {{name: web}}\n\
         spec:\n  \
           replicas: 3\n  \
           selector: {{matchLabels: {{app: web}}}}\n  \
           template:\n    \
             metadata: {{labels: {{app: web}}}}\n    \
             spec:\n      \
               initContainers: [{{name: first, image: 'busybox:1'}}]\n      \
               containers: [{{name: web, image: '{image}'}}]\n"
    )
}

/// Creates a namespace with the Deployment `web` in it.
fn deploy(kube: &KubeServer, image: &str) -> String {
    let namespace = kube.namespace("roll");
    kube.kubectl_with(&["apply", "--server-side", "-n", &namespace, "-f", "-"], &deployment(image));
    namespace
}

#[test]
fn a_deployment_rolls_out() {
    let Some(kube) = kube() else { return };
    let namespace = deploy(&kube, "shop/web:v1");
    let status = ["rollout", "status", "deployment/web", "-n", &namespace, "--timeout=30s"];
    assert!(kube.kubectl(&status).contains("successfully rolled out"));
    kube.kubectl(&["set", "image", "deployment/web", "web=shop/web:v2", "-n", &namespace]);
    assert!(kube.kubectl(&status).contains("successfully rolled out"));
    let images = kube.kubectl(&[
        "get",
        "pods",
        "-n",
        &namespace,
        "-o=jsonpath={.items[*].status.containerStatuses[*].image}",
    ]);
    assert!(images.contains("shop/web:v2"), "{images}");
}

#[test]
fn a_broken_image_is_never_ready_and_says_why() {
    let Some(kube) = kube() else { return };
    let namespace = deploy(&kube, "shop/web:broken-1");
    let waiting = "jsonpath={.status.containerStatuses[0].state.waiting.reason}=ImagePullBackOff";
    let pods = ["wait", "pod", "-l", "app=web", "-n", &namespace, "--timeout=30s", "--for", waiting];
    // The controllers create the pods later, and kubectl does not wait for objects that do not
    // exist.
    kube.kubectl(&[
        "wait",
        "rs",
        "-l",
        "app=web",
        "-n",
        &namespace,
        "--timeout=30s",
        "--for=jsonpath={.status.replicas}=3",
    ]);
    kube.kubectl(&pods);
    let ready =
        kube.kubectl(&["get", "deployment", "web", "-n", &namespace, "-o=jsonpath={.status.readyReplicas}"]);
    assert_eq!(ready, "");
    // A working image repairs it.
    kube.kubectl(&["set", "image", "deployment/web", "web=shop/web:v2", "-n", &namespace]);
    kube.kubectl(&["rollout", "status", "deployment/web", "-n", &namespace, "--timeout=30s"]);
}

#[test]
fn a_job_completes() {
    let Some(kube) = kube() else { return };
    let namespace = kube.namespace("job");
    kube.kubectl(&["create", "job", "once", "--image=shop/job:v1", "-n", &namespace]);
    kube.kubectl(&["wait", "job/once", "--for=condition=Complete", "-n", &namespace, "--timeout=30s"]);
}

#[test]
fn a_namespace_that_is_deleted_goes_with_what_is_in_it() {
    let Some(kube) = kube() else { return };
    let namespace = deploy(&kube, "shop/web:v1");
    kube.kubectl(&["delete", "namespace", &namespace, "--timeout=30s"]);
    assert!(kube.try_kubectl(&["get", "namespace", &namespace]).unwrap_err().contains("NotFound"));
}

#[test]
fn the_restricted_user_may_do_what_a_role_says_and_no_more() {
    let Some(kube) = kube() else { return };
    let namespace = kube.namespace("rights");
    let may = |verb: &str| {
        let user = format!("--as={}", kube.restricted_user());
        kube.try_kubectl(&["auth", "can-i", verb, "pods", "-n", &namespace, &user]).is_ok()
    };
    assert!(!may("get"));
    let user = format!("--user={}", kube.restricted_user());
    kube.kubectl(&["create", "rolebinding", "view", "--clusterrole=view", &user, "-n", &namespace]);
    assert!(may("get") && !may("delete"));
    let config = format!("--kubeconfig={}", kube.restricted_kubeconfig().display());
    kube.kubectl(&[&config, "get", "pods", "-n", &namespace]);
    assert!(kube.try_kubectl(&[&config, "get", "pods", "-A"]).unwrap_err().contains("restricted"));
}

#[test]
fn requests_are_counted() {
    let Some(kube) = kube() else { return };
    assert!(kube.metrics().contains("\napiserver_request_total{"));
    assert!(kube.url().starts_with("https://127.0.0.1:"));
    assert!(kube.ca().is_file() && kube.kubeconfig().is_file() && kube.log().is_file());
}
