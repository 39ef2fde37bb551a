//! Broken copies that the rules of buckets, tables and the key catch.

use crate::Broken;

pub(super) const BROKEN: &[Broken] = &[
    (
        "Resources/Bucket/Properties/VersioningConfiguration/Status",
        "Suspended",
        "Bucket versioning is Suspended",
    ),
    (
        "Resources/Bucket/Properties/BucketEncryption",
        "-",
        "Bucket is not encrypted",
    ),
    (
        "Resources/PlanBucket/Properties/PublicAccessBlockConfiguration/BlockPublicAcls",
        "-",
        "PlanBucket BlockPublicAcls",
    ),
    (
        "Resources/PlanBucket/Properties/PublicAccessBlockConfiguration/RestrictPublicBuckets",
        "false",
        "PlanBucket RestrictPublicBuckets",
    ),
    (
        "Resources/CheckpointTable/Properties/TimeToLiveSpecification/AttributeName",
        "ttl",
        "CheckpointTable TTL attribute",
    ),
    (
        "Resources/CheckpointTable/Properties/TimeToLiveSpecification",
        "-",
        "CheckpointTable TTL",
    ),
    (
        "Resources/CheckpointTable/Properties/PointInTimeRecoverySpecification",
        "-",
        "CheckpointTable recovery",
    ),
    (
        "Resources/CheckpointTable/Properties/GlobalSecondaryIndexes",
        "-",
        "CheckpointTable has no index phase-createdAt",
    ),
    (
        "Resources/CheckpointTable/Properties/GlobalSecondaryIndexes/0/KeySchema/1/AttributeName",
        "updatedAt",
        "CheckpointTable index is phase HASH, updatedAt RANGE",
    ),
    (
        "Resources/CheckpointTable/Properties/GlobalSecondaryIndexes/0/Projection/ProjectionType",
        "ALL",
        "CheckpointTable index projection is ALL",
    ),
    (
        "Resources/ReseedRole/Properties/Policies/0/PolicyDocument/Statement/6/Action",
        "\"dynamodb:Scan\"",
        "Reseed may not ask ${CheckpointTable.Arn}/index/phase-createdAt",
    ),
    (
        "Resources/CheckpointTable/Properties/BillingMode",
        "PROVISIONED",
        "CheckpointTable billing",
    ),
    (
        "Resources/CheckpointTable/Properties/SSESpecification/SSEEnabled",
        "false",
        "CheckpointTable encryption",
    ),
    (
        "Resources/LiveTable/Properties/TimeToLiveSpecification/AttributeName",
        "ttl",
        "LiveTable TTL attribute",
    ),
    (
        "Resources/LiveTable/Properties/BillingMode",
        "PROVISIONED",
        "LiveTable billing",
    ),
    (
        "Resources/LiveTable/Properties/SSESpecification",
        "-",
        "LiveTable encryption",
    ),
    (
        "Resources/LiveTable/Properties/SSESpecification/KMSMasterKeyId",
        "-",
        "LiveTable is not encrypted by arn:aws:kms",
    ),
    (
        "Resources/RealtimeRole/Properties/Policies/0/PolicyDocument/Statement/5/1/Condition/StringEquals/kms:ViaService/1",
        "-",
        "Realtime may not use the key for its table",
    ),
    (
        "Resources/PlanBucket/Properties/BucketEncryption/ServerSideEncryptionConfiguration/0/ServerSideEncryptionByDefault/KMSMasterKeyID",
        "-",
        "PlanBucket is not encrypted by arn:aws:kms",
    ),
    (
        "Resources/Bucket/Properties/BucketEncryption/ServerSideEncryptionConfiguration/0/ServerSideEncryptionByDefault/SSEAlgorithm",
        "AES256",
        "Bucket algorithm is AES256",
    ),
    (
        "Resources/RealtimeLogs/Properties/KmsKeyId",
        "-",
        "RealtimeLogs is not encrypted by arn:aws:kms",
    ),
    (
        "Resources/BufferQueue/Properties/KmsMasterKeyId",
        "alias/aws/sqs",
        "there are several keys",
    ),
    (
        "Resources/ReseedRole/Properties/Policies/0/PolicyDocument/Statement/13",
        "-",
        "only [\"Realtime\"] may use the former key",
    ),
    (
        "Resources/RealtimeRole/Properties/Policies/0/PolicyDocument/Statement/7/1/Action",
        "[\"kms:Decrypt\", \"kms:GenerateDataKey\"]",
        "Realtime with the former key is kms:Decrypt kms:GenerateDataKey",
    ),
    (
        "Resources/ReseedRole/Properties/Policies/0/PolicyDocument/Statement/13/1/Condition/StringEquals/kms:ViaService/1",
        "-",
        "Reseed may not use the former key by s3",
    ),
    (
        "Resources/ReseedRole/Properties/Policies/0/PolicyDocument/Statement/9/1/Action",
        "[\"kms:Decrypt\"]",
        "Reseed may not use the key",
    ),
];
