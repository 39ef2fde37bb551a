//! Which keys and versions a synthetic bucket has. Everything follows from numbers: version
//! `entry` of the listing has key `key(k)`, and keys ascend with `k`.

use bridge_core::timestamp::Timestamp;

use super::every_kind::EveryKind;
use super::kinds::What;
use super::numbers::{BEGIN, Entry, LENGTH, mix, spread};

/// How keys are spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Sixteen random hexadecimal digits.
    Hashed,
    /// Deep prefixes by date.
    Dated,
    /// 90 % of the versions under one of 400 prefixes.
    HotPrefix,
    /// One key has half of all versions, a million at most.
    OneKey,
    /// Keys of characters beyond ASCII.
    NonAscii,
    /// All that is hard: ties, delete markers, hot keys, odd keys, `null` versions, uploads in parts.
    EveryKind,
}

impl Shape {
    /// All shapes by name.
    pub const ALL: [(&'static str, Self); 6] = [
        ("hashed", Self::Hashed),
        ("dated", Self::Dated),
        ("hot-prefix", Self::HotPrefix),
        ("one-key", Self::OneKey),
        ("non-ascii", Self::NonAscii),
        ("every-kind", Self::EveryKind),
    ];

    /// A shape by its name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(n, _)| *n == name).map(|(_, s)| *s)
    }
}

/// The largest number of versions of the one key of [`Shape::OneKey`].
const MOST_OF_ONE_KEY: u64 = 1_000_000;

/// A bucket.
#[derive(Debug, Clone, Copy)]
pub struct Synthetic {
    /// How its keys are spread.
    pub shape: Shape,
    /// Versions and delete markers.
    pub versions: u64,
    /// Versions a key, but for the one key of [`Shape::OneKey`]; of no use to [`Shape::EveryKind`].
    pub per_key: u64,
}

impl Synthetic {
    /// The numbers of [`Shape::EveryKind`].
    fn every_kind(&self) -> Option<EveryKind> {
        (self.shape == Shape::EveryKind).then(|| EveryKind::new(self.versions))
    }

    /// The one key's number, and how many versions it has.
    fn one_key(&self) -> Option<(u64, u64)> {
        let many = (self.versions / 2).min(MOST_OF_ONE_KEY);
        (self.shape == Shape::OneKey && many > 1)
            .then(|| ((self.versions - many) / self.per_key / 2, many))
    }

    /// How many keys there are.
    #[must_use]
    pub fn keys(&self) -> u64 {
        if let Some(every_kind) = self.every_kind() {
            return every_kind.keys();
        }
        match self.one_key() {
            None => self.versions.div_ceil(self.per_key),
            Some((_, many)) => (self.versions - many).div_ceil(self.per_key) + 1,
        }
    }

    /// Version `entry` of the listing.
    #[must_use]
    pub fn entry(&self, entry: u64) -> Entry {
        if let Some(every_kind) = self.every_kind() {
            return every_kind.entry(entry);
        }
        let plain = |entry: u64, total: u64, shift: u64| {
            let key = entry / self.per_key;
            let newer = entry % self.per_key;
            let of_key = self.per_key.min(total - key * self.per_key);
            Entry {
                key: key + shift,
                newer,
                older: of_key - newer - 1,
            }
        };
        let Some((one, many)) = self.one_key() else {
            return plain(entry, self.versions, 0);
        };
        let (before, others) = (one * self.per_key, self.versions - many);
        if entry < before {
            plain(entry, others, 0)
        } else if entry < before + many {
            Entry {
                key: one,
                newer: entry - before,
                older: many - (entry - before) - 1,
            }
        } else {
            plain(entry - many, others, 1)
        }
    }

    /// The number of a key's newest version in the listing.
    #[must_use]
    pub fn first_entry(&self, key: u64) -> u64 {
        if let Some(every_kind) = self.every_kind() {
            return every_kind.first_entry(key);
        }
        match self.one_key() {
            Some((one, many)) if key > one => ((key - 1) * self.per_key + many).min(self.versions),
            _ => (key * self.per_key).min(self.versions),
        }
    }

    /// A key by its number. Ascending.
    #[must_use]
    pub fn key(&self, key: u64) -> String {
        if let Some(every_kind) = self.every_kind() {
            return every_kind.key(key);
        }
        let keys = self.keys();
        match self.shape {
            Shape::Hashed | Shape::OneKey | Shape::EveryKind => {
                format!("{:016x}/state.json", spread(key, keys))
            }
            Shape::Dated => {
                let time = begin_of(key, keys);
                let text = time.to_string(); // 2024-05-01T12:00:00.000Z
                format!(
                    "logs/app/{}/{}/{}/{}{}{}-{key:09}.json.gz",
                    &text[0..4],
                    &text[5..7],
                    &text[8..10],
                    &text[11..13],
                    &text[14..16],
                    &text[17..19]
                )
            }
            Shape::HotPrefix => {
                // Tenants 000 to 006, then 007 with 90 %, then the rest.
                let others = (keys / 10).max(1);
                let early = others * 7 / 400;
                let hot = keys - others;
                let (tenant, place, of) = if key < early {
                    place_in(key, early, 7, 0)
                } else if key < early + hot {
                    (7, key - early, hot)
                } else {
                    place_in(key - early - hot, others - early, 392, 8)
                };
                format!("tenant-{tenant:03}/orders/{:016x}", spread(place, of))
            }
            Shape::NonAscii => {
                const DIGITS: [char; 16] = [
                    'ä', 'é', 'ö', 'ü', 'Ω', 'д', 'ж', 'я', 'ก', '中', '日', '本', '語', '가',
                    '힣', '😀',
                ];
                let number = spread(key, keys);
                let name: String = number
                    .to_be_bytes()
                    .into_iter()
                    .flat_map(|byte| [byte >> 4, byte & 15])
                    .map(|digit| DIGITS[usize::from(digit)])
                    .collect();
                format!("файлы/{name} & +.txt")
            }
        }
    }

    /// The number of the first key that is not before `text`.
    #[must_use]
    pub fn first_key_from(&self, text: &str) -> u64 {
        let (mut low, mut high) = (0, self.keys());
        while low < high {
            let middle = low.midpoint(high);
            if self.key(middle).as_str() < text {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// `LastModified`, whole seconds, ascending with the versions of a key.
    #[must_use]
    pub fn last_modified(&self, entry: Entry) -> Timestamp {
        if let Some(every_kind) = self.every_kind() {
            return Timestamp(every_kind.last_modified(entry));
        }
        let begin = match self.shape {
            Shape::Dated => begin_of(entry.key, self.keys()),
            _ => Timestamp(BEGIN + (mix(entry.key) % LENGTH.cast_unsigned()).cast_signed()),
        };
        let later = i64::try_from(entry.older)
            .unwrap_or(0)
            .saturating_mul(7_000);
        Timestamp((begin.0 + later) / 1000 * 1000)
    }

    /// What it is; of ten keys, one has been deleted at last.
    #[must_use]
    pub fn what(&self, entry: Entry) -> What {
        if let Some(every_kind) = self.every_kind() {
            return every_kind.what(entry);
        }
        if entry.newer == 0 && entry.older > 0 && mix(entry.key).is_multiple_of(10) {
            What::Marker
        } else {
            What::Put
        }
    }

    /// How many newer versions the one of a key with the version id `null` has.
    #[must_use]
    pub fn newer_than_null(&self, key: u64) -> Option<u64> {
        self.every_kind()?.newer_than_null(key)
    }
}

fn place_in(index: u64, total: u64, tenants: u64, first: u64) -> (u64, u64, u64) {
    let each = total.div_ceil(tenants).max(1);
    (first + index / each, index % each, each)
}

fn begin_of(key: u64, keys: u64) -> Timestamp {
    let part = i128::from(LENGTH) * i128::from(key) / i128::from(keys.max(1));
    Timestamp(BEGIN + i64::try_from(part).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_ascend_and_are_found_again_in_every_shape() {
        for (name, shape) in Shape::ALL {
            let bucket = Synthetic {
                shape,
                versions: 10_000,
                per_key: 3,
            };
            let keys: Vec<String> = (0..bucket.keys()).map(|k| bucket.key(k)).collect();
            assert!(keys.is_sorted_by(|a, b| a < b), "{name}");
            for number in [0, 1, 17, bucket.keys() - 1] {
                let key = &keys[usize::try_from(number).unwrap()];
                assert_eq!(bucket.first_key_from(key), number, "{name}");
            }
            let mut last = None;
            for number in 0..bucket.versions {
                let entry = bucket.entry(number);
                assert_eq!(
                    bucket.first_entry(entry.key) + entry.newer,
                    number,
                    "{name}"
                );
                if let Some(Entry { key, older, .. }) = last {
                    let goes_on = entry.key == key && entry.older + 1 == older;
                    assert!(goes_on || (older == 0 && entry.key == key + 1), "{name}");
                }
                last = Some(entry);
            }
            assert_eq!(last.unwrap().older, 0, "{name}");
        }
    }
}
