//! The kinds of keys of [`EveryKind`](super::every_kind::EveryKind).

/// What a version or delete marker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// An object of some size.
    Put,
    /// An object of no bytes.
    Empty,
    /// An upload in so many parts. It is listed by when it began.
    Parts(u32),
    /// 50 TB in ten thousand parts, the largest that S3 takes.
    /// Source: Amazon S3 User Guide, "Amazon S3 multipart upload limits".
    Huge,
    /// An object with the version id `null`.
    Null,
    /// A delete marker.
    Marker,
    /// A delete marker with the version id `null`.
    NullMarker,
}

use What::{Empty, Huge, Marker, Null, NullMarker, Parts, Put};

impl What {
    /// Whether it is a delete marker.
    #[must_use]
    pub fn is_delete_marker(self) -> bool {
        matches!(self, Marker | NullMarker)
    }

    /// Whether its version id is `null`.
    #[must_use]
    pub fn is_null(self) -> bool {
        matches!(self, Null | NullMarker)
    }

    /// In how many parts it was uploaded; `None` in one piece.
    #[must_use]
    pub fn parts(self) -> Option<u32> {
        match self {
            Parts(parts) => Some(parts),
            Huge => Some(10_000),
            _ => None,
        }
    }
}

/// A kind of key: what follows its stem, and its versions, oldest first, each with its second.
pub(super) type Kind = (&'static str, &'static [(i64, What)]);

/// In the order of their bytes.
pub(super) const KINDS: [Kind; 22] = [
    // A prefix of all others of its block. The bucket cannot be asked for it alone.
    ("", &[(0, Put), (0, Put), (0, Put)]),
    (" two words.txt", &[(0, Put), (7, Put), (3600, Put)]),
    // The latest of two tells their order.
    ("\"quoted\" & 'so' <b>", &[(0, Put), (0, Put)]),
    ("#1?versions=2;", &[(0, Put), (0, Marker)]),
    ("%41%2F%", &[(5, Put), (5, Put), (5, Put), (9, Put)]),
    (
        "+plus +",
        &[(0, Put), (3, Put), (3, Marker), (3, Put), (3, Marker)],
    ),
    ("//deep//", &[(0, Null), (60, Put), (120, Put)]),
    ("/a/../b", &[(0, Put), (10, Null), (20, Put)]),
    (
        "/a/../b.txt",
        &[(0, Put), (1, Marker), (2, Put), (3, Marker), (4, Put)],
    ),
    ("/folder/", &[(0, Empty)]),
    ("/huge.bin", &[(0, Huge)]),
    ("/null-marker", &[(0, Put), (5, NullMarker)]),
    // Uploads that overlapped, and an overwrite in the second in which the last of them began.
    (
        "/parts.bin",
        &[
            (0, Parts(3)),
            (30, Parts(12)),
            (31, Parts(2)),
            (31, Put),
            (90, Put),
        ],
    ),
    (
        "=\u{1}\t\n\r\u{1f}\u{7f}",
        &[(0, Put), (0, Put), (1, Put), (1, Null)],
    ),
    (LONG, &[(0, Put)]),
    ("[x]{y}|^`", &[(0, Marker)]),
    ("\\back\\slash", &[(0, Put)]),
    // The server's clock was put back: the latest is the older by its time.
    ("~clock", &[(100, Put), (90, Put)]),
    ("é composed", &[(0, Put)]),
    ("日本語", &[(0, Put), (1, Put)]),
    // Behind the next in UTF-16.
    ("！", &[(0, Put), (0, Marker)]),
    ("😀", &[(0, Put), (0, Put), (2, Marker)]),
];

/// What follows the stem of a key that is as long as keys may be; it is filled up.
/// Source: Amazon S3 User Guide, "Naming Amazon S3 objects".
pub(super) const LONG: &str = "@long/";
pub(super) const LONGEST: usize = 1024;
