//! The pages of `--report` in a real browser: nothing is cut off, overlaps or is too faint, at 400 and
//! 1,400 pixels and between, light and dark. Their pictures are left in `.local/pictures`.
//!
//! - `buckets`: what is pictured; `copies`: what becomes of a copy of it; `browser`: how it is looked at

mod browser;
mod buckets;
mod copies;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use browser::{measure, shoot};
use e2e::history::replayed::program;
use serde_json::Value;

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

/// The program with these arguments, which ends with this exit code.
fn run(folder: &Path, endpoint: &str, code: i32, arguments: &[&str]) {
    let mut command = Command::new(program().unwrap());
    command
        .args(arguments)
        .current_dir(folder)
        .env("AWS_ENDPOINT_URL", endpoint)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_REGION", "eu-west-1");
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
}

/// The report of a dry run of a bucket with this listing.
fn planned(folder: &Path, name: &str, document: String) -> PathBuf {
    let line = "reseed --bucket ledger --dry-run --max-rate 500 --report";
    let mut arguments: Vec<_> = line.split(' ').collect();
    let state = format!("{name}.state");
    arguments.extend([name, "--state", &state]);
    run(folder, &serve(document), 0, &arguments);
    folder.join(name)
}

/// The report of a bucket with this listing and of a copy of it, to which something is done.
fn verified(
    folder: &Path,
    name: &str,
    document: String,
    harm: impl FnOnce(Vec<String>) -> Vec<String>,
    more: &[&str],
) -> PathBuf {
    let endpoint = serve(document);
    let [copy, state] = ["copy", "state"].map(|part| format!("{name}.{part}"));
    let reseed = [
        "reseed", "--bucket", "ledger", "--out", &copy, "--state", &state,
    ];
    run(folder, &endpoint, 0, &reseed);
    let lines = std::fs::read_to_string(folder.join(&copy)).unwrap();
    let lines = harm(lines.lines().map(str::to_owned).collect());
    std::fs::write(folder.join(&copy), lines.join("\n")).unwrap();
    let verify = [
        "verify", "--bucket", "ledger", "--events", &copy, "--report", name,
    ];
    run(folder, &endpoint, 1, &[&verify, more].concat());
    folder.join(name)
}

/// Whether these pages are as they must be, each with so many charts, and the pictures of the first.
fn look(folder: &Path, pages: &[(&PathBuf, u64)], name: &str) {
    let names = pages.iter().map(|(page, _)| page.file_name().unwrap());
    let names: Vec<_> = names.map(|name| name.to_str().unwrap()).collect();
    let measured = measure(folder, &names);
    assert_eq!(measured.len(), 6 * pages.len(), "{measured:?}");
    for page in &measured {
        let none: &[Value] = &[];
        assert_eq!(page["wrong"].as_array().unwrap(), none, "{page}");
        assert_eq!(page["scroll"], page["inner"], "{page}");
        assert_eq!(page["inner"], page["width"], "{page}");
        assert_eq!(page["dark"], page["scheme"] == "dark", "{page}");
        // Each chart in the one drawing that fits.
        let at = names
            .iter()
            .position(|name| page["page"] == **name)
            .unwrap();
        assert_eq!(page["charts"], pages[at].1, "{page}");
        assert!(page["texts"].as_u64().unwrap() > 80, "{page}");
        // WCAG 2.2, 1.4.3.
        assert!(page["faintest"].as_f64().unwrap() >= 4.5, "{page}");
        assert_eq!(page["fetched"], 0, "{page}");
    }
    let of_first = measured.iter().filter(|page| page["page"] == *names[0]);
    for of in of_first.filter(|page| page["width"] != 700) {
        shoot(folder, pages[0].0, name, of);
    }
}

#[test]
fn the_report_is_whole_and_readable_in_a_browser() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let usual = planned(folder, "usual.html", buckets::usual());
    let odd = planned(folder, "odd.html", buckets::odd());
    // Time and sizes.
    look(folder, &[(&usual, 2), (&odd, 2)], "report");
}

#[test]
fn the_page_of_a_comparison_is_whole_and_readable_in_a_browser() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let outage = verified(folder, "outage.html", buckets::busy(), copies::outage, &[]);
    let odd = verified(
        folder,
        "odd.html",
        buckets::odd(),
        copies::enemy,
        &["--exactly-once"],
    );
    // What is wrong, and what is allowed; all that can be wrong.
    look(folder, &[(&outage, 2), (&odd, 1)], "verify");
}
