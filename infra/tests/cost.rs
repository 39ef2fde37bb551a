//! The README's cost table is the model's.

use infra::cost::{Usage, table};
use infra::prices::{PRICES, Prices};

#[test]
fn the_readme_shows_what_the_model_says() {
    let expected = table(&Prices::read(PRICES).unwrap(), &Usage::default());
    let readme = include_str!("../../README.md");
    assert!(
        readme.contains(&expected),
        "put the output of `cargo run -p infra -- cost` under \"Cost\" in README.md:\n{expected}"
    );
}
