//! The sock shop, the example that Flux was launched with.
//!
//! It has a config repository and an image history.

use std::fmt::Write;

/// The namespace of the shop.
pub(crate) const NAMESPACE: &str = "sock-shop";

/// The time of the story: shortly after the newest image was built.
pub(crate) const NOW: &str = "2016-11-18T16:35:00Z";

/// The workloads and the images that git says they run.
pub(crate) const WORKLOADS: [(&str, &str); 13] = [
    ("cart", "weaveworksdemos/cart:0.3.0"),
    ("cart-db", "mongo"),
    ("catalogue", "weaveworksdemos/catalogue:0.2.0"),
    ("catalogue-db", "weaveworksdemos/catalogue-db:0.2.0"),
    ("front-end", "weaveworksdemos/front-end:0.2.0"),
    ("orders", "weaveworksdemos/orders:0.3.0"),
    ("orders-db", "mongo"),
    ("payment", "weaveworksdemos/payment:0.3.0"),
    ("queue-master", "weaveworksdemos/queue-master:0.3.0"),
    ("rabbitmq", "rabbitmq:3"),
    ("shipping", "weaveworksdemos/shipping:0.3.0"),
    ("user", "weaveworksdemos/user:0.3.0"),
    ("user-db", "weaveworksdemos/user-db:0.3.0"),
];

/// The image history: name, tag, build date.
const IMAGES: &[(&str, &[(&str, &str)])] = &[
    (
        "weaveworksdemos/front-end",
        &[
            ("7f511af2d21fd601b86b3bed7baa6adfa9c8c669", "2016-11-18T16:00:00Z"),
            ("latest", "2016-11-18T16:00:00Z"),
            ("snapshot", "2016-11-18T16:00:00Z"),
            ("16007dddd86b2ebb41d8880c53b77580cab13f02", "2016-11-18T11:23:00Z"),
            ("a0eaf8c8ffc0b81c2199adaf7d67466891bb3205", "2016-11-17T10:22:00Z"),
            ("1b664cc81d9cf25b213000686a9e8d6477ae1b06", "2016-11-16T20:31:00Z"),
            ("ce1efe59c32d3c53344defdda4d5b643272022b8", "2016-11-16T20:29:00Z"),
            ("4c33b216ae902ad89b9c3ca30a99a44833d16d5b", "2016-11-10T21:34:00Z"),
            ("7015587783bc8f7a9c3d5cfa51e5a257fe188c4b", "2016-11-10T11:34:00Z"),
            ("4d3ea2896c81e40a630d36cdc29ce740e7617016", "2016-11-10T11:30:00Z"),
            ("e2f8f3f5b7a1c9d04c6a1e0b35d7f6c8a9b0e1d2", "2016-11-09T18:02:00Z"),
            ("0b94c3e7d5a2f18c6e9b7d30a4f5c2e1b8d60f97", "2016-11-09T14:47:00Z"),
            ("0.2.0", "2016-11-09T10:26:00Z"),
        ],
    ),
    ("weaveworksdemos/cart", &[("0.3.0", "2016-11-08T09:10:00Z"), ("0.2.0", "2016-10-25T09:10:00Z")]),
    ("weaveworksdemos/catalogue", &[("0.2.0", "2016-11-08T09:12:00Z"), ("0.1.0", "2016-10-20T12:00:00Z")]),
    ("weaveworksdemos/catalogue-db", &[("0.2.0", "2016-11-08T09:13:00Z")]),
    ("weaveworksdemos/orders", &[("0.3.0", "2016-11-08T09:14:00Z"), ("0.2.0", "2016-10-25T09:14:00Z")]),
    ("weaveworksdemos/payment", &[("0.3.0", "2016-11-08T09:15:00Z")]),
    ("weaveworksdemos/queue-master", &[("0.3.0", "2016-11-08T09:16:00Z")]),
    ("weaveworksdemos/shipping", &[("0.3.0", "2016-11-08T09:17:00Z")]),
    ("weaveworksdemos/user", &[("0.3.0", "2016-11-08T09:18:00Z"), ("0.2.0", "2016-10-25T09:18:00Z")]),
    ("weaveworksdemos/user-db", &[("0.3.0", "2016-11-08T09:19:00Z")]),
    ("mongo", &[("latest", "2016-11-07T20:00:00Z"), ("3.2", "2016-11-07T20:00:00Z")]),
    ("rabbitmq", &[("3", "2016-11-04T22:00:00Z"), ("3.6.5", "2016-11-04T22:00:00Z")]),
];

/// Returns the files of the config repository: path and text.
pub(crate) fn files() -> Vec<(String, String)> {
    let mut files = vec![(
        "sock-shop/namespace.yaml".to_owned(),
        format!("apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {NAMESPACE}\n"),
    )];
    files.extend(
        WORKLOADS.iter().map(|(name, image)| (format!("sock-shop/{name}-dep.yaml"), deployment(name, image))),
    );
    files
}

/// Returns the manifest of a workload, as people write them: with comments and some quotes.
fn deployment(name: &str, image: &str) -> String {
    let annotations = match name {
        "catalogue" => {
            "  annotations:\n    fluxcd.io/automated: \"true\"\n    fluxcd.io/tag.catalogue: 'semver:~0.2' # patches only\n"
        }
        "rabbitmq" => {
            "  annotations:\n    fluxcd.io/locked: \"true\"\n    fluxcd.io/locked_user: ops\n    fluxcd.io/locked_msg: plugins pinned\n"
        }
        _ => "",
    };
    format!(
        "---\n\
         # The {name} of the sock shop\n\
         apiVersion: apps/v1\n\
         kind: Deployment\n\
         metadata:\n  \
           name: {name}\n  \
           namespace: {NAMESPACE}\n\
         {annotations}\
         spec:\n  \
           replicas: 1\n  \
           selector:\n    \
             matchLabels: {{name: {name}}}\n  \
           template:\n    \
             metadata:\n      \
               labels:\n        \
                 name: {name}\n    \
             spec:\n      \
               containers:\n      \
               - name: {name}\n        \
                 image: {image} # what runs\n        \
                 ports:\n        \
                 - containerPort: 80\n"
    )
}

/// Returns the image history in the form of `--images`, with `pushed` (name, tag, build date) on
/// top.
pub(crate) fn images_yaml(pushed: &[(&str, &str, &str)]) -> String {
    let mut text = "# The images of the sock shop: name → its tags\n".to_owned();
    for (name, tags) in IMAGES {
        let _ = writeln!(text, "{name}:");
        let new = pushed.iter().filter(|(of, ..)| of == name).map(|(_, tag, created)| (*tag, *created));
        for (tag, created) in new.chain(tags.iter().copied()) {
            let _ = writeln!(text, "- {{tag: \"{tag}\", created: {created}}}");
        }
    }
    text
}
