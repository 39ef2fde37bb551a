//! The page parser on documents good, odd and bad.

use proptest::prelude::*;

use super::*;
use crate::failure::Failure as _;
use crate::listing::page::document::ReadEntry;

fn page(inner: &str) -> String {
    format!("<?xml version=\"1.0\"?><ListVersionsResult>{inner}</ListVersionsResult>")
}

fn version(key: &str, more: &str) -> String {
    format!(
        "<Version><Key>{key}</Key><VersionId>v</VersionId>\
         <LastModified>2024-05-01T12:00:00.000Z</LastModified>{more}</Version>"
    )
}

fn version_of(fields: &str) -> String {
    format!("<Version>{fields}</Version>")
}

fn keys(document: &str) -> Vec<String> {
    let page = parse_page(document.as_bytes()).unwrap();
    page.listing
        .iter()
        .map(|planned| planned.version.key.to_owned())
        .collect()
}

#[test]
fn entities_cdata_and_character_references_are_read() {
    let document = page(&version("a&amp;b&#x26;&#99;<![CDATA[<&>]]>", ""));
    assert_eq!(keys(&document), ["a&b&c<&>"]);
}

#[test]
fn keys_are_decoded_only_when_the_answer_says_so() {
    let entry = version("a%20b+c%2B", "");
    assert_eq!(keys(&page(&entry)), ["a%20b+c%2B"]);
    let encoded = format!("<EncodingType>url</EncodingType>{entry}");
    assert_eq!(keys(&page(&encoded)), ["a b c+"]);
    let told_last = format!("{entry}<EncodingType>url</EncodingType>");
    assert_eq!(keys(&page(&told_last)), ["a b c+"]);
}

#[test]
fn a_namespace_prefix_and_unknown_elements_do_not_matter() {
    let document = "<x:ListVersionsResult><x:Version><x:Key>k</x:Key><New><Key>no</Key></New>\
        <x:LastModified>2024-05-01T12:00:00Z</x:LastModified><VersionId/></x:Version>\
        </x:ListVersionsResult>";
    let page = parse_page(document.as_bytes()).unwrap();
    let version = page.listing.get(0).version;
    assert_eq!((version.key, version.version_id), ("k", "null"));
}

#[test]
fn a_page_that_cannot_be_trusted_is_refused() {
    let good = page(&version("k", "<Size>1</Size>"));
    for (document, part) in [
        (&good[..good.len() - 5], "whole XML document"),
        (&good[..100], "whole XML document"),
        ("", "whole XML document"),
        ("<Error><Code>SlowDown</Code></Error>", "<Error>"),
        (&page("<IsTruncated>true</IsTruncated>"), "no NextKeyMarker"),
        (&page("<Version><Key>k</Key></Version>"), "LastModified"),
        (&page(&version("k", "<Size>-1</Size>")), "Size"),
        (
            &page(&version("k", "<Size>9223372036854775808</Size>")),
            "Size",
        ),
        (&page(&version("&nope;", "")), "&nope;"),
        (
            &page(&(version("b", "") + &version("a", ""))),
            "keys go backwards: \"a\" comes after \"b\"",
        ),
    ] {
        let error = parse_page(document.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(part), "{document}: {error}");
    }
}

#[test]
fn only_what_came_broken_is_worth_asking_again() {
    let cut = page(&version("k", ""));
    for (document, may_pass) in [
        (cut[..cut.len() - 5].to_owned(), true),
        ("<Error><Code>SlowDown</Code></Error>".to_owned(), true),
        (page(&version("", "")), false),
        (
            page("<CommonPrefixes><Prefix>b/</Prefix></CommonPrefixes>"),
            false,
        ),
    ] {
        let error = parse_page(document.as_bytes()).unwrap_err();
        assert_eq!(error.may_pass(), may_pass, "{error}");
    }
}

/// All that a page says, or that it is refused.
fn told<'a>(text: &'a str, read_entry: ReadEntry<'a>) -> Result<String, PageError> {
    let (entries, frame) = read(text, false, read_entry)?;
    Ok(format!("{:?} {frame:?}", entries.finish()))
}

/// Entries as servers write them, and in ways that no reader of plain ones may trip over.
fn entry_part() -> impl Strategy<Value = String> {
    const PARTS: &[&str] = &[
        "<Version>",
        "</Version>",
        "<DeleteMarker>",
        "</DeleteMarker>",
        "<Key>",
        "</Key>",
        "<Key>a</Key>",
        "<Key>b</Key>",
        "<VersionId>v</VersionId>",
        "<IsLatest>true</IsLatest>",
        "<LastModified>2024-05-01T12:00:00.000Z</LastModified>",
        "<Size>7</Size>",
        "<ETag>&quot;e-1&quot;</ETag>",
        "<ETag>\"e\"</ETag>",
        "<ETag>&quot;e</ETag>",
        "<ETag>&quot;&quot;&quot;</ETag>",
        "<ETag>&quot;<x/>&quot;</ETag>",
        "<Owner><ID>o</ID><DisplayName>d</DisplayName></Owner>",
        "<Owner>text</Owner>",
        "<Owner/>",
        "<Owner><ID>&amp;</ID></Owner>",
        "<Owner><Key>no</Key></Owner>",
        "<Key x=\"1\">a</Key>",
        "<Key >a</Key >",
        "<VersionId/>",
        "<x:Key>a</x:Key>",
        "<Key>&lt;</Key>",
        "<Key><![CDATA[c]]></Key>",
        "<!-- <Key>no</Key> -->",
        "\r\n",
        " ",
        "é",
        "&amp;",
        "<StorageClass>STANDARD</StorageClass>",
        "<",
        ">",
        "&",
        "<Key><Key>deep</Key></Key>",
    ];
    prop_oneof![
        4 => proptest::sample::select(PARTS).prop_map(str::to_owned),
        2 => "[a-z]{1,3}".prop_map(|key| version(&key, "<ETag>&quot;e&quot;</ETag>")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]
    #[test]
    fn plain_entries_are_read_as_the_xml_reader_reads_them(
        parts in prop::collection::vec(entry_part(), 0..24),
        is_wrapped: bool,
    ) {
        let inner = parts.concat();
        let document = if is_wrapped { page(&version_of(&inner)) } else { page(&inner) };
        let by_xml = told(&document, |_, _| None);
        prop_assert_eq!(told(&document, plain::read_entry), by_xml, "{}", document);
    }
}

proptest! {
    /// A page cut short anywhere is refused, never read as a shorter page.
    #[test]
    fn a_page_cut_anywhere_is_refused(cut in 0usize..10_000) {
        let whole = page(&(version("a", "") + &version("b", "<Size>1</Size>")));
        prop_assert!(parse_page(&whole.as_bytes()[..cut % whole.len()]).is_err());
    }
}
