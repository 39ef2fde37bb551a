//! The page of `--report` in a real browser: nothing is cut off, overlaps or is too faint, at 400 and
//! 1,400 pixels and between, light and dark. Its pictures are left in `.local/pictures`.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use e2e::history::replayed::program;
use serde_json::Value;

const HARNESS: &str = include_str!("pictures/harness.html");

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
fn usual() -> String {
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

/// Keys as an enemy, or a long path, has them.
fn odd() -> String {
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

/// A server that answers every request with this document; it ends with the test.
fn serve(document: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.unwrap());
            let mut line = String::new();
            while reader.read_line(&mut line).unwrap_or(0) > 2 {
                line.clear();
            }
            let answer = format!(
                "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/xml\r\n\
                 content-length: {}\r\n\r\n{document}",
                document.len()
            );
            let _ = reader.into_inner().write_all(answer.as_bytes());
        }
    });
    url
}

/// The report of a dry run of a bucket with this listing.
fn report(folder: &Path, name: &str, document: String) -> PathBuf {
    let path = folder.join(name);
    let output = Command::new(program().unwrap())
        .args([
            "reseed",
            "--bucket",
            "ledger",
            "--dry-run",
            "--max-rate",
            "500",
            "--report",
        ])
        .arg(&path)
        .arg("--state")
        .arg(folder.join(format!("{name}.state")))
        .env("AWS_ENDPOINT_URL", serve(document))
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_REGION", "eu-west-1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    path
}

/// The browser, with a profile of its own; what it says of the machine is not of interest.
fn browser(folder: &Path) -> Command {
    let browser =
        std::env::var_os("BROWSER").expect("BROWSER: `cargo xtask test` finds or installs one");
    let mut command = Command::new("timeout");
    command.arg("60").arg(browser);
    command.args([
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
    ]);
    command.arg("--hide-scrollbars");
    command.arg(format!(
        "--user-data-dir={}",
        folder.join("profile").display()
    ));
    command.stderr(Stdio::null());
    command
}

/// What the harness measured of these pages.
fn measure(folder: &Path, pages: &[&str]) -> Vec<Value> {
    std::fs::write(folder.join("harness.html"), HARNESS).unwrap();
    let pages: Vec<_> = pages.iter().map(|page| format!("page={page}")).collect();
    let url = format!(
        "file://{}/harness.html?{}",
        folder.display(),
        pages.join("&")
    );
    let mut command = browser(folder);
    // Files may look into files, which a harness must.
    command.args([
        "--allow-file-access-from-files",
        "--virtual-time-budget=20000",
        "--dump-dom",
    ]);
    let output = command.arg(url).output().unwrap();
    let document = String::from_utf8_lossy(&output.stdout);
    let title = document
        .split_once("<title>")
        .and_then(|(_, rest)| rest.split_once("</title>"));
    let (title, _) = title.unwrap_or_else(|| panic!("the harness did not end: {document}"));
    let title = title
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&");
    serde_json::from_str(&title).unwrap()
}

/// A picture of a page.
fn shoot(folder: &Path, page: &Path, of: &Value) {
    let pictures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.local/pictures");
    std::fs::create_dir_all(&pictures).unwrap();
    let (width, scheme) = (&of["width"], of["scheme"].as_str().unwrap());
    let picture = pictures.join(format!("report-{width}-{scheme}.png"));
    let mut command = browser(folder);
    command.arg(format!(
        "--window-size={width},{}",
        of["height"].as_u64().unwrap().min(4_000)
    ));
    let preferred = u8::from(scheme == "light");
    command.arg(format!("--blink-settings=preferredColorScheme={preferred}"));
    command.arg(format!("--screenshot={}", picture.display()));
    let status = command
        .arg(format!("file://{}", page.display()))
        .stdout(Stdio::null())
        .status();
    assert!(status.unwrap().success());
    let png = std::fs::read(&picture).unwrap();
    assert!(
        png.starts_with(b"\x89PNG") && png.len() > 20_000,
        "{}",
        picture.display()
    );
}

#[test]
fn the_report_is_whole_and_readable_in_a_browser() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let usual = report(folder, "usual.html", usual());
    report(folder, "odd.html", odd());
    let measured = measure(folder, &["usual.html", "odd.html"]);
    assert_eq!(measured.len(), 12, "{measured:?}");
    for page in &measured {
        let none: &[Value] = &[];
        assert_eq!(page["wrong"].as_array().unwrap(), none, "{page}");
        assert_eq!(page["scroll"], page["inner"], "{page}");
        assert_eq!(page["inner"], page["width"], "{page}");
        assert_eq!(page["dark"], page["scheme"] == "dark", "{page}");
        // Each chart in the one drawing that fits: time and sizes.
        assert_eq!(page["charts"], 2, "{page}");
        assert!(page["texts"].as_u64().unwrap() > 80, "{page}");
        // WCAG 2.2, 1.4.3.
        assert!(page["faintest"].as_f64().unwrap() >= 4.5, "{page}");
        assert_eq!(page["fetched"], 0, "{page}");
    }
    for of in measured
        .iter()
        .filter(|page| page["page"] == "usual.html" && page["width"] != 700)
    {
        shoot(folder, &usual, of);
    }
}
