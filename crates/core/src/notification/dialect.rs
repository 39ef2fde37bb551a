//! How the servers that write S3's notifications differ, told by a record's `eventSource`
//! (docs/decisions/0012).

use percent_encoding::percent_decode_str;

use crate::notification::error::NotificationError;

/// Whose record it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// `aws:s3`, and records without a source.
    S3,
    /// `minio:s3`.
    Minio,
    /// `ceph:s3`.
    Ceph,
    /// Any other.
    Unknown,
}

impl Dialect {
    /// By `eventSource`.
    pub(super) fn of(event_source: Option<&str>) -> Self {
        match event_source {
            None | Some("aws:s3") => Self::S3,
            Some("minio:s3") => Self::Minio,
            Some("ceph:s3") => Self::Ceph,
            Some(_) => Self::Unknown,
        }
    }

    /// Whether `sequencer`s of one key tell, compared as text, which change came first. S3 promises
    /// it. Ceph's are little-endian; `MinIO`'s are when the version was written, also where it is
    /// deleted.
    pub(super) fn has_order(self) -> bool {
        self == Self::S3
    }

    /// A key as the server writes it, decoded. S3 and `MinIO` encode keys as form data. Ceph 16.2.15
    /// does not, nor does its source, as of 2026-11.
    ///
    /// # Errors
    /// When it does not decode, or, of an unknown server, where decoding would make a difference.
    pub(super) fn key(self, written: &str, source: &str) -> Result<String, NotificationError> {
        match self {
            Self::Ceph => Ok(written.to_owned()),
            Self::Unknown if written.contains(['+', '%']) => Err(NotificationError::Malformed {
                what: "object key of an S3 notification",
                reason: format!(
                    "whether {written:?} is encoded is unknown for eventSource {source:?}; aws:s3 \
                     and minio:s3 encode keys, ceph:s3 does not"
                ),
            }),
            Self::S3 | Self::Minio | Self::Unknown => decode(written),
        }
    }

    /// A version id as the server writes it; `"null"` where the object has none, as listings say.
    /// `name` is the event's, as the server calls it.
    ///
    /// Ceph also leaves it out for versions: 16.2.15 did for delete markers, uploads in parts and
    /// copies, and never for puts and deletions.
    ///
    /// # Errors
    /// Where it was left out and the object may have one.
    pub(super) fn version_id(
        self,
        written: Option<String>,
        name: &str,
    ) -> Result<String, NotificationError> {
        if let Some(id) = written {
            return Ok(id);
        }
        let names_version = matches!(
            name,
            "ObjectCreated:Put" | "ObjectCreated:Post" | "ObjectRemoved:Delete"
        );
        if self != Self::Ceph || names_version {
            return Ok("null".to_owned());
        }
        Err(NotificationError::Malformed {
            what: "versionId of an S3 notification",
            reason: format!(
                "ceph:s3 leaves it out of {name} even where there is one; a reseed reports this change"
            ),
        })
    }
}

fn decode(written: &str) -> Result<String, NotificationError> {
    percent_decode_str(&written.replace('+', " "))
        .decode_utf8()
        .map(std::borrow::Cow::into_owned)
        .map_err(|e| NotificationError::Malformed {
            what: "object key of an S3 notification",
            reason: format!("{written:?} does not decode to UTF-8: {e}"),
        })
}
