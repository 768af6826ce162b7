//! The edits of the files of the corpus.

/// An edit of a file.
pub(super) enum Step {
    /// Sets the image of a container of an object, named by its name or its namespace and name.
    Image(&'static str, &'static str, &'static str),
    /// Sets an annotation of an object.
    Set(&'static str, &'static str, &'static str),
    /// Removes an annotation of an object.
    Remove(&'static str, &'static str),
}
use Step::{Image, Remove, Set};

const DIGEST: &str =
    "ghcr.io/example/hello@sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

const PINNED: &str = "registry.example.com:5000/team/web:2.0@sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

/// Images of whole repositories: the workload, the container, the image.
pub(super) const REPOSITORIES: &[(&str, &[(&str, &str, &str)])] = &[(
    "kustomize",
    &[
        ("default:deployment/web", "web", "example/web:1.10"),
        ("default:deployment/web", "cache", "mirror.example.com/cache:7.1"),
        ("default:pipeline/nightly", "build", "example/web:1.10"),
        ("default:pipeline/nightly", "push", "example/push:1.1"),
        ("default:pipeline/nightly", "agent", "example/agent:1.10"),
    ],
)];

pub(super) const CASES: &[(&str, &[Step])] = &[
    (
        "sock-shop",
        &[
            Image("front-end", "front-end", "weaveworksdemos/front-end:0.3.12"),
            Image("carts-db", "carts-db", "mongo:3.4"),
            Set("front-end", "fluxcd.io/automated", "true"),
            Set("front-end", "fluxcd.io/tag.front-end", "semver:~0.3"),
            Remove("carts", "fluxcd.io/locked"),
            Remove("carts", "fluxcd.io/locked_msg"),
            Image("carts", "carts", "weaveworksdemos/carts:0.4.8"),
        ],
    ),
    (
        "crlf-and-bom",
        &[
            Image("web", "web", "registry.example.com:5000/team/web:1.21"),
            Set("web", "fluxcd.io/locked", "true"),
        ],
    ),
    (
        "anchors",
        &[
            Image("worker", "worker", "example/app:2.0"),
            Image("migrate", "migrate", "example/migrate:2.0"),
            Set("worker", "fluxcd.io/automated", "true"),
        ],
    ),
    (
        "styles",
        &[
            Image("styles", "plain", "a/plain:2"),
            Image("styles", "single", "a/single:2"),
            Image("styles", "double", "a/double:2"),
            Image("styles", "folded", "a/folded:2"),
            Image("styles", "literal", "a/literal:2"),
            Image("styles", "flow", "a/flow:2"),
            Image("styles", "explicit", "a/explicit:2"),
            Image("styles", "next-line", "a/next-line:2"),
            Image("styles", "tagged", "a/tagged:2"),
            Image("styles", "escaped", "a/escaped:2"),
            Remove("styles", "gone"),
            Remove("styles", "gone-too"),
        ],
    ),
    (
        "list",
        &[
            Image("one", "one", "a/one:2"),
            Image("two", "two", "a/two:2"),
            Set("one", "fluxcd.io/automated", "true"),
            Set("two", "fluxcd.io/automated", "true"),
        ],
    ),
    (
        "helm",
        &[
            Image("shop", "chart-image", "quay.io/shop/app:1.20"),
            Image("shop", "sidecar", "quay.io/shop/sidecar:v2"),
            Image("shop", "db", "postgres:16"),
            Set("shop", "filter.fluxcd.io/chart-image", "regexp:^\\d+\\.\\d+$"),
        ],
    ),
    (
        "rollouts",
        &[
            Image("web", "web", "example/web:1.10"),
            Image("web", "init", "example/init:1.1"),
            Image("hello", "user-container", DIGEST),
        ],
    ),
    (
        "setters",
        &[
            Image("apps", "web", "ghcr.io/example/web:1.20"),
            Image("apps", "api", "mirror.example.com/api:v2"),
            Image("images", "worker", "ghcr.io/example/worker:2.0"),
            Image("shop", "chart-image", "ghcr.io/example/shop:v2.0"),
            Image("shop", "proxy", "ghcr.io/example/proxy:2.0"),
        ],
    ),
    (
        "helm-deep",
        &[
            Image("stack", "api", "example/api:1.10"),
            Image("stack", "backend.web", "quay.io/team/web:1.20"),
            Image("stack", "backend.web.sidecars.proxy", "envoy:v2"),
            Image("stack", "exporter", "example/exporter:3"),
        ],
    ),
    (
        "shared-anchors",
        &[
            Image("web", "web", "example/app:2.0"),
            Image("web", "migrate", "example/app:2.0"),
            Image("worker", "worker", "example/app:2.0"),
        ],
    ),
    (
        "markers",
        &[
            Image("first", "app", "example/app:1.20"),
            Image("line", "app", "example/app:1.20"),
            Image("last", "app", "example/app:1.20"),
            Set("first", "fluxcd.io/automated", "true"),
            Set("text", "fluxcd.io/ignore", "true"),
            Set("line", "fluxcd.io/automated", "true"),
            Set("last", "fluxcd.io/automated", "true"),
        ],
    ),
    (
        "compact.json",
        &[
            Image("one", "app", "example/app:1.20"),
            Image("two", "app", "example/app:1.20"),
            Set("one", "fluxcd.io/automated", "true"),
            Set("two", "fluxcd.io/tag.app", "semver:~1 \"x\""),
            Remove("two", "fluxcd.io/locked"),
            Remove("three", "fluxcd.io/locked"),
        ],
    ),
    (
        "pretty.json",
        &[
            Image("one", "app", "example/app:1.20"),
            Image("two", "app", "example/app:1.20"),
            Set("one", "fluxcd.io/automated", "true"),
            Set("two", "fluxcd.io/tag.app", "semver:~1 \"x\""),
            Remove("two", "note"),
            Remove("three", "fluxcd.io/locked"),
        ],
    ),
    (
        "flow",
        &[
            Image("web", "web", "example/web:1.20"),
            Image("web", "side", "example/side:1.20"),
            Image("web", "json", "example/json:1.20"),
            Image("web", "odd", "example/odd:1.20"),
            Image("web", "next", "example/next:1.20"),
            Image("api", "api", "example/api:1.20"),
            Image("bare", "bare", "example/bare:1.20"),
            Set("web", "fluxcd.io/automated", "true"),
            Set("api", "fluxcd.io/automated", "true"),
            Remove("api", "a"),
            Set("bare", "fluxcd.io/automated", "true"),
        ],
    ),
    (
        "scalars",
        &[
            Image("scalars", "literal", "example/literal:1.20"),
            Image("scalars", "folded", "example/folded:1.20"),
            Image("scalars", "indented", "example/indented:1.20"),
            Image("scalars", "stripped", "example/stripped:1.20"),
            Image("scalars", "double", "example/double:1.20"),
            Image("scalars", "lines", "example/lines:1.20"),
            Image("scalars", "single", "example/single:1.20"),
            Image("scalars", "quoted", "example/quoted:1.20"),
            Image("scalars", "plain", "example/plain:1.20"),
            Image("scalars", "complex", "example/complex:1.20"),
            Image("scalars", "key", "example/key:1.20"),
            Image("scalars", "tagged", "example/tagged:1.20"),
            Image("scalars", "last", "example/last:1.20"),
            Set("scalars", "a", "1.20"),
            Set("scalars", "fluxcd.io/automated", "true"),
        ],
    ),
    (
        "blanks",
        &[
            Image("blanks", "one", "example/one:1.20"),
            Image("blanks", "two", "example/two:1.20"),
            Image("blanks", "three", "example/three:1.20"),
            Image("blanks", "four", "example/four:1.20"),
            Image("crlf", "one", "example/one:1.20"),
            Image("no-newline", "one", "example/one:1.20"),
            Set("blanks", "fluxcd.io/automated", "true"),
            Remove("blanks", "a"),
            Set("crlf", "fluxcd.io/automated", "true"),
            Set("no-newline", "fluxcd.io/automated", "true"),
        ],
    ),
    (
        "unicode",
        &[
            Image("unicode", "名", "example/unicode:1.20"),
            Image("unicode", "über", "example/uber:1.20"),
            Set("unicode", "漢字", "gelb 🌻"),
            Set("unicode", "💡", "it's 🌙"),
            Set("unicode", "fluxcd.io/automated", "true"),
            Set("bom", "über", "ünter"),
        ],
    ),
    (
        "merge-keys",
        &[
            Image("merges", "worker", "example/app:2.0"),
            Image("merges", "flow", "example/app:3.0"),
            Image("merges", "quoted", "example/app:4.0"),
            Image("merges", "list", "example/app:5.0"),
            Image("merges", "alias", "example/app:6.0"),
            Image("merges", "third", "example/app:7.0"),
            Image("merges", "own", "example/own:2.0"),
            Image("parts", "web", "quay.io/team/base:1.20"),
            Image("parts", "api", "quay.io/team/api:2.0"),
            Image("parts", "job", "job:yes"),
            Set("merges", "fluxcd.io/automated", "true"),
        ],
    ),
    (
        "merge-keys-all",
        &[
            Image("merges", "app", "example/app:2.0"),
            Image("merges", "worker", "example/app:2.0"),
            Image("merges", "flow", "example/app:2.0"),
            Image("merges", "second", "example/app:2.0"),
            Image("merges", "third", "example/app:2.0"),
            Image("merges", "left", "example/app:3.0"),
        ],
    ),
    (
        "tags",
        &[
            Image("tags", "float", "example/float:1.21"),
            Image("tags", "exponent", "example/exponent:2e3"),
            Image("tags", "octal", "example/octal:0124"),
            Image("tags", "quoted", "example/quoted:v1"),
            Image("tags", "single", "example/single:1.21"),
            Image("tags", "text", "example/text:1.20"),
            Image("tags", "word", "example/word:yes"),
            Image("tags", "nothing", "example/nothing:null"),
            Image("tags", "base60", "example/base60:190_20"),
            Image("tags", "date", "example/date:2020-11-22"),
            Image("tags", "under", "example/under:1_000"),
            Image("tags", "hex", "example/hex:0x1F"),
        ],
    ),
    (
        "indents",
        &[
            Image("deep", "deep", "example/deep:1.20"),
            Image("deep", "init", "example/init:1.20"),
            Image("narrow", "narrow", "example/narrow:1.20"),
            Image("narrow", "side", "example/side:1.20"),
            Image("anchors", "app", "example/app:1.20"),
            Set("deep", "fluxcd.io/automated", "true"),
            Set("narrow", "fluxcd.io/automated", "true"),
            Set("anchors", "fluxcd.io/automated", "true"),
        ],
    ),
    (
        "annotations",
        &[
            Set("absent", "new", "1.20"),
            Set("nothing", "new", "1.20"),
            Set("null", "new", "1.20"),
            Set("empty", "new", "1.20"),
            Set("flow", "new", "1.20"),
            Remove("flow", "c"),
            Set("flow-absent", "new", "a, b"),
            Remove("flow-only", "only"),
            Remove("only", "only"),
            Set("texts", "block", "one"),
            Set("texts", "folded", "yes"),
            Set("texts", "quoted/key", "a\nb"),
            Set("texts", "complex", "it's"),
            Set("texts", "truth", "false"),
            Set("texts", "number", "1.3"),
            Set("texts", "blank", "full"),
            Set("texts", "new", "1.20"),
            Remove("lines", "first"),
            Set("lines", "new", "1.20"),
            Remove("last", "gone"),
            Remove("last", "gone-too"),
        ],
    ),
    ("sealed", &[Image("open", "open", "example/open:1.20"), Set("open", "fluxcd.io/automated", "true")]),
    (
        "lists",
        &[
            Image("inner", "app", "example/app:1.20"),
            Image("typed", "app", "example/app:1.20"),
            Image("typed-too", "app", "example/app:1.20"),
            Image("alone", "app", "example/app:1.20"),
            Set("inner", "fluxcd.io/automated", "true"),
            Set("typed", "fluxcd.io/automated", "true"),
            Set("typed-too", "fluxcd.io/automated", "true"),
            Set("text", "fluxcd.io/ignore", "true"),
            Set("alone", "fluxcd.io/automated", "true"),
        ],
    ),
    (
        "references",
        &[
            Image("blue/web", "port", "registry.example.com:5000/team/web:1.20"),
            Image("blue/web", "digest", PINNED),
            Image("blue/web", "both", "example/web:1.20"),
            Image("blue/web", "host", "localhost/web:1.20"),
            Image("green/web", "port", "registry.example.com:5000/team/web:2.0"),
            Image("red/web", "twice", "example/twice:1.20"),
            Set("green/web", "fluxcd.io/automated", "true"),
        ],
    ),
    ("broken-neighbours", &[Image("web", "web", "a/web:2"), Set("last", "a", "b")]),
];
