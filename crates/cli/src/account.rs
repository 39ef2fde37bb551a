//! Whose account is asked, and in which region: options of every command.

use bridge_aws::machine::Choice;
use bridge_aws::sdk::SdkConfig;
use clap::Args;

use crate::Usage;

/// Whose account, and which region.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "AWS")]
pub(crate) struct Account {
    /// Use this profile's credentials and region, as of `aws configure` or `aws configure sso`; default
    /// `AWS_PROFILE`
    #[arg(long, value_name = "NAME", global = true)]
    profile: Option<String>,
    /// Ask this region; default `AWS_REGION`, then the profile's
    #[arg(long, value_name = "REGION", global = true)]
    region: Option<String>,
}

impl Account {
    fn choice(&self) -> Choice {
        Choice {
            profile: self.profile.clone(),
            region: self.region.clone(),
        }
    }

    /// Region, credentials and endpoints; nothing is looked at yet.
    pub(crate) async fn load(&self) -> SdkConfig {
        self.choice().load().await
    }

    /// # Errors
    /// Where there are no credentials: what was tried, and what to do.
    pub(crate) async fn check_credentials(&self, config: &SdkConfig) -> Result<(), Usage> {
        self.choice().check_credentials(config).await.map_err(Usage)
    }

    /// As [`load`](Self::load), with a region and credentials that are there; `whose` region it must be.
    ///
    /// # Errors
    /// What is missing, and what to do.
    pub(crate) async fn open(&self, whose: &str) -> Result<SdkConfig, Usage> {
        let config = self.load().await;
        if config.region().is_none() {
            return Err(Usage(format!(
                "no region is set: give --region, or set AWS_REGION to the {whose}'s"
            )));
        }
        self.check_credentials(&config).await?;
        Ok(config)
    }
}
