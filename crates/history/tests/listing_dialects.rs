//! Listings as other people's servers write them: a file a case in `fixtures/dialects/listings`.
//!
//! `why`; `pages`, answered one behind the other; `markers`, what the requests behind the first ask for (`key
//! versionId`); then `expected` in the order of a plan (`key versionId`, `latest`), how many keys are `ambiguous`, and
//! `currentOnly`; or `refused`, a part of the error.

use bridge_core::listing::dialect::Dialect;
use bridge_core::listing::page::parse_page;
use bridge_core::listing::rows::Listing;
use bridge_history::plan::doubts::{Ambiguous, Doubts};
use bridge_history::plan::manifest::Range;
use bridge_history::scan::filter::Filter;
use bridge_history::scan::keyspace::{Keyspace, PageRequest};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Case {
    #[serde(rename = "why")]
    _why: String,
    pages: Vec<String>,
    #[serde(default)]
    markers: Vec<String>,
    #[serde(default)]
    expected: Vec<String>,
    #[serde(default)]
    ambiguous: u64,
    current_only: Option<Vec<String>>,
    refused: Option<String>,
}

#[derive(Debug, Default)]
struct Found {
    markers: Vec<String>,
    complete: Vec<Listing>,
    doubts: Doubts,
    ambiguous: Ambiguous,
}

fn marker(request: &PageRequest) -> Option<String> {
    let marker = request.marker.as_ref()?;
    let version = marker.version_id.as_deref();
    Some(version.map_or(marker.key.clone(), |id| format!("{} {id}", marker.key)))
}

/// What one lister makes of the pages.
fn list(pages: &[String]) -> Result<Found, String> {
    let mut keyspace = Keyspace::new(vec![Range::default()], Dialect::default());
    let mut found = Found::default();
    for page in pages {
        let request = keyspace.next_request(1).ok_or("a page is left")?;
        found.markers.extend(marker(&request));
        let page = parse_page(page.as_bytes()).map_err(|e| e.to_string())?;
        let complete = keyspace.accept(request.range, page);
        found.complete.extend(complete.map_err(|e| e.to_string())?);
        for (key, doubt) in keyspace.take_doubts() {
            found.doubts.add(key, doubt);
        }
        if keyspace.must_begin_again() {
            found.complete.clear();
            found.doubts = Doubts::default();
            keyspace.begin_again(vec![Range::default()]);
        }
    }
    match keyspace.next_request(1) {
        None => {
            found.ambiguous = found.doubts.ambiguous(keyspace.dialect(), true);
            Ok(found)
        }
        Some(request) => Err(format!("it continues behind {:?}", marker(&request))),
    }
}

fn told(complete: &[Listing], with_latest: bool) -> Vec<String> {
    let mut rows: Vec<_> = complete.iter().flat_map(Listing::iter).collect();
    rows.sort_by(|a, b| a.order_key().cmp(&b.order_key()));
    let text = |row: &bridge_core::listing::version::PlannedRef<'_>| {
        let latest = with_latest && row.version.is_latest;
        let latest = if latest { " latest" } else { "" };
        format!("{} {}{latest}", row.version.key, row.version.version_id)
    };
    rows.iter().map(text).collect()
}

/// What is wrong with a case.
fn check(case: &Case) -> Result<(), String> {
    let found = list(&case.pages);
    if let Some(part) = &case.refused {
        return match found {
            Err(error) if error.contains(part.as_str()) => Ok(()),
            other => Err(format!("refused for {part:?}, found {other:?}")),
        };
    }
    let mut found = found?;
    let same = |what: &str, found: &[String], expected: &[String]| {
        let wrong = || format!("{what}: found {found:?}, expected {expected:?}");
        (found == expected).then_some(()).ok_or_else(wrong)
    };
    same("order", &told(&found.complete, true), &case.expected)?;
    same("requests", &found.markers, &case.markers)?;
    if found.ambiguous.keys != case.ambiguous {
        return Err(format!("ambiguous: {:?}", found.ambiguous));
    }
    let Some(current) = &case.current_only else {
        return Ok(());
    };
    let filter = Filter {
        current_only: true,
        ..Filter::default()
    };
    filter.choose(&mut found.complete);
    same("currentOnly", &told(&found.complete, false), current)
}

#[test]
fn listings_of_other_servers_give_the_right_history_or_are_refused() {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/fixtures/dialects/listings"
    );
    let (mut cases, mut wrong) = (0, Vec::new());
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let case = serde_json::from_str(&text).map_err(|e| e.to_string());
        if let Err(error) = case.and_then(|case| check(&case)) {
            wrong.push(format!("{}: {error}", path.display()));
        }
        cases += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cases > 30, "only {cases} cases were found");
}
