//! How large object versions are.

/// Where classes end, bytes: each is below its own, and not below the one before.
const ENDS: [u64; 12] = [
    1,
    1 << 10,
    4 << 10,
    16 << 10,
    64 << 10,
    256 << 10,
    1 << 20,
    4 << 20,
    16 << 20,
    64 << 20,
    256 << 20,
    1 << 30,
];

/// Object versions by class of size.
#[derive(Debug, Default)]
pub(crate) struct Sizes {
    classes: [Class; ENDS.len() + 1],
}

/// One class.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Class {
    /// Object versions.
    pub versions: u64,
    /// The sum of their sizes, bytes.
    pub bytes: u64,
}

impl Sizes {
    /// Counts in an object version of so many bytes.
    pub(crate) fn add(&mut self, bytes: u64) {
        let class = &mut self.classes[ENDS.partition_point(|end| *end <= bytes)];
        class.versions += 1;
        class.bytes = class.bytes.saturating_add(bytes);
    }

    /// From the first class that is not empty to the last: its name, short and in words, and what is in it.
    pub(crate) fn classes(&self) -> Vec<(String, String, Class)> {
        let is_used = |class: &Class| class.versions > 0;
        let first = self.classes.iter().position(is_used);
        let last = self.classes.iter().rposition(is_used);
        let (Some(first), Some(last)) = (first, last) else {
            return Vec::new();
        };
        (first..=last)
            .map(|at| (short(at), in_words(at), self.classes[at]))
            .collect()
    }
}

/// Where a class begins, exactly: number and unit.
fn split(bytes: u64) -> (u64, &'static str) {
    match bytes {
        0..1024 => (bytes, "B"),
        1024..0x0010_0000 => (bytes >> 10, "KiB"),
        0x0010_0000..0x4000_0000 => (bytes >> 20, "MiB"),
        _ => (bytes >> 30, "GiB"),
    }
}

/// `16 KiB`.
fn size(bytes: u64) -> String {
    let (number, unit) = split(bytes);
    format!("{number} {unit}")
}

/// `16K`: where it begins, as short as a column is wide.
fn short(at: usize) -> String {
    let begin = at.checked_sub(1).map_or(0, |before| ENDS[before]);
    let (number, unit) = split(begin);
    format!(
        "{number}{}",
        unit.trim_end_matches("iB").trim_end_matches('B')
    )
}

fn in_words(at: usize) -> String {
    match (at, ENDS.get(at)) {
        (0, _) => "empty".to_owned(),
        (_, Some(end)) => format!("{} to below {}", size(ENDS[at - 1]), size(*end)),
        (_, None) => format!("{} and more", size(ENDS[at - 1])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_size_is_in_the_class_that_says_so() {
        let mut sizes = Sizes::default();
        for bytes in [0, 1, 1023, 1024, 4095, 1 << 30, u64::MAX] {
            sizes.add(bytes);
        }
        let classes = sizes.classes();
        let found: Vec<_> = classes
            .iter()
            .map(|(short, _, class)| (short.as_str(), class.versions))
            .collect();
        let expected = [
            ("0", 1),
            ("1", 2),
            ("1K", 2),
            ("4K", 0),
            ("16K", 0),
            ("64K", 0),
            ("256K", 0),
            ("1M", 0),
            ("4M", 0),
            ("16M", 0),
            ("64M", 0),
            ("256M", 0),
            ("1G", 2),
        ];
        assert_eq!(found, expected);
        assert_eq!(classes[2].1, "1 KiB to below 4 KiB");
        assert_eq!(classes[12].1, "1 GiB and more");
        assert!(Sizes::default().classes().is_empty());
    }
}
