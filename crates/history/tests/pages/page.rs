//! One page of a column, byte by byte.
//! Source: Apache Parquet, `parquet.thrift` and "Encodings"; Snappy, `format_description.txt`.

/// Values of a column; only numbers and texts may be null.
#[derive(Debug, Clone)]
pub(crate) enum Values {
    Numbers(Vec<Option<i64>>),
    Texts(Vec<Option<String>>),
    Booleans(Vec<bool>),
}

/// How a page is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Plain,
    /// As places in a dictionary of all of the column's values.
    Dictionary,
    /// As the dictionary's first value, all of them.
    First,
    /// One number, as a difference to none.
    Delta,
}

/// How a column is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    /// Whether the file says that it may be null.
    pub(crate) is_nullable: bool,
    /// By Snappy.
    pub(crate) is_packed: bool,
}

/// One page: what is stored before what nobody stores, and how many zeros that is.
pub(crate) struct Page {
    pub(crate) bytes: Vec<u8>,
    pub(crate) zeros: usize,
}

/// What a page of data says about itself, and what is behind its values.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) coding: Coding,
    pub(crate) is_version_2: bool,
    pub(crate) filler: usize,
}

pub(crate) const PLAIN: Kind = Kind {
    coding: Coding::Plain,
    is_version_2: false,
    filler: 0,
};

/// Of places in a dictionary.
const WIDTH_OF_PLACES: u8 = 16;

const RLE: i64 = 3;

impl Values {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Numbers(all) => all.len(),
            Self::Texts(all) => all.len(),
            Self::Booleans(all) => all.len(),
        }
    }

    fn is_there(&self, row: usize) -> bool {
        match self {
            Self::Numbers(all) => all[row].is_some(),
            Self::Texts(all) => all[row].is_some(),
            Self::Booleans(_) => true,
        }
    }

    fn plain(&self, rows: &[usize]) -> Vec<u8> {
        let there = rows.iter().filter(|row| self.is_there(**row));
        match self {
            Self::Numbers(all) => there
                .flat_map(|row| all[*row].unwrap().to_le_bytes())
                .collect(),
            Self::Texts(all) => there
                .flat_map(|row| {
                    let text = all[*row].as_ref().unwrap().as_bytes();
                    let length = u32::try_from(text.len()).unwrap().to_le_bytes();
                    [&length[..], text].concat()
                })
                .collect(),
            Self::Booleans(all) => {
                let mut bits = vec![0; rows.len().div_ceil(8)];
                for (place, row) in rows.iter().enumerate() {
                    bits[place / 8] |= u8::from(all[*row]) << (place % 8);
                }
                bits
            }
        }
    }

    fn coded(&self, rows: &[usize], coding: Coding) -> Vec<u8> {
        match (coding, self) {
            (Coding::Dictionary, _) => {
                let mut places = vec![WIDTH_OF_PLACES];
                for row in rows.iter().filter(|row| self.is_there(**row)) {
                    let place = (0..*row).filter(|row| self.is_there(*row)).count();
                    places.push(1 << 1); // once
                    places.extend(u16::try_from(place).unwrap().to_le_bytes());
                }
                places
            }
            (Coding::First, _) => {
                let count = u64::try_from(rows.len()).unwrap();
                [vec![WIDTH_OF_PLACES], number(count << 1), vec![0, 0]].concat()
            }
            (Coding::Delta, Self::Numbers(all)) => {
                // A block of 128 in four parts, of which there is nothing but the first value.
                [128, 4, 1]
                    .into_iter()
                    .flat_map(number)
                    .chain(signed(all[rows[0]].unwrap()))
                    .collect()
            }
            _ => self.plain(rows),
        }
    }

    /// The dictionary page of all values.
    pub(crate) fn dictionary(&self, style: Style, filler: usize) -> Page {
        let rows: Vec<_> = (0..self.len()).collect();
        let there = rows.iter().filter(|row| self.is_there(**row)).count();
        let inner = fields(&[there.try_into().unwrap(), 0]);
        page(2, (7, inner), &[], self.plain(&rows), filler, style)
    }

    /// A page of data of these rows.
    pub(crate) fn page(&self, rows: std::ops::Range<usize>, kind: Kind, style: Style) -> Page {
        let rows: Vec<_> = rows.collect();
        let count = i64::try_from(rows.len()).unwrap();
        let values = self.coded(&rows, kind.coding);
        let encoding = match kind.coding {
            Coding::Plain => 0,
            Coding::Dictionary | Coding::First => 8,
            Coding::Delta => 5,
        };
        let mut levels = Vec::new();
        if style.is_nullable {
            for row in &rows {
                levels.extend([1 << 1, u8::from(self.is_there(*row))]);
            }
        }
        let length = i64::try_from(levels.len()).unwrap();
        if kind.is_version_2 {
            let nulls = rows.iter().filter(|row| !self.is_there(**row)).count();
            let nulls = i64::try_from(nulls).unwrap();
            let inner = fields(&[count, nulls, count, encoding, length, 0]);
            return page(3, (8, inner), &levels, values, kind.filler, style);
        }
        let inner = fields(&[count, encoding, RLE, RLE]);
        let mut body = Vec::new();
        if style.is_nullable {
            body.extend(u32::try_from(length).unwrap().to_le_bytes());
            body.extend(levels);
        }
        body.extend(values);
        page(0, (5, inner), &[], body, kind.filler, style)
    }
}

/// A page of this kind: `levels` are never packed.
fn page(
    kind: i64,
    inner: (u8, Vec<u8>),
    levels: &[u8],
    body: Vec<u8>,
    filler: usize,
    style: Style,
) -> Page {
    let unpacked = levels.len() + body.len() + filler;
    let (body, zeros) = if style.is_packed {
        (packed(&body, filler), 0)
    } else {
        (body, filler)
    };
    let stored = levels.len() + body.len() + zeros;
    let sizes = [unpacked, stored].map(|size| i64::try_from(size).unwrap());
    let mut bytes = fields(&[kind, sizes[0], sizes[1]]);
    bytes.pop(); // its end comes behind the inner one
    bytes.push((inner.0 - 3) << 4 | 0xc);
    bytes.extend(inner.1);
    bytes.push(0);
    bytes.extend(levels);
    bytes.extend(body);
    Page { bytes, zeros }
}

/// A structure of Thrift's compact protocol, of numbers from field 1 on.
pub(crate) fn fields(numbers: &[i64]) -> Vec<u8> {
    let field = |value: &i64| [vec![1 << 4 | 5], signed(*value)].concat();
    let mut bytes: Vec<u8> = numbers.iter().flat_map(field).collect();
    bytes.push(0);
    bytes
}

fn signed(value: i64) -> Vec<u8> {
    number(((value << 1) ^ (value >> 63)).cast_unsigned())
}

/// Seven bits a byte, the lowest first.
fn number(mut left: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while left >= 0x80 {
        bytes.push(left.to_le_bytes()[0] | 0x80);
        left >>= 7;
    }
    bytes.push(left.to_le_bytes()[0]);
    bytes
}

/// By Snappy: literally, and so many zeros behind that, as one and copies of it.
fn packed(body: &[u8], zeros: usize) -> Vec<u8> {
    let all = u64::try_from(body.len() + zeros).unwrap();
    let mut bytes = number(all);
    let one = [0];
    for part in body.chunks(1 << 16).chain((zeros > 0).then_some(&one[..])) {
        bytes.push(61 << 2);
        bytes.extend(u16::try_from(part.len() - 1).unwrap().to_le_bytes());
        bytes.extend(part);
    }
    let mut left = zeros.saturating_sub(1);
    while left > 0 {
        let copied = left.min(64);
        bytes.push(u8::try_from(copied - 1).unwrap() << 2 | 2);
        bytes.extend([1, 0]);
        left -= copied;
    }
    bytes
}
