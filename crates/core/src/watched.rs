//! Whether a bucket is set up so that its changes arrive: versioned, and with notifications of them. A
//! bucket that lacks one looks healthy to everything else, and its changes are lost.

use async_trait::async_trait;

/// The events that must be reported. Each may be covered by a pattern: `s3:ObjectCreated:*`.
const EVENTS: [&str; 4] = [
    "s3:ObjectCreated:Put",
    "s3:ObjectCreated:CompleteMultipartUpload",
    "s3:ObjectRemoved:DeleteMarkerCreated",
    "s3:ObjectRemoved:Delete",
];

/// A bucket's `VersioningConfiguration`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versioning {
    /// Every change is a version.
    Enabled,
    /// Changes replace the version `null`.
    Suspended,
    /// It never was versioned.
    Never,
}

/// A bucket's `NotificationConfiguration`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notifications {
    /// All events go to `EventBridge`.
    pub event_bridge: bool,
    /// Functions, queues and topics that are notified.
    pub destinations: Vec<Destination>,
}

/// Who is notified, and of what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The function's, queue's or topic's ARN.
    pub arn: String,
    /// `s3:ObjectCreated:*` …
    pub events: Vec<String>,
    /// Of which keys.
    pub keys: KeyFilter,
}

/// Keys that begin and end so; by default all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyFilter {
    /// What they begin with.
    pub prefix: String,
    /// What they end with.
    pub suffix: String,
}

impl KeyFilter {
    /// Whether each key that `other` takes is taken by this one.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        other.prefix.starts_with(&self.prefix) && other.suffix.ends_with(&self.suffix)
    }
}

/// Why a question got no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoAnswer {
    /// The caller may not ask, or the server does not know the question.
    pub is_refused: bool,
    /// The code and the message.
    pub reason: String,
}

/// Port: whether the bucket keeps what was overwritten.
#[async_trait]
pub trait Versioned: Send + Sync {
    /// `GetBucketVersioning`.
    ///
    /// # Errors
    /// [`NoAnswer`], also when the caller may not ask.
    async fn versioning(&self) -> Result<Versioning, NoAnswer>;
}

/// Port: how the bucket is set up.
#[async_trait]
pub trait WatchedBucket: Versioned {
    /// `GetBucketNotificationConfiguration`.
    ///
    /// # Errors
    /// [`NoAnswer`], also when the caller may not ask.
    async fn notifications(&self) -> Result<Notifications, NoAnswer>;
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// It is as it should be.
    Ok,
    /// It could not be looked at; why.
    NotChecked(String),
    /// It is not; what is wrong and what to do.
    Wrong(String),
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ok => f.write_str("ok"),
            Self::NotChecked(reason) => write!(f, "not checked: {reason}"),
            Self::Wrong(reason) => f.write_str(reason),
        }
    }
}

impl From<NoAnswer> for Finding {
    fn from(none: NoAnswer) -> Self {
        if none.is_refused {
            Self::NotChecked(none.reason)
        } else {
            Self::Wrong(none.reason)
        }
    }
}

/// Whether the bucket keeps versions.
pub async fn check_versioning(bucket: &dyn Versioned) -> Finding {
    match bucket.versioning().await {
        Ok(Versioning::Enabled) => Finding::Ok,
        Ok(Versioning::Suspended) => Finding::Wrong(
            "versioning is suspended: what is overwritten or deleted is lost to every reseed; enable \
             it with `aws s3api put-bucket-versioning`"
                .to_owned(),
        ),
        Ok(Versioning::Never) => Finding::Wrong(
            "the bucket is not versioned: it has no history to replay; enable it with `aws s3api \
             put-bucket-versioning`"
                .to_owned(),
        ),
        Err(none) => none.into(),
    }
}

/// Whether the bucket notifies `target` of changes of the keys that are `wanted`: an ARN, or `eventbridge`. An
/// empty `target` is not known: then anybody will do.
pub async fn check_notifications(
    bucket: &dyn WatchedBucket,
    target: &str,
    wanted: &KeyFilter,
) -> Finding {
    let set_up = match bucket.notifications().await {
        Ok(set_up) => set_up,
        Err(none) => return none.into(),
    };
    let by_bus = target == "eventbridge" || target.is_empty();
    if by_bus && set_up.event_bridge {
        return Finding::Ok;
    }
    if target == "eventbridge" {
        return Finding::Wrong(
            "the bucket sends nothing to EventBridge, so that no change arrives in realtime; add \
             `EventBridgeConfiguration` with `aws s3api put-bucket-notification-configuration`"
                .to_owned(),
        );
    }
    let destinations = || {
        let all = set_up.destinations.iter();
        all.filter(|destination| target.is_empty() || destination.arn == target)
    };
    let covers = |pattern: &str, event: &str| match pattern.strip_suffix('*') {
        Some(family) => event.starts_with(family),
        None => pattern == event,
    };
    let unheard = EVENTS.into_iter().find(|event| {
        let mut patterns = destinations().flat_map(|destination| &destination.events);
        !patterns.any(|pattern| covers(pattern, event))
    });
    let whom = if target.is_empty() { "anybody" } else { target };
    if let Some(event) = unheard {
        return Finding::Wrong(format!(
            "the bucket does not notify {whom} of {event}, so that such changes do not arrive in \
             realtime; see `aws s3api get-bucket-notification-configuration`"
        ));
    }
    if !destinations().any(|destination| destination.keys.covers(wanted)) {
        return Finding::Wrong(format!(
            "the bucket notifies {whom} of some keys only: its notifications have a prefix or suffix"
        ));
    }
    Finding::Ok
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bucket(
        Result<Versioning, NoAnswer>,
        Result<Notifications, NoAnswer>,
    );

    #[async_trait]
    impl Versioned for Bucket {
        async fn versioning(&self) -> Result<Versioning, NoAnswer> {
            self.0.clone()
        }
    }

    #[async_trait]
    impl WatchedBucket for Bucket {
        async fn notifications(&self) -> Result<Notifications, NoAnswer> {
            self.1.clone()
        }
    }

    fn notifies(arn: &str, events: &[&str], prefix: &str) -> Notifications {
        let events = events.iter().map(ToString::to_string).collect();
        Notifications {
            event_bridge: false,
            destinations: vec![Destination {
                arn: arn.to_owned(),
                events,
                keys: of(prefix, ""),
            }],
        }
    }

    fn of(prefix: &str, suffix: &str) -> KeyFilter {
        KeyFilter {
            prefix: prefix.to_owned(),
            suffix: suffix.to_owned(),
        }
    }

    #[test]
    fn a_filter_must_let_through_what_is_wanted() {
        for (filter, wanted, covers) in [
            (of("", ""), of("a/", ".csv"), true),
            (of("a/", ""), of("a/", ""), true),
            (of("a/", ""), of("a/b/", ".csv"), true),
            (of("a/b/", ""), of("a/", ""), false),
            (of("", ".csv"), of("", "x.csv"), true),
            (of("", ".csv"), of("", ""), false),
        ] {
            assert_eq!(filter.covers(&wanted), covers, "{filter:?} {wanted:?}");
        }
    }

    #[tokio::test]
    async fn only_an_enabled_versioning_is_ok() {
        for (versioning, part) in [
            (Versioning::Enabled, "ok"),
            (Versioning::Suspended, "suspended"),
            (Versioning::Never, "is not versioned"),
        ] {
            let bucket = Bucket(Ok(versioning), Ok(Notifications::default()));
            let found = check_versioning(&bucket).await.to_string();
            assert!(found.contains(part), "{found}");
        }
    }

    #[tokio::test]
    async fn what_may_not_be_asked_is_not_checked_and_what_fails_is_wrong() {
        for (is_refused, text) in [(true, "not checked: AccessDenied"), (false, "AccessDenied")] {
            let none = NoAnswer {
                is_refused,
                reason: "AccessDenied".to_owned(),
            };
            let bucket = Bucket(Err(none.clone()), Err(none));
            assert_eq!(check_versioning(&bucket).await.to_string(), text);
            let all = KeyFilter::default();
            let found = check_notifications(&bucket, "x", &all).await;
            assert_eq!(found.to_string(), text);
        }
    }

    #[tokio::test]
    async fn a_bucket_that_tells_nobody_or_somebody_else_is_not_ok() {
        let all = ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"];
        let bus = Notifications {
            event_bridge: true,
            ..Notifications::default()
        };
        for (set_up, target, part) in [
            (
                Notifications::default(),
                "eventbridge",
                "nothing to EventBridge",
            ),
            (Notifications::default(), "", "does not notify anybody"),
            (Notifications::default(), "arn:f", "does not notify arn:f"),
            (bus.clone(), "eventbridge", "ok"),
            (bus.clone(), "", "ok"),
            (bus, "arn:f", "does not notify arn:f"),
            (notifies("arn:f", &all, ""), "arn:f", "ok"),
            (notifies("arn:f", &all, ""), "", "ok"),
            (
                notifies("arn:g", &all, ""),
                "arn:f",
                "does not notify arn:f",
            ),
            (notifies("arn:f", &all, "a/"), "arn:f", "some keys only"),
            (
                notifies("arn:f", &all[..1], ""),
                "arn:f",
                "of s3:ObjectRemoved",
            ),
            (
                notifies("arn:f", &["s3:ObjectCreated:Put"], ""),
                "arn:f",
                "CompleteMultipartUpload",
            ),
        ] {
            let bucket = Bucket(Ok(Versioning::Enabled), Ok(set_up.clone()));
            let all = KeyFilter::default();
            let found = check_notifications(&bucket, target, &all).await;
            let found = found.to_string();
            assert!(found.contains(part), "{set_up:?} {target}: {found}");
        }
    }
}
