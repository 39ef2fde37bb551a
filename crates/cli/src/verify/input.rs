//! The lines of a consumer's file, plain or gzip, also packed twice.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use bridge_local::reason::reason;
use flate2::bufread::MultiGzDecoder;

/// Bytes read at once.
const BUFFER: usize = 256 * 1024;

/// The longest line. SQS hands over 1 MiB of texts in one answer at most, ten messages or one, and JSON may write each
/// byte of them as six (`\u003c`); receipts and ids come to some kilobytes more.
/// Source: Amazon SQS API Reference, "`ReceiveMessage`".
pub(super) const MOST_LINE: usize = 8 * 1024 * 1024;

/// How often a file may be packed: what packs a file, and then what uploads it.
const MOST_PACKED: usize = 2;

/// How a gzip file begins. Source: RFC 1952, 2.3.1.
const GZIP: [u8; 2] = [0x1F, 0x8B];

/// Opens the file of an option, or standard input for `-`; gzip is told by its content.
///
/// # Errors
/// What keeps it from being opened or read, with its name.
pub(super) fn open(path: &Path, option: &str) -> io::Result<Box<dyn BufRead + Send>> {
    let named = |e: io::Error| io::Error::new(e.kind(), format!("{option}: {}", reason(path, &e)));
    let file: Box<dyn Read + Send> = if path == Path::new("-") {
        Box::new(io::stdin())
    } else {
        let file = File::open(path).map_err(named)?;
        if file.metadata().map_err(named)?.is_dir() {
            return Err(named(io::ErrorKind::IsADirectory.into()));
        }
        Box::new(file)
    };
    unpack(file, MOST_PACKED).map_err(named)
}

fn unpack(mut file: Box<dyn Read + Send>, most: usize) -> io::Result<Box<dyn BufRead + Send>> {
    let mut begin = Vec::new();
    // A pipe may hand out one byte at a time.
    file.by_ref().take(2).read_to_end(&mut begin)?;
    let is_gzip = begin == GZIP;
    let whole = BufReader::with_capacity(BUFFER, io::Cursor::new(begin).chain(file));
    if is_gzip && most > 0 {
        return unpack(Box::new(MultiGzDecoder::new(whole)), most - 1);
    }
    Ok(Box::new(whole))
}

/// A line, or why there is none.
pub(super) enum Next {
    /// It is in the buffer, without its end.
    Line,
    /// It is longer than any message.
    TooLong,
    /// The file has ended.
    End,
}

/// Reads the next line into `line`.
///
/// # Errors
/// What keeps the file from being read, as where a gzip file was cut off.
pub(super) fn next(file: &mut dyn BufRead, line: &mut Vec<u8>) -> io::Result<Next> {
    line.clear();
    // One long line must not keep its memory for all that follow.
    line.shrink_to(BUFFER);
    let (mut is_too_long, mut has_any) = (false, false);
    loop {
        let bytes = file.fill_buf()?;
        let end = memchr::memchr(b'\n', bytes);
        let length = end.map_or(bytes.len(), |at| at + 1);
        has_any |= length > 0;
        is_too_long |= line.len() + length > MOST_LINE;
        if is_too_long {
            line.clear();
        } else {
            line.extend_from_slice(&bytes[..end.unwrap_or(length)]);
        }
        file.consume(length);
        if end.is_some() || length == 0 {
            break;
        }
    }
    Ok(match (is_too_long, has_any) {
        (true, _) => Next::TooLong,
        (false, true) => Next::Line,
        (false, false) => Next::End,
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn lines(bytes: Vec<u8>) -> io::Result<Vec<String>> {
        let mut file = unpack(Box::new(io::Cursor::new(bytes)), MOST_PACKED)?;
        let (mut lines, mut line) = (vec![], vec![]);
        while let Next::Line = next(&mut *file, &mut line)? {
            lines.push(String::from_utf8(line.clone()).unwrap());
        }
        Ok(lines)
    }

    fn gzip(text: impl AsRef<[u8]>) -> Vec<u8> {
        let mut file = GzEncoder::new(Vec::new(), Compression::fast());
        file.write_all(text.as_ref()).unwrap();
        file.finish().unwrap()
    }

    #[test]
    fn lines_are_read_plain_and_packed_also_of_several_parts() {
        for (text, expected) in [
            ("", &[][..]),
            ("a", &["a"]),
            ("\n", &[""]),
            ("a\nb\n", &["a", "b"]),
            ("a\n\nb", &["a", "", "b"]),
        ] {
            assert_eq!(lines(text.into()).unwrap(), expected);
            assert_eq!(lines(gzip(text)).unwrap(), expected);
            assert_eq!(lines(gzip(gzip(text))).unwrap(), expected);
        }
        let parts = [gzip("a\nb"), gzip("c\n")].concat();
        assert_eq!(lines(parts).unwrap(), ["a", "bc"]);
    }

    #[test]
    fn a_line_is_read_up_to_its_longest_and_one_that_is_longer_keeps_no_memory() {
        let longest = "x".repeat(MOST_LINE - 1) + "\n";
        for (text, is_line) in [(longest.clone(), true), ("x".to_owned() + &longest, false)] {
            let mut file = unpack(Box::new(io::Cursor::new(text + "next")), 0).unwrap();
            let mut line = Vec::new();
            let first = next(&mut *file, &mut line).unwrap();
            assert_eq!(matches!(first, Next::Line), is_line);
            assert!(matches!(next(&mut *file, &mut line).unwrap(), Next::Line));
            assert!(line == b"next" && line.capacity() <= BUFFER);
        }
    }

    #[test]
    fn a_packed_file_that_was_cut_off_is_an_error() {
        let mut packed = gzip("line\n".repeat(1_000));
        packed.truncate(packed.len() / 2);
        assert!(lines(packed).is_err());
    }
}
