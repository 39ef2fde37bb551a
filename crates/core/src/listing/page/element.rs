//! The elements of a listing document.

/// The elements that matter.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    Listing,
    Version,
    DeleteMarker,
    CommonPrefixes,
    Prefix,
    Key,
    VersionId,
    IsLatest,
    LastModified,
    Size,
    ETag,
    EncodingType,
    IsTruncated,
    NextKeyMarker,
    NextVersionIdMarker,
    Other,
}

impl Element {
    /// By name without its namespace prefix, which some servers write.
    pub(super) fn of(name: &str) -> Self {
        match name {
            "ListVersionsResult" | "ListObjectVersionsResult" => Self::Listing,
            "Version" => Self::Version,
            "DeleteMarker" => Self::DeleteMarker,
            "CommonPrefixes" => Self::CommonPrefixes,
            "Prefix" => Self::Prefix,
            "Key" => Self::Key,
            "VersionId" => Self::VersionId,
            "IsLatest" => Self::IsLatest,
            "LastModified" => Self::LastModified,
            "Size" => Self::Size,
            "ETag" => Self::ETag,
            "EncodingType" => Self::EncodingType,
            "IsTruncated" => Self::IsTruncated,
            "NextKeyMarker" => Self::NextKeyMarker,
            "NextVersionIdMarker" => Self::NextVersionIdMarker,
            _ => Self::Other,
        }
    }
}
