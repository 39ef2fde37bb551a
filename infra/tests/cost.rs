//! The README's cost table is the model's.

use infra::cost::{PRICES, Prices, Usage, table};

#[test]
fn the_readme_shows_what_the_model_says() {
    let usage = Usage {
        versions: 50e6,
        events: 10e6,
        records_per_message: 1.0,
        live: 1e6,
        fifo: true,
        arm64: false,
        memory: 1024.0,
    };
    let expected = table(&Prices::read(PRICES).unwrap(), &usage);
    let readme = include_str!("../../README.md");
    assert!(
        readme.contains(&expected),
        "put the output of `cargo run -p infra -- cost` under \"Cost\" in README.md:\n{expected}"
    );
}
