//! How documents are broken: without knowing their structure, but with words and numbers of it.

/// An input never gets longer than this, bytes.
pub const MOST: usize = 256 * 1024;

/// Numbers at which programs go wrong, as text.
const NUMBERS: [&str; 12] = [
    "0",
    "-1",
    "1",
    "255",
    "65536",
    "2147483647",
    "-2147483648",
    "4294967296",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551616",
    "1e400",
];

/// The same for binary formats, little-endian and as Thrift and Protobuf write numbers.
const BYTES: [&[u8]; 8] = [
    &[0, 0, 0, 0],
    &[0xff, 0xff, 0xff, 0xff],
    &[0xff, 0xff, 0xff, 0x7f],
    &[0, 0, 0, 0x80],
    &[0xfe, 0xff, 0xff, 0xff, 0x0f],
    &[0xff, 0xff, 0xff, 0xff, 0x1f],
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
    &[0xfc, 0x80, 0x80, 0x80, 0x02],
];

/// Breaks `good` in one to four places; now and then its front is that of `other`.
#[must_use]
pub fn broken(
    random: &mut fastrand::Rng,
    good: &[u8],
    other: &[u8],
    dictionary: &[&str],
) -> Vec<u8> {
    let mut bytes = if random.u8(..) < 10 {
        let front = &other[..random.usize(0..=other.len())];
        let back = &good[random.usize(0..=good.len())..];
        [front, back].concat()
    } else {
        good.to_vec()
    };
    for _ in 0..random.usize(1..5) {
        breaks(random, &mut bytes, dictionary);
    }
    bytes.truncate(MOST);
    bytes
}

fn breaks(random: &mut fastrand::Rng, bytes: &mut Vec<u8>, dictionary: &[&str]) {
    // Binary formats keep what describes them at their end.
    let from = if random.u8(..) < 64 {
        bytes.len() - bytes.len() / 8
    } else {
        0
    };
    let at = random.usize(from..=bytes.len());
    let length = random.usize(1..20).min(bytes.len() - at);
    match random.u8(0..11) {
        0 if length > 0 => bytes[at] = random.u8(..),
        1 if length > 0 => bytes[at] ^= 1 << random.u8(0..8),
        2 => drop(bytes.drain(at..at + length)),
        3 => {
            let part = bytes[at..at + length].to_vec();
            let to = random.usize(0..=bytes.len());
            bytes.splice(to..to, part);
        }
        4 if random.u8(..) < 64 => bytes.truncate(at),
        5 if length > 0 => {
            bytes[at] = *random
                .choice(b"<>&\"{}[],:%+-0123456789\0\xff")
                .unwrap_or(&b'<');
        }
        6 => {
            let word = *random.choice(dictionary).unwrap_or(&"");
            bytes.splice(at..at, word.bytes());
        }
        7 => number(random, bytes, at),
        8 => {
            let value = *random.choice(&BYTES).unwrap_or(&BYTES[0]);
            let end = bytes.len().min(at + value.len());
            bytes.splice(at..end, value.iter().copied());
        }
        9 => {
            // Depth, or length.
            let part = bytes[at..at + length.min(4)].to_vec();
            let more = part.repeat(random.usize(1..200));
            bytes.splice(at..at, more);
        }
        _ => {
            let more: Vec<u8> = (0..length).map(|_| random.u8(..)).collect();
            bytes.splice(at..at, more);
        }
    }
}

/// Puts another number in the place of the next one.
fn number(random: &mut fastrand::Rng, bytes: &mut Vec<u8>, at: usize) {
    let Some(start) = bytes[at..].iter().position(u8::is_ascii_digit) else {
        return;
    };
    let start = at + start;
    let length = bytes[start..]
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let other = *random.choice(&NUMBERS).unwrap_or(&"0");
    bytes.splice(start..start + length, other.bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_always_means_the_same_inputs_and_they_stay_short() {
        let inputs = || -> Vec<Vec<u8>> {
            let mut random = fastrand::Rng::with_seed(3);
            (0..2_000)
                .map(|_| broken(&mut random, b"{\"a\": 17}", b"[]", &["word"]))
                .collect()
        };
        assert_eq!(inputs(), inputs());
        assert!(inputs().iter().any(|input| input != b"{\"a\": 17}"));
        assert!(inputs().iter().all(|input| input.len() <= MOST));
        let mut random = fastrand::Rng::with_seed(3);
        for _ in 0..200 {
            let _ = broken(&mut random, b"", b"", &[]);
        }
    }
}
