//! The table of built-in kinds that the checks of objects use, held against a real API server.
//!
//! The table is made of two things: what the server publishes (`/openapi/v2`), and which of the
//! restrictions that it publishes it holds to, which is tried with [samples](samples). To write it
//! anew for another version of Kubernetes:
//!
//! ```sh
//! FLUX_WRITE_TABLE=1 tests/run -p flux-k8s openapi::the_table
//! ```

mod document;
mod measured;
mod mutations;
mod refusals;
mod samples;
mod server;

use document::Document;
use measured::Measured;
use server::Server;

const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../flux-core/src/schema/kubernetes.txt");

#[tokio::test]
async fn the_table_is_what_the_server_says_and_does() {
    let Some(kube) = flux_test_support::kube() else { return };
    let document = Document::parse(&kube.kubectl(&["get", "--raw", "/openapi/v2"]));
    let server = Server::of(&kube).await;
    let samples = samples::all(&server.namespace);
    let mut refusals = Vec::new();
    for sample in &samples {
        let refusal = server.refuses(sample).await;
        refusals
            .extend(refusal.map(|refusal| format!("{} {}: {refusal}", sample["kind"], sample["metadata"])));
    }
    assert_eq!(refusals, [""; 0], "all samples are valid");
    let measured = Measured::by(&server, &document, &samples).await;
    let table = document.table(&measured);
    if std::env::var_os("FLUX_WRITE_TABLE").is_some() {
        std::fs::write(TABLE, &table).unwrap();
    }
    let written = std::fs::read_to_string(TABLE).unwrap_or_default();
    let differs = table.lines().zip(written.lines()).find(|(new, old)| new != old);
    assert!(
        table == written,
        "{TABLE} is of another server; first: {differs:?}. To write it anew: FLUX_WRITE_TABLE=1"
    );
}
