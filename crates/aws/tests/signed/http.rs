//! The connections of the small client: over real sockets.

use aws_config::ConfigLoader;
use bridge_aws::sdk;
use bridge_aws::signed::ServiceClient;
use bridge_aws::signed::service::DYNAMODB;
use bridge_core::failure::FailureKind;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::server::{ask, signed_in};

async fn client(loader: ConfigLoader) -> ServiceClient {
    ServiceClient::new(DYNAMODB, &loader.load().await, sdk::connector())
}

/// Takes one connection, and answers as many requests on it.
async fn answers(listener: TcpListener, requests: usize) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut buffer = vec![0; 64 * 1024];
    for _ in 0..requests {
        let read = stream.read(&mut buffer).await.unwrap();
        assert!(buffer[..read].starts_with(b"POST / HTTP/1.1\r\n"));
        let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

#[tokio::test]
async fn a_connection_is_kept_for_the_next_request() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server: JoinHandle<()> = tokio::spawn(answers(listener, 3));
    let client = client(signed_in().endpoint_url(url)).await;
    for _ in 0..3 {
        assert_eq!(ask(&client).await.unwrap(), "{}");
    }
    server.await.unwrap();
}

#[tokio::test]
async fn nobody_there_may_be_asked_for_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let client = client(signed_in().endpoint_url(url)).await;
    let error = ask(&client).await.unwrap_err();
    assert_eq!(
        (error.kind, &*error.code),
        (FailureKind::Transient, "ConnectionFailed")
    );
    assert!(error.message.contains("refused"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_is_not_answered_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let client = client(signed_in().endpoint_url(url)).await;
    let begin = tokio::time::Instant::now();
    let error = ask(&client).await.unwrap_err();
    assert_eq!(
        (error.kind, &*error.code),
        (FailureKind::Transient, "ConnectionFailed")
    );
    assert!(
        error.message.contains("no connection within 3 s"),
        "{error}"
    );
    assert_eq!(begin.elapsed().as_secs(), 3);
}
