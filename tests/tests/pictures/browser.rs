//! Pages in a browser without a window.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

const HARNESS: &str = include_str!("harness.html");

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
pub(crate) fn measure(folder: &Path, pages: &[&str]) -> Vec<Value> {
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

/// A picture of a page, by this name.
pub(crate) fn shoot(folder: &Path, page: &Path, name: &str, of: &Value) {
    let pictures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.local/pictures");
    std::fs::create_dir_all(&pictures).unwrap();
    let (width, scheme) = (&of["width"], of["scheme"].as_str().unwrap());
    let picture = pictures.join(format!("{name}-{width}-{scheme}.png"));
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
