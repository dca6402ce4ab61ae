// SPDX-License-Identifier: Apache-2.0
//! The gRPC server, driven by a foreign HTTP/2 client over a port that comes and goes.

mod common;

use bytes::Bytes;
use common::{frame, port, shake_hands, Client, Host};
use std::sync::Arc;
use tokio::io::AsyncWriteExt;
use tokio::sync::watch;
use virtcontainers_agent::config::Config;
use virtcontainers_agent::proto::grpc::*;
use virtcontainers_agent::sandbox::Agent;
use virtcontainers_agent::server;

const CHECK: &str = "/grpc.Health/Check";

fn serve() -> Host {
    let (port, host) = port();
    let (_, boot) = watch::channel(Some(Ok(())));
    let config = Config {
        guest: false,
        ..Config::guest()
    };
    let agent = Arc::new(Agent::new(config, boot).unwrap());
    tokio::spawn(server::serve(port, agent));
    host
}

async fn check(client: &Client) {
    let answer: HealthCheckResponse = client.call(CHECK, CheckRequest::default()).await.unwrap();
    assert_eq!(answer.status, 1);
}

#[tokio::test]
async fn health_is_answered() {
    let client = Client::over(serve().connect()).await;
    check(&client).await;
    let version: VersionCheckResponse = client
        .call("/grpc.Health/Version", CheckRequest::default())
        .await
        .unwrap();
    assert_eq!(version.grpc_version, "0.0.1");
    assert_eq!(version.agent_version, env!("CARGO_PKG_VERSION"));
}

#[tokio::test]
async fn unknown_methods_are_unimplemented_by_name() {
    let client = Client::over(serve().connect()).await;
    for method in ["NoSuch", "/other.Service/Call"] {
        let failure = client.call::<()>(method, ()).await.unwrap_err();
        assert_eq!(failure.code, 12);
        assert!(failure.message.contains(method), "{failure:?}");
    }
}

#[tokio::test]
async fn calls_before_the_sandbox_are_failed_preconditions() {
    let client = Client::over(serve().connect()).await;
    for method in [
        "StartContainer",
        "WaitProcess",
        "ReadStdout",
        "RemoveContainer",
    ] {
        let request = StartContainerRequest {
            container_id: "c".into(),
        };
        let failure = client.call::<()>(method, request).await.unwrap_err();
        assert_eq!(failure.code, 9, "{method}");
    }
    let request = CreateContainerRequest {
        container_id: "c".into(),
        ..Default::default()
    };
    let failure = client
        .call::<()>("CreateContainer", request)
        .await
        .unwrap_err();
    assert_eq!(failure.code, 9);
}

#[tokio::test]
async fn malformed_requests_are_invalid_arguments() {
    let client = Client::over(serve().connect()).await;
    let code = |path: &'static str, body: Bytes| {
        let client = client.clone();
        async move {
            client
                .send(path, &[], body)
                .await
                .unwrap()
                .unwrap_err()
                .code
        }
    };
    let start = "/grpc.AgentService/StartContainer";
    assert_eq!(code(start, frame(b"\x0a\xff")).await, 3, "not protobuf");
    assert_eq!(code(start, frame(b"\x0a\x01\xff")).await, 3, "not UTF-8");
    assert_eq!(code(CHECK, Bytes::new()).await, 3, "no message");
    assert_eq!(
        code(CHECK, frame(b"abc").slice(..6)).await,
        3,
        "cut message"
    );
    let twice = [frame(b""), frame(b"")].concat();
    assert_eq!(code(CHECK, twice.into()).await, 3, "two messages");
    assert_eq!(
        code(CHECK, Bytes::from_static(&[1, 0, 0, 0, 0])).await,
        12,
        "compressed"
    );
    check(&client).await;
}

#[tokio::test]
async fn oversize_messages_are_refused_before_they_arrive() {
    let client = Client::over(serve().connect()).await;
    let mut head = vec![0];
    head.extend_from_slice(&((4u32 << 20) + 1).to_be_bytes());
    let failure = client
        .send(CHECK, &[], head.into())
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(failure.code, 8);
    // The largest legal one passes: an unknown field of 4 MiB less its own header.
    let length = (4 << 20) - 5;
    let mut message = vec![0x7a];
    let mut rest = length;
    while rest >= 0x80 {
        message.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    message.push(rest as u8);
    message.resize(message.len() + length, 0);
    assert_eq!(message.len(), 4 << 20);
    assert!(client
        .send(CHECK, &[], frame(&message))
        .await
        .unwrap()
        .is_ok());
}

#[tokio::test]
async fn other_protocols_get_http_errors() {
    let client = Client::over(serve().connect()).await;
    for (method, kind, status) in [("GET", "application/grpc", 405), ("POST", "text/html", 415)] {
        let request = http::Request::builder()
            .method(method)
            .uri("http://agent/grpc.Health/Check")
            .header("content-type", kind)
            .body(())
            .unwrap();
        let mut raw = client.raw().ready().await.unwrap();
        let (response, _) = raw.send_request(request, true).unwrap();
        assert_eq!(response.await.unwrap().status(), status);
    }
}

#[tokio::test]
async fn a_malformed_deadline_is_refused_and_a_usual_one_accepted() {
    let client = Client::over(serve().connect()).await;
    let send = |value: &'static str| {
        let client = client.clone();
        async move {
            let headers = [("grpc-timeout", value)];
            client.send(CHECK, &headers, frame(b"")).await.unwrap()
        }
    };
    assert_eq!(send("soon").await.unwrap_err().code, 3);
    assert!(send("10S").await.is_ok());
}

#[tokio::test]
async fn a_header_list_beyond_the_limit_does_not_reach_a_method() {
    let client = Client::over(serve().connect()).await;
    let request = http::Request::post("http://agent/grpc.Health/Check")
        .header("content-type", "application/grpc")
        .header("a", "x".repeat(60_000))
        .body(())
        .unwrap();
    let mut raw = client.raw().ready().await.unwrap();
    let (response, _) = raw.send_request(request, true).unwrap();
    assert_eq!(response.await.unwrap().status(), 431);
    check(&client).await;
}

#[tokio::test]
async fn a_client_after_a_lost_one_is_served() {
    let host = serve();
    for _ in 0..3 {
        let client = Client::over(host.connect()).await;
        check(&client).await;
    }
    // In the middle of a frame.
    let mut cut = host.connect();
    shake_hands(&mut cut).await;
    cut.write_all(&[0, 1, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3])
        .await
        .unwrap();
    drop(cut);
    check(&Client::over(host.connect()).await).await;
}

#[tokio::test]
async fn a_client_that_follows_without_an_end_of_file_is_served() {
    let host = serve();
    let mut stream = host.connect();
    shake_hands(&mut stream).await;
    check(&Client::over(stream).await).await;
}

#[tokio::test]
async fn a_protocol_error_costs_one_connection_only() {
    let host = serve();
    let mut stream = host.connect();
    shake_hands(&mut stream).await;
    // A DATA frame on stream 0 is illegal.
    stream
        .write_all(&[0, 0, 0, 0, 0, 0, 0, 0, 0])
        .await
        .unwrap();
    let mut rest = Vec::new();
    drop(tokio::io::AsyncReadExt::read_buf(&mut stream, &mut rest).await);
    drop(stream);
    check(&Client::over(host.connect()).await).await;
}

#[tokio::test(start_paused = true)]
async fn a_host_whose_connection_was_given_up_is_made_to_hang_up() {
    let host = serve();
    // Neither a frame that is never completed nor one that is illegal leaves the host in silence.
    for bad in [&[0, 1, 0, 0, 0, 0, 0, 0, 1, 1][..], &[0; 9]] {
        let mut stream = host.connect();
        shake_hands(&mut stream).await;
        stream.write_all(bad).await.unwrap();
        let mut seen = Vec::new();
        // Behind what may be the rest of the longest frame comes one that is too long.
        while !seen.ends_with(&[0xff; (16 << 10) + 18]) {
            let read = tokio::io::AsyncReadExt::read_buf(&mut stream, &mut seen).await;
            assert_ne!(read.unwrap(), 0);
        }
    }
}

#[tokio::test]
async fn the_first_frame_is_the_one_that_clients_look_for() {
    let mut stream = serve().connect();
    stream
        .write_all(virtcontainers_agent::channel::PREFACE)
        .await
        .unwrap();
    let mut head = [0; 9];
    tokio::io::AsyncReadExt::read_exact(&mut stream, &mut head)
        .await
        .unwrap();
    assert_eq!(head, [0, 0, 0x18, 4, 0, 0, 0, 0, 0]);
}
