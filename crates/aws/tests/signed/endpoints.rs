//! Where requests go.

use std::process::Command;

use aws_config::Region;
use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use bridge_aws::signed::ServiceClient;
use bridge_aws::signed::service::{CLOUDWATCH, DYNAMODB, SQS};
use bridge_aws::{machine, sdk};
use bridge_core::watched::Versioned as _;

use crate::server::{Server, ask, config, signed_in};

#[tokio::test]
async fn endpoints_follow_region_fips_and_dual_stack() {
    for (service, region, fips, dual_stack, url) in [
        (
            CLOUDWATCH,
            "eu-west-1",
            false,
            false,
            "https://monitoring.eu-west-1.amazonaws.com/",
        ),
        (
            CLOUDWATCH,
            "us-east-1",
            true,
            false,
            "https://monitoring-fips.us-east-1.amazonaws.com/",
        ),
        (
            SQS,
            "eu-west-1",
            false,
            false,
            "https://sqs.eu-west-1.amazonaws.com/",
        ),
        (
            SQS,
            "us-east-1",
            true,
            false,
            "https://sqs-fips.us-east-1.amazonaws.com/",
        ),
        (
            SQS,
            "eu-west-1",
            false,
            true,
            "https://sqs.eu-west-1.api.aws/",
        ),
        (
            SQS,
            "us-east-1",
            true,
            true,
            "https://sqs-fips.us-east-1.api.aws/",
        ),
        (
            SQS,
            "cn-north-1",
            false,
            false,
            "https://sqs.cn-north-1.amazonaws.com.cn/",
        ),
        (
            SQS,
            "us-gov-west-1",
            true,
            false,
            "https://sqs.us-gov-west-1.amazonaws.com/",
        ),
        (
            DYNAMODB,
            "eu-west-1",
            false,
            false,
            "https://dynamodb.eu-west-1.amazonaws.com/",
        ),
        (
            DYNAMODB,
            "us-east-1",
            true,
            false,
            "https://dynamodb-fips.us-east-1.amazonaws.com/",
        ),
    ] {
        let server = Server::default();
        let loader = config()
            .credentials_provider(Credentials::new("id", "secret", None, None, "test"))
            .region(Region::from_static(region))
            .use_fips(fips)
            .use_dual_stack(dual_stack);
        ask(&server.client_by(service, loader).await).await.unwrap();
        assert_eq!(server.urls(), [url]);
        let host = url.trim_start_matches("https://").trim_end_matches('/');
        assert_eq!(server.header(0, "host"), host);
        assert!(
            server
                .header(0, "authorization")
                .contains(&format!("/{region}/"))
        );
    }
}

#[tokio::test]
async fn buckets_are_in_the_host_at_aws_and_in_the_path_elsewhere() {
    for (bucket, region, fips, dual_stack, own, url) in [
        (
            "ledger",
            "eu-west-1",
            false,
            false,
            None,
            "https://ledger.s3.eu-west-1.amazonaws.com/",
        ),
        // The region's own, not the global one.
        (
            "ledger",
            "us-east-1",
            false,
            false,
            None,
            "https://ledger.s3.us-east-1.amazonaws.com/",
        ),
        (
            "ledger",
            "us-east-1",
            true,
            true,
            None,
            "https://ledger.s3-fips.dualstack.us-east-1.amazonaws.com/",
        ),
        (
            "ledger",
            "cn-north-1",
            false,
            true,
            None,
            "https://ledger.s3.dualstack.cn-north-1.amazonaws.com.cn/",
        ),
        // Certificates have one place for names.
        (
            "ledger.of.2024",
            "eu-west-1",
            false,
            false,
            None,
            "https://s3.eu-west-1.amazonaws.com/ledger.of.2024/",
        ),
        (
            "Old_Ledger",
            "us-east-1",
            false,
            false,
            None,
            "https://s3.us-east-1.amazonaws.com/Old_Ledger/",
        ),
        (
            "ledger",
            "eu-west-1",
            false,
            false,
            Some("http://127.0.0.1:9000/"),
            "http://127.0.0.1:9000/ledger/",
        ),
        (
            "ledger",
            "eu-west-1",
            false,
            false,
            Some("https://proxy/s3"),
            "https://proxy/s3/ledger/",
        ),
    ] {
        let server = Server::default();
        let loader = signed_in()
            .region(Region::from_static(region))
            .use_fips(fips)
            .use_dual_stack(dual_stack);
        let loader = match own {
            Some(own) => loader.endpoint_url(own),
            None => loader,
        };
        let bucket = server.bucket(loader, bucket).await;
        bucket.versioning().await.unwrap_err();
        assert_eq!(server.urls(), [format!("{url}?versioning")]);
        let host = url.split('/').nth(2).unwrap();
        assert_eq!(server.header(0, "host"), host);
    }
    let loader = signed_in()
        .use_fips(true)
        .endpoint_url("http://127.0.0.1:1");
    let bucket = Server::default().bucket(loader, "ledger").await;
    let error = bucket.versioning().await.unwrap_err();
    assert!(error.reason.contains("FIPS"), "{}", error.reason);
}

/// In whatever environment; the next test starts it in some.
#[tokio::test]
async fn functions_and_the_program_ask_the_same_endpoint() {
    let mut told = Vec::new();
    for config in [machine::load().await, sdk::of_environment()] {
        let server = Server::default();
        let client = ServiceClient::new(SQS, &config, SharedHttpConnector::new(server.clone()));
        let error = ask(&client).await.err().map(|error| error.to_string());
        told.push(format!("told {:?} {error:?}", server.urls().first()));
    }
    println!("{}", told.join("\n"));
    assert_eq!(told[0], told[1]);
}

#[test]
fn the_environment_says_where_sqs_is() {
    for (variables, told) in [
        (&[][..], "Some(\"https://sqs.eu-west-1.amazonaws.com/\")"),
        (
            &[("AWS_ENDPOINT_URL", "http://127.0.0.1:1")],
            "Some(\"http://127.0.0.1:1/\")",
        ),
        (
            &[
                ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
                ("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:2/x"),
            ],
            "Some(\"http://127.0.0.1:2/x\")",
        ),
        (
            &[("AWS_USE_FIPS_ENDPOINT", "true")],
            "Some(\"https://sqs-fips.eu-west-1.amazonaws.com/\")",
        ),
        (
            &[("AWS_USE_DUALSTACK_ENDPOINT", "true")],
            "Some(\"https://sqs.eu-west-1.api.aws/\")",
        ),
        (
            &[
                ("AWS_USE_FIPS_ENDPOINT", "true"),
                ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
            ],
            "FIPS and custom endpoint are not supported",
        ),
    ] {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child
            .args([
                "--exact",
                "endpoints::functions_and_the_program_ask_the_same_endpoint",
                "--nocapture",
            ])
            .env_remove("AWS_PROFILE")
            .envs([
                ("AWS_REGION", "eu-west-1"),
                ("AWS_ACCESS_KEY_ID", "id"),
                ("AWS_SECRET_ACCESS_KEY", "secret"),
                ("AWS_CONFIG_FILE", "/dev/null"),
                ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
            ])
            .envs(variables.iter().copied());
        let output = child.output().unwrap();
        let output = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<_> = output.lines().filter(|l| l.contains("told ")).collect();
        assert_eq!(lines.len(), 2, "{output}");
        for line in lines {
            assert!(line.contains(told), "{variables:?}: {line}");
        }
    }
}
