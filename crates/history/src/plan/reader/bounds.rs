//! What a run may make its reader hold, checked before it is held.
//!
//! A run may come from elsewhere, and few bytes of Parquet can stand for gigabytes: a page names the size
//! that it will be unpacked to, a dictionary the number of its values. All bounds are far above what this
//! program and the usual writers make (pages and dictionaries of 1 MiB, row groups of a million rows).
//! docs/ARCHITECTURE.md ("Plan") lists them, and what they do not bound.

use parquet::basic::Type as PhysicalType;
use parquet::data_type::ByteArray;
use parquet::file::metadata::RowGroupMetaData;

use crate::plan::reader::compact::{Compact, Kind, Next};

/// Bytes of a footer. Read, it takes some twenty times as much.
pub(super) const MOST_FOOTER: u64 = 16 * 1024 * 1024;

/// Row groups of a run.
const MOST_GROUPS: u64 = 65_536;

/// Rows of a row group.
const MOST_ROWS: i64 = 64 * 1024 * 1024;

/// Bytes of a row group as it is stored. Places in it have 32 bits.
const MOST_GROUP: u64 = 2 * 1024 * 1024 * 1024;

/// Bytes of a page's header, which may hold two values of its column.
const MOST_HEADER: usize = 64 * 1024;

/// Bytes of a page, unpacked. Each of the nine columns holds one ([`Unpacked`]), and a dictionary.
const MOST_PAGE: i64 = 8 * 1024 * 1024;

/// Bytes, as they are stored, of a column's pages without rows before one that has some: a dictionary.
const MOST_WITHOUT_ROWS: u64 = MOST_PAGE.cast_unsigned() + 2 * MOST_HEADER as u64;

/// Values of a dictionary.
const MOST_DICTIONARY: i64 = 1024 * 1024;

/// What a writer can do.
const SMALLER: &str = "write smaller ones (DuckDB: ROW_GROUP_SIZE 4096, pyarrow: row_group_size=4096, Spark: \
    parquet.block.size)";

/// Pages are laid out so that their number of values is in their header only by these encodings
/// (`parquet.thrift`, `Encoding`): plain, dictionaries, runs (of booleans) and differences of numbers.
/// The others allocate by what is written within a page.
const ENCODINGS: [(i64, &str); 5] = [
    (0, "PLAIN"),
    (2, "PLAIN_DICTIONARY"),
    (3, "RLE"),
    (5, "DELTA_BINARY_PACKED"),
    (8, "RLE_DICTIONARY"),
];

/// Checks a footer before it is parsed: the library reserves memory for as many row groups as it declares.
///
/// # Errors
/// What is wrong, for a person.
pub(super) fn check_footer(footer: &[u8]) -> Result<(), String> {
    let groups = row_groups(footer).ok_or("its footer cannot be read")?;
    at_most(|| "it has".to_owned(), groups, MOST_GROUPS, "row groups")
}

/// How many row groups a footer declares: the elements of field 4 of `FileMetaData`.
fn row_groups(footer: &[u8]) -> Option<u64> {
    let mut compact = Compact::new(footer);
    let (mut last, mut groups) = (0, 0);
    while let Next::Field(id, kind) = compact.field(last)? {
        match (id, kind) {
            (4, Kind::List) => {
                let (kind, length) = compact.list()?;
                if length > MOST_GROUPS {
                    return Some(length);
                }
                for _ in 0..length {
                    compact.skip(kind)?;
                }
                groups = length.max(groups);
            }
            (2 | 5 | 7, Kind::List) | (1 | 3, Kind::Number) | (6, Kind::Binary) | (8.., _) => {
                compact.skip(kind)?;
            }
            _ => return None,
        }
        last = id;
    }
    Some(groups)
}

/// Checks a row group before its bytes are asked for.
///
/// # Errors
/// What is wrong, for a person.
pub(super) fn check_group(group: &RowGroupMetaData, stored: u64) -> Result<(), String> {
    let subject = || "a row group has".to_owned();
    at_most(subject, stored, MOST_GROUP, "bytes")
        .and_then(|()| at_most(subject, group.num_rows(), MOST_ROWS, "rows"))
        .map_err(|reason| format!("{reason}: {SMALLER}"))
}

/// A column of a row group, as far as its pages must fit it.
#[derive(Clone, Copy)]
pub(super) struct Of {
    pub(super) name: &'static str,
    pub(super) kind: PhysicalType,
    /// Of the row group.
    pub(super) rows: i64,
}

/// A page whose header is within bounds.
pub(super) struct Page {
    /// Bytes, with its header.
    pub(super) length: usize,
    /// Rows of a page of data.
    pub(super) rows: usize,
    /// Bytes unpacked; of a dictionary, with its values.
    unpacked: usize,
    /// Which of [`ENCODINGS`]; `None` of a dictionary.
    encoding: Option<usize>,
}

impl Of {
    /// The page at the front of `bytes`, checked before it is unpacked; `None` when it is not whole there.
    ///
    /// # Errors
    /// What is wrong, for a person.
    pub(super) fn next_page(&self, bytes: &[u8]) -> Result<Option<Page>, String> {
        let Some((header, length)) = Header::read(bytes) else {
            if bytes.len() < MOST_HEADER {
                return Ok(None);
            }
            return Err(format!("a page header of {} cannot be read", self.name));
        };
        let encoding = header.check(self)?;
        let number = |number: i64| usize::try_from(number).unwrap_or(usize::MAX);
        let length = length.saturating_add(number(header.stored));
        let value = match self.kind {
            PhysicalType::BYTE_ARRAY => size_of::<ByteArray>(),
            _ => size_of::<i64>(),
        };
        // Where nothing is packed, what is stored is what is held.
        let page = number(header.unpacked.max(header.stored));
        Ok((length <= bytes.len()).then_some(Page {
            length,
            rows: number(header.values),
            unpacked: page.saturating_add(number(header.dictionary).saturating_mul(value)),
            encoding,
        }))
    }

    /// Checks the headers of all pages before one of them is unpacked. `chunk` is the column's bytes. Returns how many
    /// bytes its reader holds at most.
    ///
    /// # Errors
    /// What is wrong, for a person.
    pub(super) fn check_pages(&self, chunk: &[u8]) -> Result<usize, String> {
        let mut unpacked = Unpacked::default();
        let mut rest = chunk;
        while !rest.is_empty() {
            let page = self.next_page(rest)?.ok_or_else(|| self.not_whole())?;
            unpacked.add(&page);
            rest = &rest[page.length..];
        }
        Ok(unpacked.bytes())
    }

    /// Checks how many bytes, as they are stored, come before a page that has rows.
    ///
    /// # Errors
    /// What is wrong, for a person.
    pub(super) fn check_without_rows(&self, bytes: u64) -> Result<(), String> {
        let subject = || format!("the pages of {} before one that has rows have", self.name);
        at_most(subject, bytes, MOST_WITHOUT_ROWS, "bytes")
    }

    /// The chunk ends amid a page.
    pub(super) fn not_whole(&self) -> String {
        format!(
            "a page of {} is longer than its column, or its header cannot be read",
            self.name
        )
    }
}

/// What a column's pages take unpacked: its reader holds on to the last page of each encoding, and to the dictionary.
#[derive(Debug, Default)]
pub(super) struct Unpacked {
    pages: [usize; ENCODINGS.len()],
    dictionary: usize,
}

impl Unpacked {
    /// Counts a page in.
    pub(super) fn add(&mut self, page: &Page) {
        match page.encoding {
            Some(encoding) => {
                self.pages[encoding] = self.pages[encoding].max(page.unpacked);
            }
            // There is one; a column with several is not read behind the first.
            None => self.dictionary = self.dictionary.saturating_add(page.unpacked),
        }
    }

    /// Bytes, at most.
    pub(super) fn bytes(&self) -> usize {
        self.pages
            .iter()
            .sum::<usize>()
            .saturating_add(self.dictionary)
    }
}

/// What a page says about itself.
#[derive(Debug, Default)]
struct Header {
    /// What kind of page it is.
    kind: i64,
    unpacked: i64,
    stored: i64,
    /// Of a data page.
    values: i64,
    /// Of a dictionary page.
    dictionary: i64,
    encoding: i64,
}

/// Kinds of pages (`parquet.thrift`, `PageType`).
const DATA: i64 = 0;
const INDEX: i64 = 1;
const DICTIONARY: i64 = 2;
const DATA_2: i64 = 3;

impl Header {
    /// The header at the front of `bytes`, and its length. Fields of types other than those of
    /// `parquet.thrift` are refused, since the library does not look at the types of those that it knows. So is what
    /// belongs to another kind of page, since that does not count.
    fn read(bytes: &[u8]) -> Option<(Self, usize)> {
        let mut compact = Compact::new(bytes);
        let mut header = Self::default();
        let (mut last, mut kind, mut inner) = (0, None, None);
        while let Next::Field(id, field) = compact.field(last)? {
            match (id, field) {
                (1, Kind::Number) if kind.is_none() => kind = Some(compact.number()?),
                (2, Kind::Number) => header.unpacked = compact.number()?,
                (3, Kind::Number) => header.stored = compact.number()?,
                (4, Kind::Number) | (9.., _) => compact.skip(field)?,
                (5..=8, Kind::Struct) if inner.is_none() => {
                    inner = Some(id);
                    match id {
                        5 => header.values = header.inner(&mut compact, 2, 4)?,
                        7 => header.dictionary = header.inner(&mut compact, 2, 2)?,
                        8 => header.values = header.inner(&mut compact, 4, 6)?,
                        _ => compact.skip(field)?,
                    }
                }
                _ => return None,
            }
            last = id;
        }
        header.kind = kind?;
        let is_of_its_kind = matches!(
            (header.kind, inner),
            (DATA, Some(5)) | (INDEX, None | Some(6)) | (DICTIONARY, Some(7)) | (DATA_2, Some(8))
        );
        is_of_its_kind.then_some((header, compact.position()))
    }

    /// The header of one kind of page: how many values it has. Its fields up to `numbers` are numbers, the
    /// first the number of values, and `encoding` the encoding.
    fn inner(&mut self, compact: &mut Compact<'_>, encoding: i16, numbers: i16) -> Option<i64> {
        let (mut last, mut values) = (0, 0);
        while let Next::Field(id, kind) = compact.field(last)? {
            if (1..=numbers).contains(&id) {
                let number = (kind == Kind::Number).then(|| compact.number())??;
                match id {
                    1 => values = number,
                    id if id == encoding => self.encoding = number,
                    _ => {}
                }
            } else {
                compact.skip(kind)?;
            }
            last = id;
        }
        Some(values)
    }

    /// Which of [`ENCODINGS`] it has, of a page of data.
    fn check(&self, of: &Of) -> Result<Option<usize>, String> {
        let Of { name, rows, .. } = *of;
        let page = || format!("a page of {name} has");
        at_most(page, self.unpacked, MOST_PAGE, "bytes unpacked")
            .and_then(|()| at_most(page, self.stored, MOST_PAGE, "bytes"))
            .map_err(|reason| format!("{reason}: {SMALLER}"))?;
        at_most(page, self.values, rows, "values")?;
        let most = rows.min(MOST_DICTIONARY);
        let dictionary = || format!("the dictionary of {name} has");
        at_most(dictionary, self.dictionary, most, "values")?;
        let code = self.encoding;
        match ENCODINGS.iter().position(|(known, _)| *known == code) {
            Some(_) if self.kind == DICTIONARY => Ok(None),
            Some(encoding) => Ok(Some(encoding)),
            None => Err(format!(
                "a page of {name} has encoding {code}, allowed are {}",
                ENCODINGS.map(|(_, name)| name).join(", ")
            )),
        }
    }
}

/// Also refuses what is negative.
fn at_most<T>(subject: impl Fn() -> String, found: T, most: T, what: &str) -> Result<(), String>
where
    T: Copy + PartialOrd + Default + std::fmt::Display,
{
    if (T::default()..=most).contains(&found) {
        return Ok(());
    }
    Err(format!("{} {found} {what}, allowed are {most}", subject()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A number field, `delta` behind the one before.
    fn number(delta: u8, value: i64) -> Vec<u8> {
        let mut bytes = vec![delta << 4 | 0x5];
        let mut left = ((value << 1) ^ (value >> 63)).cast_unsigned();
        while left >= 0x80 {
            bytes.push(left.to_le_bytes()[0] | 0x80);
            left >>= 7;
        }
        bytes.push(left.to_le_bytes()[0]);
        bytes
    }

    /// A page of four bytes with a header of version 1 or of a dictionary (`field` 5 or 7).
    fn page(field: u8, unpacked: i64, values: i64, encoding: i64) -> Vec<u8> {
        let kind = if field == 7 { 2 } else { 0 };
        let mut page = [number(1, kind), number(1, unpacked), number(1, 4)].concat();
        page.push((field - 3) << 4 | 0xc);
        page.extend([number(1, values), number(1, encoding)].concat());
        page.extend([0, 0]);
        page.extend([0; 4]);
        page
    }

    fn checked(chunk: &[u8]) -> Result<usize, String> {
        let of = Of {
            name: "key",
            kind: PhysicalType::BYTE_ARRAY,
            rows: 100,
        };
        of.check_pages(chunk)
    }

    #[test]
    fn ordinary_pages_pass() {
        let chunk = [
            page(7, 4, 50, 0),
            page(5, 400, 60, 8),
            page(5, 300, 40, 8),
            page(5, 30, 0, 0),
        ];
        let dictionary = 4 + 50 * size_of::<ByteArray>();
        assert_eq!(
            checked(&chunk.concat()),
            Ok(dictionary + 400 + 30),
            "the largest page of each encoding"
        );
    }

    #[test]
    fn a_page_that_claims_too_much_is_refused_by_its_header() {
        let mut wrong_type = page(5, 4, 1, 0);
        wrong_type[2] = 0x18; // a text where the unpacked size belongs
        let mut other_kind = page(5, 4, 1, 0);
        other_kind[1] = 2; // an index, which the library passes over
        let mut two_kinds = page(7, 4, 1, 0);
        two_kinds.splice(6..7, [0x2c, 0x15, 2, 0x15, 0, 0, 0x2c]); // a dictionary that has a row
        let mut endless = page(5, 4, 1, 0);
        endless[5] = 0x7f; // stored bytes
        for (chunk, part) in [
            (page(5, i64::from(i32::MAX), 1, 0), "8388608"),
            (page(5, -1, 1, 0), "-1 bytes unpacked"),
            (page(5, 1 << 33, 1, 0), "bytes unpacked"),
            (page(5, 4, 101, 0), "101 values, allowed are 100"),
            (page(7, 4, 101, 0), "dictionary of key has 101 values"),
            (page(5, 4, 1, 6), "encoding 6, allowed are PLAIN"),
            (page(5, 4, 1, 7), "encoding 7"),
            (wrong_type, "cannot be read"),
            (other_kind, "cannot be read"),
            (two_kinds, "cannot be read"),
            (endless, "bytes"),
            (page(5, 4, 1, 0)[..6].to_vec(), "cannot be read"),
            (vec![0xff; 40], "cannot be read"),
        ] {
            let error = checked(&chunk).unwrap_err();
            assert!(error.contains(part), "{part:?} is not in: {error}");
        }
    }

    #[test]
    fn a_footer_is_walked_as_deep_as_it_may_be() {
        let deep = [vec![0x9c_u8], vec![0x1c; 1000]].concat();
        assert!(check_footer(&deep).is_err());
        assert!(check_footer(&[]).is_err());
    }
}
