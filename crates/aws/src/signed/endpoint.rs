//! Where a service is: by the SDK's own rules, from region, FIPS and dual-stack, or where the user says. Services whose
//! SDK is not linked are where SQS is, under their own name.
//! Source: AWS General Reference, "Amazon `SQS` endpoints", "Amazon `CloudWatch` endpoints": `NAME.REGION.…`,
//! `NAME-fips.REGION.…`.

use aws_config::SdkConfig;
use aws_sdk_dynamodb::config::endpoint as dynamodb;
use aws_sdk_dynamodb::config::endpoint::ResolveEndpoint as _;
use aws_sdk_sqs::config::endpoint as sqs;
use aws_sdk_sqs::config::endpoint::ResolveEndpoint as _;
use aws_types::service_config::ServiceConfigKey;
use tokio::sync::OnceCell;

use crate::request_error::RequestError;
use crate::signed::answer::not_sent;
use crate::signed::service::{DYNAMODB, SQS, Service};

/// Where a service is, found out once.
#[derive(Debug)]
pub(super) struct Endpoint {
    is_dynamodb: bool,
    /// What its hosts are called: the name that signatures have.
    name: &'static str,
    asked: Asked,
    found: OnceCell<String>,
}

/// What tells where a service is.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) region: Option<String>,
    pub(super) use_fips: Option<bool>,
    pub(super) use_dual_stack: Option<bool>,
    /// `AWS_ENDPOINT_URL_…`, `AWS_ENDPOINT_URL`, or the profile's.
    pub(super) own: Option<String>,
}

impl Asked {
    /// What is said for the service that the SDKs call `id`.
    pub(super) fn new(id: &'static str, config: &SdkConfig) -> Self {
        Self {
            region: config.region().map(ToString::to_string),
            use_fips: config.use_fips(),
            use_dual_stack: config.use_dual_stack(),
            own: own(id, config),
        }
    }
}

impl Endpoint {
    pub(super) fn new(service: &Service, config: &SdkConfig) -> Self {
        Self {
            is_dynamodb: *service == DYNAMODB,
            name: service.signing_name,
            asked: Asked::new(service.id, config),
            found: OnceCell::new(),
        }
    }

    /// The URL of the service, with a path.
    pub(super) async fn get(&self) -> Result<&str, RequestError> {
        let found = self.found.get_or_try_init(|| self.find()).await;
        found.map(String::as_str)
    }

    async fn find(&self) -> Result<String, RequestError> {
        let Asked {
            region,
            use_fips,
            use_dual_stack,
            own,
        } = self.asked.clone();
        let is_own = own.is_some();
        let url = if self.is_dynamodb {
            let asked = dynamodb::Params::builder()
                .set_region(region)
                .set_use_fips(use_fips)
                .set_use_dual_stack(use_dual_stack)
                .set_endpoint(own)
                .build()
                .map_err(|error| not_sent(&error))?;
            let rules = dynamodb::DefaultResolver::new();
            rules.resolve_endpoint(&asked).await
        } else {
            let asked = sqs::Params::builder()
                .set_region(region)
                .set_use_fips(use_fips)
                .set_use_dual_stack(use_dual_stack)
                .set_endpoint(own)
                .build()
                .map_err(|error| not_sent(&error))?;
            let rules = sqs::DefaultResolver::new();
            rules.resolve_endpoint(&asked).await
        };
        let mut url = url.map_err(|error| not_sent(&*error))?.url().to_owned();
        if !is_own && !self.is_dynamodb {
            let (of_sqs, own) = (
                format!("://{}", SQS.signing_name),
                format!("://{}", self.name),
            );
            url = url.replacen(&of_sqs, &own, 1);
        }
        let has_path = url
            .split_once("://")
            .is_some_and(|(_, rest)| rest.contains('/'));
        Ok(if has_path { url } else { url + "/" })
    }
}

/// As the SDK's clients look for it: what the program says, what is said for the service, what for all.
fn own(id: &'static str, config: &SdkConfig) -> Option<String> {
    let for_all = config.endpoint_url().map(ToOwned::to_owned);
    if config.get_origin("endpoint_url").is_client_config() {
        return for_all;
    }
    let key = ServiceConfigKey::builder()
        .service_id(id)
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build()
        .ok()?;
    let for_this = config
        .service_config()
        .and_then(|services| services.load_config(key));
    for_this.or(for_all)
}
