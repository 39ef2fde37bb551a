//! Whether bucket and queue answer, asked before a job begins or continues: what is wrong with
//! credentials, region, address or permissions is reported within seconds, not after a scan. `serve` and `redrive` ask
//! their queues so.

use std::time::Duration;

use bridge_aws::sdk;
use bridge_core::failure::{Failure as _, FailureKind};
use bridge_core::listing::lister::Lister;
use bridge_core::queue::error::SendError;
use bridge_core::queue::permission::may_send;
use bridge_core::queue::port::Queue;
use tokio::time::{Instant, sleep, timeout};

use crate::Usage;
use crate::account::Account;
use crate::serve::queue_client::NotificationQueue;

/// A question that failed for now is asked again for so long; after that the failure is reported.
const RETRY_TIMEOUT: Duration = Duration::from_secs(5);

/// The pause before the first retry; each is twice as long as the one before.
const PAUSE: Duration = Duration::from_millis(500);

/// The longest that one question may take.
const ANSWER: Duration = Duration::from_secs(8);

/// What an answer to `ListObjectVersions` is called.
const LISTING: &[u8] = b"ListVersionsResult";

/// What to ask.
pub(crate) struct Preflight<'a> {
    /// Whose account it is.
    pub account: &'a Account,
    /// The SDK's configuration: region, credentials, endpoints.
    pub sdk: &'a sdk::SdkConfig,
    /// The bucket, if the job will list it.
    pub lister: Option<&'a dyn Lister>,
    /// Its name.
    pub bucket: &'a str,
    /// Keys that the job is about: a policy may allow no others.
    pub prefix: &'a str,
    /// The queue and its URL, if the job will send to one.
    pub queue: Option<(&'a dyn Queue, &'a str)>,
}

/// Why a question was not answered well.
struct Refused {
    /// It is worth asking again.
    may_pass: bool,
    /// The service's error code, or one of the SDK's adapters'.
    code: String,
    message: String,
}

impl Preflight<'_> {
    /// Asks for a region, for credentials, for a page of the bucket, and the queue about itself.
    ///
    /// # Errors
    /// [`Usage`] for what is refused, another error for what does not answer; each with what was
    /// tried, and what to do.
    pub(crate) async fn ask(&self) -> anyhow::Result<()> {
        if self.sdk.region().is_none() {
            return Err(Usage(
                "no region is set: give --region, or set AWS_REGION to the bucket's, or `region` in the profile"
                    .to_owned(),
            )
            .into());
        }
        self.account.check_credentials(self.sdk).await?;
        if let Some(lister) = self.lister {
            let at = place(self.sdk, "S3", "AWS_ENDPOINT_URL_S3");
            let tried = format!("listing bucket {:?} at {at}", self.bucket);
            let list = || list(lister, self.prefix);
            insist(&tried, list, |code| self.about_bucket(code)).await?;
        }
        if let Some((queue, url)) = self.queue {
            ask_queue(self.sdk, queue, url).await?;
        }
        Ok(())
    }

    fn about_bucket(&self, code: &str) -> String {
        match code {
            "NoSuchBucket" => "is its name right, and is it there?".to_owned(),
            "AccessDenied" | "AllAccessDisabled" | "HTTP 403" => {
                "the credentials need s3:ListBucketVersions on the bucket".to_owned()
            }
            "PermanentRedirect"
            | "AuthorizationHeaderMalformed"
            | "HTTP 301"
            | "HTTP 307"
            | "IllegalLocationConstraintException" => format!(
                "the bucket is not in {}: set --region or AWS_REGION to its own",
                region(self.sdk)
            ),
            "NoListing" => "AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_S3 say where S3 is".to_owned(),
            _ => about_any(code, "AWS_ENDPOINT_URL_S3", region(self.sdk)),
        }
    }
}

/// Asks a queue that is sent to about itself, and whether it may be sent to.
///
/// # Errors
/// As [`Preflight::ask`].
pub(crate) async fn ask_queue(
    sdk: &sdk::SdkConfig,
    queue: &dyn Queue,
    url: &str,
) -> anyhow::Result<()> {
    ask_target(sdk, (queue, url), || ask(queue)).await
}

/// The same of a queue that messages go back to: how much one may hold need not be told.
///
/// # Errors
/// As [`Preflight::ask`].
pub(crate) async fn ask_other(
    sdk: &sdk::SdkConfig,
    queue: &dyn Queue,
    url: &str,
) -> anyhow::Result<()> {
    let itself = NotificationQueue::new(sdk::sqs(sdk), url.to_owned());
    ask_target(sdk, (queue, url), || ask_received(&itself)).await
}

/// The same of a queue that is parked in, which takes no more than sqs:SendMessage.
///
/// # Errors
/// As [`Preflight::ask`].
pub(crate) async fn ask_parking(
    sdk: &sdk::SdkConfig,
    queue: &dyn Queue,
    url: &str,
) -> anyhow::Result<()> {
    let itself = NotificationQueue::new(sdk::sqs(sdk), url.to_owned());
    let is_there = || async {
        match ask_received(&itself).await {
            Err(refused) if is_denied(&refused.code) => Ok(()),
            answer => answer,
        }
    };
    ask_target(sdk, (queue, url), is_there).await
}

fn is_denied(code: &str) -> bool {
    code.contains("AccessDenied") || code == "HTTP 403"
}

async fn ask_target<F: Future<Output = Result<(), Refused>>>(
    sdk: &sdk::SdkConfig,
    (queue, url): (&dyn Queue, &str),
    attributes: impl Fn() -> F,
) -> anyhow::Result<()> {
    let at = place(sdk, "SQS", "AWS_ENDPOINT_URL_SQS");
    let tried = format!("asking queue {url} at {at} for its attributes");
    let about = |code: &str| about_queue(code, url, region(sdk), OF_A_TARGET);
    insist(&tried, attributes, about).await?;
    let tried = format!("asking queue {url} at {at} whether it may be sent to");
    let hint = "the credentials and the queue's policy have to allow sqs:SendMessage, and for a \
                queue with a key of its own kms:GenerateDataKey and kms:Decrypt";
    insist(&tried, || may_be_sent_to(queue), |_| hint.to_owned()).await
}

/// Asks a queue that is received from about itself: whether it may be received from, only a receive tells.
///
/// # Errors
/// As [`Preflight::ask`].
pub(crate) async fn ask_source(
    sdk: &sdk::SdkConfig,
    queue: &NotificationQueue,
) -> anyhow::Result<()> {
    let at = place(sdk, "SQS", "AWS_ENDPOINT_URL_SQS");
    let url = queue.url();
    let tried = format!("asking queue {url} at {at} for its attributes");
    let about = |code: &str| about_source(code, url, region(sdk));
    insist(&tried, || ask_received(queue), about).await
}

/// What to do about the refusal of a queue that is received from.
pub(crate) fn about_source(code: &str, url: &str, region: &str) -> String {
    about_queue(code, url, region, OF_A_SOURCE)
}

/// What a queue that is sent to has to allow, and one that is received from.
const OF_A_TARGET: &str = "sqs:GetQueueAttributes and sqs:SendMessage";
const OF_A_SOURCE: &str =
    "sqs:ReceiveMessage, sqs:DeleteMessage, sqs:ChangeMessageVisibility and sqs:GetQueueAttributes";

fn region(sdk: &sdk::SdkConfig) -> &str {
    sdk.region().map_or("", |region| region.as_ref())
}

/// Where a service is asked.
pub(crate) fn place(sdk: &sdk::SdkConfig, service: &str, variable: &'static str) -> String {
    sdk::endpoint(variable).map_or_else(
        || format!("{service} in {}", region(sdk)),
        |(name, url)| format!("{url:?} ({name})"),
    )
}

fn about_queue(code: &str, url: &str, region: &str, needed: &str) -> String {
    match code {
        _ if code.contains("NonExistentQueue") || code.contains("QueueDoesNotExist") => {
            match region_of(url).filter(|of| *of != region) {
                Some(of) => format!(
                    "the URL is of {of}, and {region} was asked: give --region, or set AWS_REGION"
                ),
                None => "is the URL right, and is it there?".to_owned(),
            }
        }
        _ if is_denied(code) => {
            format!("the credentials need {needed} on the queue")
        }
        _ => about_any(code, "AWS_ENDPOINT_URL_SQS", region),
    }
}

impl From<SendError> for Refused {
    fn from(refusal: SendError) -> Self {
        Self {
            may_pass: refusal.may_pass(),
            code: refusal.code,
            message: refusal.message,
        }
    }
}

async fn list(lister: &dyn Lister, prefix: &str) -> Result<(), Refused> {
    let page = lister.list(prefix, None).await;
    let page = page.map_err(|error| Refused {
        may_pass: error.may_pass(),
        code: error.code,
        message: error.message,
    })?;
    let head = &page[..page.len().min(1_000)];
    if head.windows(LISTING.len()).any(|part| part == LISTING) {
        return Ok(());
    }
    Err(Refused {
        may_pass: false,
        code: "NoListing".to_owned(),
        message: "what answers there is no S3".to_owned(),
    })
}

async fn ask(queue: &dyn Queue) -> Result<(), Refused> {
    queue.max_message_bytes().await?;
    Ok(())
}

async fn ask_received(queue: &NotificationQueue) -> Result<(), Refused> {
    let answer = queue.retention().await;
    answer.map(|_| ()).map_err(|error| Refused {
        may_pass: error.kind != FailureKind::Permanent,
        code: error.code,
        message: error.message,
    })
}

async fn may_be_sent_to(queue: &dyn Queue) -> Result<(), Refused> {
    Ok(may_send(queue).await?)
}

/// What to do about a code that any service may give; empty for others.
pub(crate) fn about_any(code: &str, variable: &'static str, region: &str) -> String {
    match code {
        "ConnectionFailed" | "RequestTimeout" | "NotSent" => {
            let region = sdk::endpoint(variable).is_none().then_some(region);
            nobody(region, variable)
        }
        "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "InvalidToken" => "the credentials are not this account's, or are mistyped".to_owned(),
        _ if code.contains("ExpiredToken") => {
            "the credentials have expired: sign in again".to_owned()
        }
        "RequestTimeTooSkewed" => "set this machine's clock".to_owned(),
        _ => String::new(),
    }
}

/// What to look at where nobody answers: in a region of AWS, or at an endpoint of one's own.
fn nobody(region: Option<&str>, variable: &str) -> String {
    match region {
        Some(region) => format!(
            "nobody answers there: is {region:?} the region (--region or AWS_REGION)? If it is, look at the network"
        ),
        None => {
            format!("nobody answers there: look at the network, AWS_ENDPOINT_URL and {variable}")
        }
    }
}

/// Asks until it is answered, is refused for good, or the time is up.
async fn insist<F: Future<Output = Result<(), Refused>>>(
    tried: &str,
    ask: impl Fn() -> F,
    hint: impl Fn(&str) -> String,
) -> anyhow::Result<()> {
    let end = Instant::now() + RETRY_TIMEOUT;
    let mut pause = PAUSE;
    loop {
        let answer = timeout(ANSWER, ask()).await.unwrap_or_else(|_| {
            Err(Refused {
                may_pass: true,
                code: "RequestTimeout".to_owned(),
                message: format!("no answer in {} s", ANSWER.as_secs()),
            })
        });
        let Err(refused) = answer else { return Ok(()) };
        if refused.may_pass && Instant::now() + pause < end {
            sleep(pause).await;
            pause *= 2;
            continue;
        }
        let mut text = format!("{tried}: {}: {}", refused.code, refused.message);
        let hint = hint(&refused.code);
        if !hint.is_empty() {
            text = format!("{text}: {hint}");
        }
        return Err(if refused.may_pass {
            anyhow::anyhow!(text)
        } else {
            Usage(text).into()
        });
    }
}

/// The region in a queue's URL on AWS.
fn region_of(url: &str) -> Option<&str> {
    let host = url.split_once("://")?.1.split_once('/')?.0;
    let (region, rest) = host.strip_prefix("sqs.")?.split_once('.')?;
    rest.starts_with("amazonaws.com").then_some(region)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_nobody_answers_the_region_is_doubted_unless_an_endpoint_is_named() {
        let of_aws = nobody(Some("us-esat-1"), "AWS_ENDPOINT_URL_S3");
        assert!(
            of_aws.contains("\"us-esat-1\"") && of_aws.contains("--region"),
            "{of_aws}"
        );
        let of_own = nobody(None, "AWS_ENDPOINT_URL_S3");
        assert!(of_own.contains("AWS_ENDPOINT_URL_S3"), "{of_own}");
    }

    #[test]
    fn a_queues_url_tells_its_region() {
        let url = "https://sqs.eu-central-1.amazonaws.com/1/q.fifo";
        assert_eq!(region_of(url), Some("eu-central-1"));
        assert_eq!(region_of("http://127.0.0.1:4566/1/q"), None);
    }
}
