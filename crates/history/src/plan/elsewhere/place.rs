//! Where a plan from elsewhere is.

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::plan::store::PlanStore;

/// Port: plans made elsewhere, which are only read.
pub trait Elsewhere: Send + Sync {
    /// The files of a folder, `s3://bucket/prefix` or one of this machine; `None` where such a folder is out of
    /// reach.
    fn open(&self, folder: &str) -> Option<Arc<dyn PlanStore>>;
}

/// A plan from elsewhere, as a job remembers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanSource {
    /// Its manifest: `s3://bucket/prefix/manifest.json`, or a file of this machine.
    pub uri: String,
    /// Of the manifest, when the job was started. Another one is refused.
    #[serde(default)]
    pub digest: String,
}

impl PlanSource {
    /// The plan of a manifest.
    ///
    /// # Errors
    /// What was found and what is allowed.
    pub fn parse(uri: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "found {uri:?}, allowed is the manifest of a plan, like s3://bucket/prefix/manifest.json"
            )
        };
        let path = match uri.split_once("://") {
            Some(("s3", path)) => path,
            Some(_) => return Err(wrong()),
            None => uri.strip_prefix('/').ok_or_else(wrong)?,
        };
        let parts: Vec<_> = path.split('/').collect();
        let is_one = |part: &&str| !matches!(*part, "" | "." | "..");
        let least = if uri.starts_with('/') { 1 } else { 2 };
        let is_json = Path::new(uri).extension().is_some_and(|e| e == "json");
        if parts.len() < least || !parts.iter().all(is_one) || !is_json {
            return Err(wrong());
        }
        Ok(Self {
            uri: uri.to_owned(),
            digest: String::new(),
        })
    }

    /// The manifest's folder, and its name in it.
    #[must_use]
    pub fn parts(&self) -> (&str, &str) {
        self.uri.rsplit_once('/').unwrap_or(("", &self.uri))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_named_by_its_manifest() {
        for (uri, parts) in [
            ("s3://plans/manifest.json", ("s3://plans", "manifest.json")),
            ("s3://plans/a b/c/m.json", ("s3://plans/a b/c", "m.json")),
            ("/data/plan/manifest.json", ("/data/plan", "manifest.json")),
        ] {
            assert_eq!(PlanSource::parse(uri).unwrap().parts(), parts);
        }
        for uri in [
            "",
            "manifest.json",
            "s3://plans",
            "s3:///manifest.json",
            "s3://plans/",
            "s3://plans/a/../manifest.json",
            "s3://plans//manifest.json",
            "https://plans/manifest.json",
            "s3://plans/prefix",
        ] {
            let error = PlanSource::parse(uri).unwrap_err();
            assert!(
                error.contains("s3://bucket/prefix/manifest.json"),
                "{error}"
            );
        }
    }
}
