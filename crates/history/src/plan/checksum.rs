//! Whether a run is as it was written: its footer holds a CRC-32 of each row group, its manifest one of the footer. A disk
//! or a copy that changes a bit would else make another event of a row, which may look as right as the one before.

use std::fmt::Write as _;

use parquet::file::metadata::{FooterTail, KeyValue, ParquetMetaData};

/// What the footer calls them: eight hexadecimal digits for each row group, in their order.
const NAME: &str = "s3-sqs-bridge.row_group_crc32";

/// What is said of something that is not.
pub(super) const WRONG: &str = "is not as it was written, by its CRC-32: a disk or a copy has changed it. Plan anew, and look at the disk";

/// Digits of one.
const DIGITS: usize = 8;

/// The CRC-32 of bytes, as gzip and PNG have it.
pub(super) fn of(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

/// That of a Parquet file's footer; none where there is no footer.
pub(super) fn of_footer(file: &[u8]) -> Option<u32> {
    let (before, tail) = file.split_last_chunk()?;
    let length = FooterTail::try_new(tail).ok()?.metadata_length();
    before.get(before.len().checked_sub(length)?..).map(of)
}

/// Those of a run that is being made.
#[derive(Default)]
pub(super) struct Checksums(String);

impl Checksums {
    /// Takes down that of the next row group, all of whose bytes these are.
    pub(super) fn add(&mut self, group: &[u8]) {
        // To a String it is always written.
        let _ = write!(self.0, "{:0DIGITS$x}", of(group));
    }

    /// What the footer is to hold.
    pub(super) fn told(self) -> KeyValue {
        KeyValue::new(NAME.to_owned(), self.0)
    }
}

/// Those that a footer holds, one for each row group; `None` of a run that was made elsewhere, or by a version before.
///
/// # Errors
/// What is wrong, for a person.
pub(super) fn read(metadata: &ParquetMetaData) -> Result<Option<Vec<u32>>, String> {
    let named = metadata.file_metadata().key_value_metadata();
    let told = named
        .into_iter()
        .flatten()
        .find(|named| named.key == NAME)
        .and_then(|named| named.value.as_deref());
    let Some(told) = told else {
        return Ok(None);
    };
    let groups = told.as_bytes().chunks(DIGITS).map(|digits| {
        let digits = std::str::from_utf8(digits).ok()?;
        u32::from_str_radix(digits, 16).ok()
    });
    let groups: Option<Vec<u32>> = groups.collect();
    groups
        .filter(|groups| groups.len() == metadata.num_row_groups())
        .map(Some)
        .ok_or_else(|| format!("{NAME} is not a checksum of each row group"))
}
