//! What a bucket is asked, and what becomes of its answers.

use bridge_aws::signed::bucket::SignedBucket;
use bridge_core::failure::FailureKind;
use bridge_core::listing::lister::Lister as _;
use bridge_core::listing::page::{Marker, parse_page};
use bridge_core::watched::{Versioned as _, Versioning};

use crate::server::{Reply, Server, signed_in};

async fn answering(reply: Reply) -> (Server, SignedBucket) {
    let server = Server::of(&[reply]);
    let bucket = server.bucket(signed_in(), "ledger").await;
    (server, bucket)
}

#[tokio::test]
async fn a_listing_is_asked_for_page_by_page_with_keys_as_they_are() {
    let pages = [
        "<ListVersionsResult><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>\
        <NextKeyMarker>a%2Bb+c%0D%2F%C3%BC%3F</NextKeyMarker><NextVersionIdMarker>null</NextVersionIdMarker>\
        <Version><Key>a%2Bb+c%0D%2F%C3%BC%3F</Key><VersionId>null</VersionId><IsLatest>true</IsLatest>\
        <LastModified>2024-05-01T12:00:00.000Z</LastModified><Size>1</Size></Version></ListVersionsResult>",
        "<ListVersionsResult><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated></ListVersionsResult>",
    ];
    let server = Server::of(&pages.map(|page| (200, vec![], page)));
    let bucket = server.bucket(signed_in(), "ledger").await;
    let page = bucket.list("a+b c", None).await.unwrap();
    let page = parse_page(&page).unwrap();
    let keys: Vec<_> = page
        .listing
        .iter()
        .map(|row| (row.version.key, row.version.version_id))
        .collect();
    assert_eq!(keys, [("a+b c\r/ü?", "null")]);
    let last = bucket.list("a+b c", page.next.as_ref()).await.unwrap();
    assert_eq!(parse_page(&last).unwrap().next, None);
    // A marker without a version: after all of the key.
    let marker = Marker {
        key: "k".to_owned(),
        version_id: None,
    };
    bucket.list("", Some(&marker)).await.unwrap();
    let query = "https://ledger.s3.eu-west-1.amazonaws.com/?versions&encoding-type=url";
    assert_eq!(
        server.urls(),
        [
            format!("{query}&prefix=a%2Bb%20c"),
            format!(
                "{query}&key-marker=a%2Bb%20c%0D%2F%C3%BC%3F&prefix=a%2Bb%20c&version-id-marker=null"
            ),
            format!("{query}&key-marker=k"),
        ]
    );
}

#[tokio::test]
async fn a_refusal_in_xml_is_read_as_the_sdk_reads_it() {
    for (status, headers, body, kind, told) in [
        (
            404,
            vec![],
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>\n  <Code>NoSuchBucket</Code>\
            <Message>The &quot;bucket&quot; is <![CDATA[not]]> &#x74;here</Message><Resource>/x</Resource></Error>",
            FailureKind::Permanent,
            "NoSuchBucket: The \"bucket\" is not there",
        ),
        (
            503,
            vec![],
            "<s3:Error xmlns:s3=\"x\"><s3:Code>SlowDown</s3:Code><s3:Message/></s3:Error>",
            FailureKind::Throttled,
            "SlowDown: answered with HTTP 503, without a message",
        ),
        (
            400,
            vec![],
            "<Error><Code>ExpiredToken</Code><Message>It is over.</Message></Error>",
            FailureKind::Transient,
            "ExpiredToken: It is over.",
        ),
        (
            301,
            vec![("location", "https://elsewhere/")],
            "<Error><Code>PermanentRedirect</Code><Message>Elsewhere.</Message></Error>",
            FailureKind::Permanent,
            "PermanentRedirect: Elsewhere.",
        ),
        // What is nested or cut short is none.
        (
            403,
            vec![],
            "<Error><Other><Code>No</Code></Other><Code>AccessDenied</Code></Error>",
            FailureKind::Permanent,
            "AccessDenied: answered with HTTP 403, without a message",
        ),
        (
            502,
            vec![],
            "<Error><Code>AccessDenied</Code>",
            FailureKind::Transient,
            "HTTP 502: the answer gives no reason",
        ),
        (
            503,
            vec![],
            "<html><Code>Busy</Code></html>",
            FailureKind::Transient,
            "HTTP 503: the answer gives no reason",
        ),
        (
            403,
            vec![],
            "{\"__type\":\"AccessDenied\"}",
            FailureKind::Permanent,
            "HTTP 403: the answer gives no reason",
        ),
        (
            403,
            vec![],
            "",
            FailureKind::Permanent,
            "HTTP 403: the answer gives no reason",
        ),
    ] {
        let (server, bucket) = answering((status, headers, body)).await;
        let error = bucket.list("", None).await.unwrap_err();
        assert_eq!((error.kind, &*error.to_string()), (kind, told));
        let none = bucket.versioning().await.unwrap_err();
        assert_eq!(none.reason, told);
        assert_eq!(none.is_refused, told.starts_with("AccessDenied"));
        assert_eq!(server.urls().len(), 2);
    }
}

#[tokio::test]
async fn a_bucket_tells_whether_it_is_versioned() {
    let namespace = "<?xml version=\"1.0\"?><VersioningConfiguration \
        xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Status>Enabled</Status></VersioningConfiguration>";
    for (body, expected) in [
        (namespace, Some(Versioning::Enabled)),
        (
            "<VersioningConfiguration><MfaDelete>Disabled</MfaDelete><Status>Suspended</Status></VersioningConfiguration>",
            Some(Versioning::Suspended),
        ),
        ("<VersioningConfiguration/>", Some(Versioning::Never)),
        (
            "<VersioningConfiguration><MfaDelete>Disabled</MfaDelete></VersioningConfiguration>",
            Some(Versioning::Never),
        ),
        // Never take these for a bucket without versions.
        ("<VersioningConfiguration>", None),
        ("<ListVersionsResult/>", None),
        ("<html>", None),
        ("\u{0}", None),
        ("", None),
    ] {
        let (_, bucket) = answering((200, vec![], body)).await;
        match (bucket.versioning().await, expected) {
            (Ok(told), Some(expected)) => assert_eq!(told, expected, "{body}"),
            (Err(none), None) => assert!(!none.is_refused, "{body}"),
            other => panic!("{body}: {other:?}"),
        }
    }
}
