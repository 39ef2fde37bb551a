"""What a bucket lists, in the order of its documents.

boto3 hands out versions and delete markers as two lists, which loses that order: the XML is read here.
Source: Amazon S3 API Reference, "ListObjectVersions".
"""

import urllib.error
import urllib.parse
import urllib.request
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Iterator, Optional

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True)
class Version:
    """A version or a delete marker as it is listed."""

    key: str
    # "null" for an object from before versioning.
    version_id: str
    is_latest: bool
    is_delete_marker: bool
    # Milliseconds since 1970.
    last_modified: int
    # None for a delete marker.
    size: Optional[int]
    # Without quotes; None for a delete marker.
    e_tag: Optional[str]
    storage_class: Optional[str]

    @property
    def is_multipart(self) -> bool:
        """Whether it was uploaded in parts: its entity tag ends in how many."""
        return "-" in (self.e_tag or "")


def versions(endpoint: str, bucket: str, prefix: str = "") -> Iterator[Version]:
    """All that the bucket lists below a prefix: keys ascending, each key's versions newest first."""
    markers: dict = {}
    while True:
        query = {"prefix": prefix, "encoding-type": "url", "max-keys": "1000", **markers}
        root = page(f"{endpoint}/{bucket}?versions&{urllib.parse.urlencode(query)}")
        for element in root:
            if name(element) in ("Version", "DeleteMarker"):
                yield version(element)
        frame = texts(root)
        if frame["IsTruncated"] == "false":
            return
        following = {
            "key-marker": urllib.parse.unquote_plus(frame["NextKeyMarker"]),
            "version-id-marker": frame["NextVersionIdMarker"],
        }
        # Else it would be read for ever, into whatever memory there is.
        if following == markers:
            raise ValueError(f"the listing of {bucket} does not go on behind {markers}")
        markers = following


def page(url: str) -> ElementTree.Element:
    """One answer of the server."""
    with urllib.request.urlopen(url) as answer:
        return ElementTree.fromstring(answer.read())


def version(element: ElementTree.Element) -> Version:
    """One entry of a page."""
    fields = texts(element)
    return Version(
        key=urllib.parse.unquote_plus(fields["Key"]),
        version_id=fields["VersionId"],
        is_latest=fields["IsLatest"] == "true",
        is_delete_marker=name(element) == "DeleteMarker",
        last_modified=milliseconds(fields["LastModified"]),
        size=int(fields["Size"]) if "Size" in fields else None,
        e_tag=fields["ETag"].strip('"') if "ETag" in fields else None,
        storage_class=fields.get("StorageClass"),
    )


def name(element: ElementTree.Element) -> str:
    """An element's name without its namespace."""
    return element.tag.rpartition("}")[2]


def texts(element: ElementTree.Element) -> dict:
    """The texts of an element's children."""
    return {name(child): child.text or "" for child in element}


def milliseconds(text: str) -> int:
    """Since 1970, of a time such as 2024-05-01T12:00:00.000Z."""
    time = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
    return (time - EPOCH) // timedelta(milliseconds=1)
