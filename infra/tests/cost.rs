//! The README's cost table is the model's.

use infra::cost::{ALARMS, Usage, table};
use infra::prices::{PRICES, Prices};
use infra::resources::Resource;
use infra::stack::Stack;
use infra::template::Template;

#[test]
fn the_readme_shows_what_the_model_says() {
    let expected = table(&Prices::read(PRICES).unwrap(), &Usage::default());
    let readme = include_str!("../../README.md");
    assert!(
        readme.contains(&expected),
        "put the output of `cargo run -p infra -- cost` under \"Cost\" in README.md:\n{expected}"
    );
}

#[test]
fn the_model_counts_the_alarms_of_the_template() {
    let template = Template::parse(include_str!("../../template.yaml")).unwrap();
    let topic = "arn:aws:sns:eu-west-1:123456789012:alarms";
    let stack = Stack::of(&template, &[("AlarmTopicArn", topic)]).unwrap();
    let is_alarm = |resource: &&Resource| matches!(resource, Resource::Alarm(_));
    let alarms = stack.resources.values().filter(is_alarm).count();
    assert_eq!(alarms, usize::try_from(ALARMS).unwrap());
}
