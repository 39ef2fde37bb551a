//! For `cargo xtask bench`: reads all pages of a bucket one after another, by this project's way or
//! as the AWS SDK's own parser does, and tells how many versions there were.

use aws_sdk_s3::types::EncodingType;
use bridge_aws::lister::S3Lister;
use bridge_aws::{machine, sdk};
use bridge_core::listing::lister::Lister as _;
use bridge_core::listing::page::parse_page;

const BUCKET: &str = "load";

type Error = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let versions = match std::env::args().nth(1).as_deref() {
        Some("bridge") => by_document().await?,
        Some("sdk") => by_sdk().await?,
        _ => return Err("say bridge or sdk".into()),
    };
    println!("{versions}");
    Ok(())
}

async fn by_document() -> Result<usize, Error> {
    let lister = S3Lister::new(&machine::load().await, BUCKET.to_owned());
    let (mut versions, mut marker) = (0, None);
    loop {
        let page = parse_page(&lister.list("", marker.as_ref()).await?)?;
        versions += page.listing.len();
        marker = page.next;
        if marker.is_none() {
            return Ok(versions);
        }
    }
}

async fn by_sdk() -> Result<usize, Error> {
    let client = sdk::s3(&machine::load().await);
    let (mut versions, mut key, mut version) = (0, None, None);
    loop {
        let page = client
            .list_object_versions()
            .bucket(BUCKET)
            .set_key_marker(key)
            .set_version_id_marker(version)
            .encoding_type(EncodingType::Url)
            .send()
            .await?;
        versions += page.versions().len() + page.delete_markers().len();
        (key, version) = (page.next_key_marker, page.next_version_id_marker);
        if key.is_none() {
            return Ok(versions);
        }
    }
}
