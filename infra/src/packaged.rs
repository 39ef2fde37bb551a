//! The template as a release has it: with programs that are built, so that `sam deploy` alone deploys it.

/// A part of the template that a release replaces, and is not there exactly once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the template has {found} places for a release's {part}, must have one: {written:?}")]
pub struct PlaceError {
    /// What is replaced.
    pub part: &'static str,
    /// The text that was looked for.
    pub written: String,
    /// How often it was found.
    pub found: usize,
}

/// The template for `architecture` (`x86_64` or `arm64`), whose programs lie beside it as
/// `realtime-ARCHITECTURE.zip` and `reseed-ARCHITECTURE.zip`, as in a release.
///
/// # Errors
/// [`PlaceError`] when the template is not written as this function knows it.
pub fn packaged(template: &str, architecture: &str) -> Result<String, PlaceError> {
    let choice = "    Default: x86_64\n    AllowedValues: [x86_64, arm64]\n";
    let one = format!("    Default: {architecture}\n    AllowedValues: [{architecture}]\n");
    let mut text = replaced(template, "architecture", choice, &one)?;
    for function in ["realtime", "reseed"] {
        let source = format!("      CodeUri: crates/{function}\n");
        let program = format!("      CodeUri: {function}-{architecture}.zip\n");
        text = replaced(&text, "program", &source, &program)?;
        let build = format!(
            "      BuildMethod: rust-cargolambda\n      BuildProperties:\n        Binary: {function}\n"
        );
        text = replaced(&text, "build", &build, "")?;
    }
    Ok(text)
}

fn replaced(
    text: &str,
    part: &'static str,
    written: &str,
    instead: &str,
) -> Result<String, PlaceError> {
    let found = text.matches(written).count();
    if found != 1 {
        let written = written.to_owned();
        return Err(PlaceError {
            part,
            written,
            found,
        });
    }
    Ok(text.replace(written, instead))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::check;
    use crate::stack::Stack;
    use crate::template::Template;

    const TEMPLATE: &str = include_str!("../../template.yaml");

    #[test]
    fn a_release_has_programs_of_one_architecture_and_builds_nothing() {
        for architecture in ["x86_64", "arm64"] {
            let text = packaged(TEMPLATE, architecture).unwrap();
            for function in ["realtime", "reseed"] {
                assert!(text.contains(&format!("CodeUri: {function}-{architecture}.zip\n")));
            }
            assert!(!text.contains("crates/") && !text.contains("BuildMethod"));
            let stack = Stack::of(&Template::parse(&text).unwrap(), &[]).unwrap();
            assert_eq!(check(&stack), Vec::<String>::new());
            for (_, function) in stack.functions() {
                assert_eq!(function.architectures, [architecture]);
            }
        }
    }

    #[test]
    fn a_template_that_is_written_otherwise_is_no_release() {
        let other = TEMPLATE.replace("CodeUri: crates/reseed", "CodeUri: .");
        let error = packaged(&other, "arm64").unwrap_err();
        assert_eq!((error.part, error.found), ("program", 0));
    }
}
