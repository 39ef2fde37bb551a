//! moto with its judge at work (`tests/judge.py`): roles, and what they asked for.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context as _;
use aws_config::{Region, SdkConfig};
use aws_sdk_sqs::config::{Credentials as AwsCredentials, SharedCredentialsProvider};
use infra::resources::PolicyDocument;
use serde::Deserialize;
use serde_json::{Value, json};

/// The region of everything on it.
pub const REGION: &str = "us-east-1";

/// The account of everything on it.
pub const ACCOUNT: &str = "123456789012";

/// Roles have names of their own.
static ROLES: AtomicUsize = AtomicUsize::new(0);

/// A running one.
#[derive(Debug, Clone)]
pub struct Judge {
    /// Where it answers.
    pub endpoint: String,
}

/// A role that something runs under.
#[derive(Debug, Clone)]
pub struct Role {
    name: String,
    /// Of a session of it.
    pub credentials: Credentials,
}

/// A session's.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Credentials {
    access_key_id: String,
    /// What signatures are made with.
    pub secret_access_key: String,
    /// What proves the session.
    pub session_token: String,
}

/// What a role asked for.
#[derive(Debug, Clone, Deserialize)]
pub struct Decision {
    /// As AWS calls it in policies.
    pub action: String,
    /// An ARN.
    pub resource: String,
    /// Whether it was let.
    pub allowed: bool,
    /// What a function was invoked with.
    pub payload: Option<Value>,
}

impl Judge {
    /// The one that the environment names.
    ///
    /// # Errors
    /// When it names none.
    pub fn find() -> anyhow::Result<Self> {
        let endpoint = std::env::var("JUDGE_ENDPOINT");
        let endpoint = endpoint.context("this test needs moto: run it with `cargo xtask test`")?;
        Ok(Self { endpoint })
    }

    /// A new role that may this and nothing else.
    ///
    /// # Errors
    /// When the policy is none.
    pub fn role(&self, who: &str, policy: &PolicyDocument) -> anyhow::Result<Role> {
        let number = ROLES.fetch_add(1, Ordering::Relaxed);
        let name = format!("{who}-{}-{number}", std::process::id());
        let url = format!("{}/moto-api/role?name={name}", self.endpoint);
        let post = ureq::post(url).header("content-type", "application/json");
        let answer = post.send(serde_json::to_string(policy)?);
        let mut answer = answer.with_context(|| format!("making role {name}"))?;
        let credentials = serde_json::from_str(&answer.body_mut().read_to_string()?)?;
        Ok(Role { name, credentials })
    }

    /// A role that may everything.
    ///
    /// # Errors
    /// As [`Self::role`].
    pub fn owner(&self) -> anyhow::Result<Role> {
        let policy = json!({
            "Version": "2012-10-17",
            "Statement": [{ "Sid": "All", "Effect": "Allow", "Action": "*", "Resource": "*" }],
        });
        let policy = serde_json::from_value(policy)?;
        self.role("owner", &policy)
    }

    /// What a role asked for so far, in that order.
    ///
    /// # Errors
    /// When it does not tell.
    pub fn decisions(&self, role: &Role) -> anyhow::Result<Vec<Decision>> {
        let url = format!("{}/moto-api/decisions?name={}", self.endpoint, role.name);
        let mut answer = ureq::get(url).call().context("asking the judge")?;
        Ok(serde_json::from_str(&answer.body_mut().read_to_string()?)?)
    }

    /// What SDKs are configured with to come here with these, whatever the environment says of the emulator.
    #[must_use]
    pub fn config(&self, credentials: &Credentials) -> SdkConfig {
        let token = Some(credentials.session_token.clone());
        let (id, secret) = (&credentials.access_key_id, &credentials.secret_access_key);
        let credentials = AwsCredentials::new(id, secret, token, None, "judge");
        crate::aws::patient(bridge_aws::sdk::of_environment())
            .into_builder()
            .endpoint_url(&self.endpoint)
            .region(Region::new(REGION))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .build()
    }

    /// What programs find the same by.
    #[must_use]
    pub fn environment(&self, credentials: &Credentials) -> BTreeMap<String, String> {
        let variables = [
            ("AWS_ENDPOINT_URL", self.endpoint.as_str()),
            ("AWS_REGION", REGION),
            ("AWS_DEFAULT_REGION", REGION),
            ("AWS_ACCESS_KEY_ID", &credentials.access_key_id),
            ("AWS_SECRET_ACCESS_KEY", &credentials.secret_access_key),
            ("AWS_SESSION_TOKEN", &credentials.session_token),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        BTreeMap::from(variables)
    }
}
