//! Credentials, kept as long as they are good and renewed before they end.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_runtime_api::client::identity::Identity;
use bridge_core::failure::FailureKind;

use crate::request_error::{RequestError, sources};

/// How long before their end credentials are renewed: more than a request takes, so that none is signed with
/// what is not good any more when it arrives.
const AHEAD: Duration = Duration::from_mins(1);

/// Where credentials come from, and those at hand.
#[derive(Debug)]
pub(super) struct Credentials {
    provider: Option<SharedCredentialsProvider>,
    held: Mutex<Option<Identity>>,
    /// Held by the one call that renews them.
    renewing: tokio::sync::Mutex<()>,
}

impl Credentials {
    pub(super) fn new(provider: Option<SharedCredentialsProvider>) -> Self {
        Self {
            provider,
            held: Mutex::default(),
            renewing: tokio::sync::Mutex::default(),
        }
    }

    /// Credentials that are good for a while.
    ///
    /// # Errors
    /// When there are none; when there are none now, it may help to ask again.
    pub(super) async fn get(&self, clock: &SharedTimeSource) -> Result<Identity, RequestError> {
        if let Some(fresh) = self.fresh(clock.now()) {
            return Ok(fresh);
        }
        let _turn = self.renewing.lock().await;
        if let Some(fresh) = self.fresh(clock.now()) {
            return Ok(fresh);
        }
        let Some(provider) = &self.provider else {
            return Err(missing("the AWS SDK looks for no credentials".to_owned()));
        };
        match provider.provide_credentials().await {
            Ok(credentials) => {
                let identity = Identity::from(credentials);
                *self.lock() = Some(identity.clone());
                Ok(identity)
            }
            Err(error) => {
                let held = self.lock().clone();
                let held =
                    held.filter(|held| held.expiration().is_none_or(|end| clock.now() < end));
                held.ok_or_else(|| missing(sources(&error)))
            }
        }
    }

    fn fresh(&self, now: SystemTime) -> Option<Identity> {
        let held = self.lock();
        let is_fresh = |held: &&Identity| held.expiration().is_none_or(|end| now + AHEAD < end);
        held.as_ref().filter(is_fresh).cloned()
    }

    /// The service says that these are good no more, whatever was said of their end.
    pub(super) fn forget(&self, refused: &Identity) {
        let mut held = self.lock();
        let is_refused = |held: &Identity| access_key(held) == access_key(refused);
        if held.as_ref().is_some_and(is_refused) {
            *held = None;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Identity>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which credentials these are.
fn access_key(identity: &Identity) -> Option<&str> {
    let credentials = identity.data::<aws_credential_types::Credentials>();
    credentials.map(aws_credential_types::Credentials::access_key_id)
}

/// As the SDK's clients tell it: a job waits until somebody signs in again.
fn missing(message: String) -> RequestError {
    RequestError {
        code: "ConnectionFailed".to_owned(),
        message: format!("no credentials: {message}"),
        kind: FailureKind::Transient,
    }
}
