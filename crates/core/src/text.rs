//! Text from outside, made fit for logs, job states and terminals.
//!
//! A server's message, a key or a field's name may be as long as its writer likes, and may hold what
//! a terminal obeys. So whatever is repeated in an error is bounded and escaped where it comes in.

use std::fmt::Write as _;

/// Bytes of a text from outside that an error repeats.
pub const MOST_SHOWN: usize = 1_000;

/// `text` on one line, without anything that a terminal obeys or that hides what stands there
/// (controls, C1 included, line separators, marks that turn the direction of writing): such
/// characters are shown as `\u{1b}`. Longer than `most` bytes, its beginning and how long it was.
#[must_use]
pub fn shown(text: &str, most: usize) -> String {
    let mut shown = String::with_capacity(text.len().min(most) + 32);
    for (at, character) in text.char_indices() {
        let before = shown.len();
        if is_plain(character) {
            shown.push(character);
        } else {
            shown.extend(character.escape_default());
        }
        if shown.len() > most {
            shown.truncate(before);
            let left = text.len() - at;
            // Writing to a text cannot fail.
            let _ = write!(shown, "… ({left} bytes more)");
            break;
        }
    }
    shown
}

/// A foreign text as logs have it: escaped, and cut at [`MOST_SHOWN`] bytes.
#[must_use]
pub fn brief(text: &str) -> String {
    shown(text, MOST_SHOWN)
}

/// As [`brief`], between quotation marks, its own escaped.
#[must_use]
pub fn quoted(text: &str) -> String {
    // Most texts are short: only the beginning of a long one is quoted.
    let most = text.floor_char_boundary(MOST_SHOWN + 1);
    let mut quoted = shown(&format!("{:?}", &text[..most]), MOST_SHOWN);
    if most < text.len() {
        let _ = write!(quoted, "… ({} bytes in all)", text.len());
    }
    quoted
}

fn is_plain(character: char) -> bool {
    !character.is_control()
        && !matches!(
            character,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'
        )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::any::any_text;
    use super::*;

    #[test]
    fn nothing_is_left_that_a_terminal_obeys() {
        for (text, expected) in [
            ("plain, élan, 海, \"x\"", "plain, élan, 海, \"x\""),
            ("a\u{1b}[2Jb", "a\\u{1b}[2Jb"),
            ("one\ntwo\r", "one\\ntwo\\r"),
            ("\u{9b}31m\u{7f}", "\\u{9b}31m\\u{7f}"),
            ("\u{202e}gpj.exe", "\\u{202e}gpj.exe"),
        ] {
            assert_eq!(shown(text, MOST_SHOWN), expected);
        }
    }

    #[test]
    fn what_is_long_is_cut_between_characters_and_says_how_long_it_was() {
        let long = "海".repeat(100_000);
        let cut = shown(&long, 100);
        assert!(cut.len() < 140, "{cut}");
        assert!(cut.ends_with("… (299901 bytes more)"), "{cut}");
        assert_eq!(shown("abc", 3), "abc");
        assert!(shown(&"\u{1b}".repeat(100), 100).len() < 140);
    }

    proptest! {
        /// Whatever comes in: bounded, and nothing that a terminal obeys.
        #[test]
        fn any_text_is_shown_in_bounds_and_on_one_line(
            text in any_text(), most in 1usize..2_000
        ) {
            for (short, bound) in [(shown(&text, most), most), (quoted(&text), MOST_SHOWN)] {
                prop_assert!(short.len() <= bound + 60, "{} bytes of {bound}", short.len());
                prop_assert!(short.chars().all(is_plain), "{short:?}");
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod any {
    //! Texts as an enemy writes them.

    use proptest::prelude::*;

    /// Short or 200 KB, of characters that somebody obeys among others.
    pub(crate) fn any_text() -> impl Strategy<Value = String> {
        let of = prop_oneof![
            Just('\u{1b}'),
            Just('\n'),
            Just('"'),
            Just('\\'),
            Just('\u{9b}'),
            Just('\u{202e}'),
            any::<char>(),
        ];
        let some = prop::collection::vec(of, 0..50).prop_map(String::from_iter);
        (some, prop_oneof![Just(1usize), 1usize..5_000])
            .prop_map(|(some, times)| some.repeat(times))
    }
}
