//! Raw listing documents in, the bucket's own order (docs/EVENTS.md) out.

use bridge_core::listing::dialect::Dialect;
use bridge_core::listing::page::parse_page;
use bridge_core::listing::rows::Listing;
use bridge_history::plan::manifest::Range;
use bridge_history::scan::keyspace::Keyspace;
use serde_json::{Value, json};

fn fixture(name: &str) -> String {
    let path = format!(
        "{}/tests/fixtures/listings/{name}",
        env!("CARGO_MANIFEST_DIR")
    );
    std::fs::read_to_string(path).unwrap()
}

/// What the scan makes of one page, in the order of a plan.
fn order_of(document: &str) -> Value {
    let page = parse_page(document.as_bytes()).unwrap();
    let mut keyspace = Keyspace::new(vec![Range::default()], Dialect::default());
    let request = keyspace.next_request(1).unwrap();
    let complete = keyspace.accept(request.range, page).unwrap();
    assert_eq!(keyspace.remaining(), vec![], "one page was all");
    let mut rows: Vec<_> = complete.iter().flat_map(Listing::iter).collect();
    rows.sort_by(|a, b| a.order_key().cmp(&b.order_key()));
    rows.iter()
        .map(|row| {
            json!({
                "key": row.version.key,
                "versionId": row.version.version_id,
                "deleteMarker": row.version.is_delete_marker,
                "effectiveTime": row.effective_time,
                "lastModified": row.version.last_modified,
                "rank": row.rank,
            })
        })
        .collect()
}

fn expected(name: &str) -> Value {
    serde_json::from_str(&fixture(name)).unwrap()
}

#[test]
fn interleaved_ties_keep_the_order_of_the_document() {
    let expected = expected("interleaved-ties.expected.json");
    assert_eq!(order_of(&fixture("interleaved-ties-raw.xml")), expected);
    assert_eq!(
        order_of(&fixture("interleaved-ties-url-encoded.xml")),
        expected
    );
}

#[test]
fn markers_listed_apart_are_merged_by_time() {
    assert_eq!(
        order_of(&fixture("markers-apart.xml")),
        expected("markers-apart.expected.json")
    );
}
