//! What the names mean that S3, and servers that speak its dialects, give their events.
//!
//! Whole names are known, never families: `MinIO` files tag writes under `ObjectCreated:`, and what a
//! server adds tomorrow may mean anything. A name that is not here is [`Meaning::Unknown`], and the
//! caller makes an error of it (docs/decisions/0011).
//!
//! Sources: Amazon S3 User Guide, "Supported event types for SQS, SNS, and Lambda"; Ceph
//! `src/rgw/rgw_notify_event_type.cc` and "S3 Bucket Notifications Compatibility"; `MinIO`
//! `internal/event/name.go`.

use crate::event::{Change, Event};

/// What an event reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// A version came or went.
    Change {
        /// Which way.
        change: Change,
        /// S3's own name for it.
        name: &'static str,
    },
    /// No version came or went.
    NoChange,
    /// Nobody knows.
    Unknown,
}

/// Names of changes, and S3's own name of each.
const CHANGES: &[(&str, Change, &str)] = &[
    // Amazon S3, and what all others have of it.
    ("ObjectCreated:Put", Change::Created, "ObjectCreated:Put"),
    ("ObjectCreated:Post", Change::Created, "ObjectCreated:Post"),
    ("ObjectCreated:Copy", Change::Created, "ObjectCreated:Copy"),
    (
        "ObjectCreated:CompleteMultipartUpload",
        Change::Created,
        "ObjectCreated:CompleteMultipartUpload",
    ),
    (
        "ObjectRemoved:DeleteMarkerCreated",
        Change::Removed,
        "ObjectRemoved:DeleteMarkerCreated",
    ),
    (
        "LifecycleExpiration:DeleteMarkerCreated",
        Change::Removed,
        "LifecycleExpiration:DeleteMarkerCreated",
    ),
    (
        "ObjectRemoved:Delete",
        Change::Deleted,
        "ObjectRemoved:Delete",
    ),
    (
        "LifecycleExpiration:Delete",
        Change::Deleted,
        "LifecycleExpiration:Delete",
    ),
    // Ceph: what arrives in another zone, and its twin in later releases. To S3 a replica is a put.
    ("ObjectSynced:Create", Change::Created, "ObjectCreated:Put"),
    ("Replication:Create", Change::Created, "ObjectCreated:Put"),
    (
        "ObjectSynced:DeletionMarkerCreated",
        Change::Removed,
        "ObjectRemoved:DeleteMarkerCreated",
    ),
    (
        "Replication:DeletionMarkerCreated",
        Change::Removed,
        "ObjectRemoved:DeleteMarkerCreated",
    ),
    (
        "ObjectSynced:Delete",
        Change::Deleted,
        "ObjectRemoved:Delete",
    ),
    (
        "Replication:Delete",
        Change::Deleted,
        "ObjectRemoved:Delete",
    ),
    // Ceph's lifecycle. Of a versioned object, the current version's end is a delete marker.
    (
        "ObjectLifecycle:Expiration:Current",
        Change::Removed,
        "LifecycleExpiration:DeleteMarkerCreated",
    ),
    (
        "ObjectLifecycle:Expiration:Noncurrent",
        Change::Deleted,
        "LifecycleExpiration:Delete",
    ),
    (
        "ObjectLifecycle:Expiration:NonCurrent",
        Change::Deleted,
        "LifecycleExpiration:Delete",
    ),
    (
        "ObjectLifecycle:Expiration:DeleteMarker",
        Change::Deleted,
        "LifecycleExpiration:Delete",
    ),
    // MinIO's lifecycle: a delete marker without versions behind it goes.
    (
        "LifecycleDelMarkerExpiration:Delete",
        Change::Deleted,
        "LifecycleExpiration:Delete",
    ),
];

/// Names of what changes no version.
const NO_CHANGES: &[&str] = &[
    // Amazon S3.
    "TestEvent",
    "ObjectAcl:Put",
    "ObjectTagging:Put",
    "ObjectTagging:Delete",
    "ObjectRestore:Post",
    "ObjectRestore:Completed",
    "ObjectRestore:Delete",
    "ReducedRedundancyLostObject",
    "Replication:OperationFailedReplication",
    "Replication:OperationMissedThreshold",
    "Replication:OperationReplicatedAfterThreshold",
    "Replication:OperationNotTracked",
    "LifecycleTransition",
    "IntelligentTiering",
    // The same as EventBridge names it.
    "Object ACL Updated",
    "Object Tags Added",
    "Object Tags Deleted",
    "Object Restore Initiated",
    "Object Restore Completed",
    "Object Restore Expired",
    "Object Storage Class Changed",
    "Object Access Tier Changed",
    // Ceph.
    "ObjectLifecycle:Transition:Current",
    "ObjectLifecycle:Transition:Noncurrent",
    "ObjectLifecycle:Transition:NonCurrent",
    "ObjectLifecycle:Expiration:AbortMPU",
    "ObjectLifecycle:Expiration:AbortMultipartUpload",
    // MinIO. `NoOP`: a delete that found nothing to delete.
    "ObjectCreated:PutTagging",
    "ObjectCreated:DeleteTagging",
    "ObjectCreated:PutRetention",
    "ObjectCreated:PutLegalHold",
    "ObjectRemoved:NoOP",
    "ObjectAccessed:Get",
    "ObjectAccessed:Head",
    "ObjectAccessed:Attributes",
    "ObjectAccessed:GetRetention",
    "ObjectAccessed:GetLegalHold",
    "ObjectTransition:Failed",
    "ObjectTransition:Complete",
    "Replication:OperationCompletedReplication",
    "BucketCreated:*",
    "BucketRemoved:*",
    "Scanner:ManyVersions",
    "Scanner:LargeVersions",
    "Scanner:BigPrefix",
];

/// What an event of this name, without the prefix `s3:`, reports.
#[must_use]
pub fn meaning(name: &str) -> Meaning {
    if let Some((_, change, own)) = CHANGES.iter().find(|(known, ..)| *known == name) {
        return Meaning::Change {
            change: *change,
            name: own,
        };
    }
    if NO_CHANGES.contains(&name) {
        return Meaning::NoChange;
    }
    Meaning::Unknown
}

impl Event {
    /// What happened, by its name; `None` for a name that no source of this crate gives.
    #[must_use]
    pub fn change(&self) -> Option<Change> {
        match meaning(&self.event_name) {
            Meaning::Change { change, .. } => Some(change),
            Meaning::NoChange | Meaning::Unknown => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_name_is_in_one_list_once_and_s3s_own_names_are_their_own() {
        let changes = CHANGES.iter().map(|(name, ..)| *name);
        let all: Vec<_> = changes.chain(NO_CHANGES.iter().copied()).collect();
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
        for (_, change, name) in CHANGES {
            let name = *name;
            let change = *change;
            assert_eq!(meaning(name), Meaning::Change { change, name });
        }
    }

    #[test]
    fn a_name_that_only_looks_known_is_unknown() {
        for name in [
            "",
            "ObjectCreated",
            "ObjectCreated:",
            "ObjectCreated:*",
            "ObjectCreated:Rename",
            "objectcreated:put",
            "ObjectCreated:Put ",
            "s3:ObjectCreated:Put",
            "ObjectRemoved:DeleteAllVersions",
            "ObjectTagging",
            "ObjectSynced:*",
        ] {
            assert_eq!(meaning(name), Meaning::Unknown, "{name:?}");
        }
    }
}
