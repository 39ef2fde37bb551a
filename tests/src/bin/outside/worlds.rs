//! The buckets, and what is written to them.

use e2e::history::History;
use e2e::history::life::Act;
use e2e::history::script::{ODD_KEYS, acts, perform};

/// Keys that are written to at the same time.
const AT_ONCE: usize = 16;

/// A bucket.
pub(crate) struct World {
    /// Its name.
    pub bucket: &'static str,
    /// What is special about it.
    pub what: &'static str,
    /// Keys, and what is done to each.
    pub plan: Vec<(String, Vec<Act>)>,
}

impl World {
    /// Writes it, and tells the truth about it.
    pub(crate) async fn write(&self, s3: &aws_sdk_s3::Client) -> anyhow::Result<History> {
        perform(s3, self.bucket, self.plan.clone(), AT_ONCE).await
    }
}

/// All of them: some thousands of versions.
pub(crate) fn all() -> Vec<World> {
    vec![
        World {
            bucket: "odd-keys",
            what: "keys with spaces, signs, slashes, control characters, other scripts",
            plan: odd_keys(),
        },
        World {
            bucket: "many-signs",
            what: "pages that end at keys with signs in them",
            plan: many(|number| format!("https://x/a+b c/{number}%20?a=b&c")),
        },
        World {
            bucket: "many-scripts",
            what: "pages that end at keys of another script",
            plan: many(|number| format!("日本/ü/{number}/\u{1f600}")),
        },
        World {
            bucket: "many-controls",
            what: "pages that end at keys with control characters",
            plan: many(|number| format!("tab\t{number}\u{1}\n{number}\u{7f}")),
        },
        World {
            bucket: "one-key",
            what: "a key whose versions fill pages, between two others",
            plan: one_key(),
        },
    ]
}

fn odd_keys() -> Vec<(String, Vec<Act>)> {
    let keys = ODD_KEYS.iter().zip(0..);
    keys.map(|(key, number)| ((*key).to_owned(), acts(number, 40)))
        .collect()
}

/// More than a page of them: it ends at such a key, wherever it ends.
fn many(key: impl Fn(usize) -> String) -> Vec<(String, Vec<Act>)> {
    (0..1_100)
        .map(|number| {
            (
                key(number),
                vec![Act::Put; 1 + usize::from(number % 13 == 0)],
            )
        })
        .collect()
}

fn one_key() -> Vec<(String, Vec<Act>)> {
    let mut long = vec![Act::Put; 2_500];
    // Not the last: it must be there when the listing ends.
    for place in (50..2_500).step_by(97) {
        long[place] = Act::Delete;
    }
    vec![
        ("before".to_owned(), vec![Act::Put; 3]),
        ("long + 100%".to_owned(), long),
        ("long +".to_owned(), vec![Act::Put; 3]),
        ("then".to_owned(), vec![Act::Put, Act::Delete]),
    ]
}
