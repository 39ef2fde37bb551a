//! What of docs/COMMANDS.md needs no stack is typed again; the rest by the end-to-end tests.

mod common;

use std::path::Path;

use bridge_sim::load::shape::Shape;
use bridge_sim::transcript::{Again, Names, Page, Shell};
use common::serve;

#[test]
fn the_page_of_commands_shows_what_they_say_without_a_stack() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/COMMANDS.md");
    let page = Page::new(std::fs::read_to_string(path).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_s3-sqs-bridge"));
    let ledger = serve(Shape::HotPrefix, 5_000, |_| {});
    let variables = [
        ("AWS_ENDPOINT_URL", ledger.as_str()),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_CONFIG_FILE", "/dev/null"),
        ("AWS_REGION", "eu-west-1"),
    ];
    let mut shell = Shell::start(folder.path(), program.parent().unwrap(), &variables).unwrap();
    let mut names = Names::new(&[("/home/operator", folder.path().to_str().unwrap())]);
    let again = Again::typed(&page, &mut names, &mut shell, |heading| {
        heading.ends_with("without a stack")
    });
    let again = again.unwrap();
    assert!(again.commands >= 25, "{} commands", again.commands);
    assert_eq!(
        again.differences, "",
        "is docs/COMMANDS.md to show this now?"
    );
}
