//! What is done to one key, and what is left of it.

use anyhow::Context as _;
use aws_sdk_s3::Client;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// One version or delete marker.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Step {
    /// Its version id, as the server gave it when it was made.
    pub version_id: String,
    /// Whether it is a delete marker.
    pub marker: bool,
}

/// What can be done to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// A new version.
    Put,
    /// A new version by an upload in parts.
    PutInParts,
    /// A new version by a copy of the newest; a [`Act::Put`] where there is nothing to copy.
    Copy,
    /// A delete marker.
    Delete,
    /// The newest entry removed for good: after a delete, this undoes it.
    Undo,
    /// The oldest entry removed for good.
    Forget,
}

/// A key, with a writer that is its only one.
#[derive(Debug)]
pub struct Life {
    client: Client,
    bucket: String,
    /// The key.
    pub key: String,
    /// What is there, oldest first.
    pub steps: Vec<Step>,
    /// What was removed for good, in that order.
    pub gone: Vec<Step>,
}

impl Life {
    /// A key that does not exist yet.
    #[must_use]
    pub fn new(client: &Client, bucket: &str, key: &str) -> Self {
        Self {
            client: client.clone(),
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            steps: Vec::new(),
            gone: Vec::new(),
        }
    }

    /// Does it, and writes down what then is true.
    ///
    /// # Errors
    /// S3's, and an answer without a version id.
    pub async fn act(&mut self, act: Act) -> anyhow::Result<()> {
        let done = match act {
            Act::Put => self.put().await,
            Act::PutInParts => self.put_in_parts().await,
            Act::Copy => self.copy().await,
            Act::Delete => self.delete().await,
            Act::Undo => self.remove(self.steps.len().checked_sub(1)).await,
            Act::Forget => self.remove((!self.steps.is_empty()).then_some(0)).await,
        };
        done.with_context(|| format!("{act:?} of {:?} in {}", self.key, self.bucket))
    }

    fn came(&mut self, version_id: Option<&str>, marker: bool) -> anyhow::Result<()> {
        let version_id = version_id.context("the answer has no version id")?;
        self.steps.push(Step {
            version_id: version_id.to_owned(),
            marker,
        });
        Ok(())
    }

    /// Not every server names the version that a copy or an upload in parts made: Ceph 16 does not.
    async fn came_perhaps_named(&mut self, version_id: Option<&str>) -> anyhow::Result<()> {
        if version_id.is_some() {
            return self.came(version_id, false);
        }
        let head = self.client.head_object().bucket(&self.bucket);
        let head = head.key(&self.key).send().await?;
        self.came(head.version_id(), false)
    }

    async fn put(&mut self) -> anyhow::Result<()> {
        let body = format!("{} of {}", self.steps.len(), self.key).into_bytes();
        let put = self.client.put_object().bucket(&self.bucket);
        let answer = put.key(&self.key).body(body.into()).send().await?;
        self.came(answer.version_id(), false)
    }

    async fn copy(&mut self) -> anyhow::Result<()> {
        let Some(newest) = self.steps.last().filter(|step| !step.marker) else {
            return self.put().await;
        };
        let key = utf8_percent_encode(&self.key, NON_ALPHANUMERIC);
        let source = format!("{}/{key}?versionId={}", self.bucket, newest.version_id);
        let copy = self.client.copy_object().bucket(&self.bucket);
        let copy = copy.key(&self.key).copy_source(source);
        // S3 refuses a copy of an object onto itself that changes nothing.
        let copy = copy.metadata_directive(aws_sdk_s3::types::MetadataDirective::Replace);
        let answer = copy.send().await?;
        self.came_perhaps_named(answer.version_id()).await
    }

    async fn put_in_parts(&mut self) -> anyhow::Result<()> {
        let create = self.client.create_multipart_upload();
        let create = create.bucket(&self.bucket).key(&self.key).send().await?;
        let upload = create.upload_id().context("no upload id")?;
        let part = self.client.upload_part().bucket(&self.bucket);
        let part = part.key(&self.key).upload_id(upload).part_number(1);
        let part = part.body(b"in parts".to_vec().into()).send().await?;
        let part = CompletedPart::builder()
            .part_number(1)
            .set_e_tag(part.e_tag().map(str::to_owned))
            .build();
        let parts = CompletedMultipartUpload::builder().parts(part).build();
        let complete = self.client.complete_multipart_upload();
        let complete = complete.bucket(&self.bucket).key(&self.key);
        let complete = complete.upload_id(upload).multipart_upload(parts);
        let answer = complete.send().await?;
        self.came_perhaps_named(answer.version_id()).await
    }

    async fn delete(&mut self) -> anyhow::Result<()> {
        let delete = self.client.delete_object().bucket(&self.bucket);
        let answer = delete.key(&self.key).send().await?;
        // S3 puts a marker upon a marker, and upon nothing; Ceph does not do the first, moto not the
        // second, and they name none.
        if answer.version_id().is_none() && self.steps.last().is_none_or(|step| step.marker) {
            return Ok(());
        }
        self.came(answer.version_id(), true)
    }

    async fn remove(&mut self, place: Option<usize>) -> anyhow::Result<()> {
        let Some(place) = place else {
            return Ok(());
        };
        let step = self.steps.remove(place);
        let delete = self.client.delete_object().bucket(&self.bucket);
        let delete = delete.key(&self.key).version_id(&step.version_id);
        delete.send().await?;
        self.gone.push(step);
        Ok(())
    }
}
