//! Buckets to be pictured, as listings.

use std::fmt::Write as _;

/// An entry of a listing: its key, second since 2023-01-01, and size; none for a delete marker.
struct Entry {
    key: String,
    second: u64,
    size: Option<u64>,
}

/// A listing of all versions, as S3 writes it: keys in order, each key's newest first.
fn listing(mut entries: Vec<Entry>) -> String {
    entries.sort_by(|a, b| (&a.key, b.second).cmp(&(&b.key, a.second)));
    let mut document = "<ListVersionsResult><EncodingType>url</EncodingType>\
                        <IsTruncated>false</IsTruncated>"
        .to_owned();
    let mut before = None;
    for (at, entry) in entries.iter().enumerate() {
        let (tag, size) = match entry.size {
            Some(size) => (
                "Version",
                format!("<Size>{size}</Size><ETag>\"e{at}\"</ETag>"),
            ),
            None => ("DeleteMarker", String::new()),
        };
        let key =
            percent_encoding::utf8_percent_encode(&entry.key, percent_encoding::NON_ALPHANUMERIC);
        let time = bridge_core::timestamp::Timestamp(1_672_531_200_000)
            + std::time::Duration::from_secs(entry.second);
        let is_latest = before != Some(&entry.key);
        write!(
            document,
            "<{tag}><Key>{key}</Key><VersionId>v{at}</VersionId><IsLatest>{is_latest}</IsLatest>\
             <LastModified>{time}</LastModified>{size}</{tag}>"
        )
        .unwrap();
        before = Some(&entry.key);
    }
    document + "</ListVersionsResult>"
}

/// A bucket as there are many: ledgers that are overwritten, logs that a lifecycle rule removes, exports.
pub(crate) fn usual() -> String {
    let mut random = fastrand::Rng::with_seed(7);
    let day = 86_400;
    let mut entries = Vec::new();
    for account in 0..60 {
        let key = format!("ledger/accounts/{:06}.json", account * 7_919 % 100_000);
        let versions = if account < 6 {
            90 - account * 11
        } else {
            random.u32(2..20)
        };
        for _ in 0..versions {
            // More from month to month.
            let second = random.u64(..700 * day).max(random.u64(..700 * day));
            let size = Some(random.u64(900..24_000));
            let key = key.clone();
            entries.push(Entry { key, second, size });
        }
    }
    for number in 0..650 {
        let at = number + number / 12;
        let key = format!(
            "logs/{}/{:02}/{:02}.gz",
            2023 + at / 365,
            at / 31 % 12 + 1,
            at % 31 + 1
        );
        let second = at * day + random.u64(..day);
        let size = Some(random.u64(200_000..9_000_000));
        entries.push(Entry {
            key: key.clone(),
            second,
            size,
        });
        if number < 560 {
            entries.push(Entry {
                key,
                second: second + 90 * day,
                size: None,
            });
        }
    }
    for month in 0..23 {
        let key = format!(
            "exports/monthly/{}-{:02}/balance sheet.parquet",
            2023 + month / 12,
            month % 12 + 1
        );
        let size = Some(random.u64(60_000_000..1_900_000_000));
        entries.push(Entry {
            key,
            second: (month + 1) * 30 * day,
            size,
        });
    }
    entries.push(Entry {
        key: "README.md".to_owned(),
        second: 5,
        size: Some(2_048),
    });
    entries.push(Entry {
        key: "index.html".to_owned(),
        second: 9,
        size: Some(0),
    });
    listing(entries)
}

/// Four days of orders, more by day than by night.
pub(crate) fn busy() -> String {
    let mut random = fastrand::Rng::with_seed(11);
    let mut entries = Vec::new();
    for hour in 0..96u64 {
        let by_day = if (7..21).contains(&(hour % 24)) {
            48
        } else {
            12
        };
        for _ in 0..random.u64(by_day / 2..by_day) {
            let second = 300 * 86_400 + hour * 3_600 + random.u64(..3_600);
            let size = Some(random.u64(900..24_000));
            let key = match random.u32(..10) {
                0..3 => format!("orders/eu/{:05}.json", random.u32(..400)),
                3..6 => format!("orders/us/{:05}.json", random.u32(..400)),
                6..9 => format!("ledger/accounts/{:04}.json", random.u32(..200)),
                _ => format!("logs/gateway/{:08}.gz", random.u32(..)),
            };
            entries.push(Entry { key, second, size });
        }
    }
    listing(entries)
}

/// Keys as an enemy, or a long path, has them.
pub(crate) fn odd() -> String {
    let keys = [
        "W".repeat(1_024),
        format!("{}/x", "long-prefix-without-a-break".repeat(20)),
        "<script>document.title='run'</script>".to_owned(),
        "</table></main><h1 style=\"width:4000px\">".to_owned(),
        "a\u{202e}gpj.exe".to_owned(),
        "tab\tand\u{85}escape".to_owned(),
        "海".repeat(300),
        "a/b/c/d/e/f/g".to_owned(),
    ];
    let entries = keys.into_iter().zip(0..).flat_map(|(key, at)| {
        let versions = (0..=(at % 3)).map(move |version| Entry {
            key: key.clone(),
            second: at + version,
            size: Some(u64::MAX >> (version * 20 + 6)),
        });
        versions.collect::<Vec<_>>()
    });
    listing(entries.collect())
}
