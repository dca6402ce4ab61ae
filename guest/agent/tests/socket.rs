// SPDX-License-Identifier: Apache-2.0
//! A listening socket, here a Unix one: many connections at once, each its own.

mod common;

use common::Client;
use std::os::unix::io::OwnedFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::time::timeout;
use virtcontainers_agent::channel::{PREFACE, STALL};
use virtcontainers_agent::config::Config;
use virtcontainers_agent::proto::grpc::*;
use virtcontainers_agent::sandbox::Agent;
use virtcontainers_agent::socket::{self, MAX_CONNECTIONS};

const LIMIT: Duration = Duration::from_secs(20);
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
const GOAWAY: &[u8] = &[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

struct Server(PathBuf);

impl Server {
    fn start(admit: fn(&OwnedFd) -> bool) -> Server {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!(
            "agent-{}-{}.sock",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        listener.set_nonblocking(true).unwrap();
        let (_, boot) = watch::channel(Some(Ok(())));
        let config = Config {
            guest: false,
            ..Config::guest()
        };
        let agent = Arc::new(Agent::new(config, boot).unwrap());
        tokio::spawn(socket::serve(listener.into(), admit, agent));
        Server(path)
    }

    async fn connect(&self) -> UnixStream {
        UnixStream::connect(&self.0).await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

async fn check(client: &Client) {
    let call = client.call::<HealthCheckResponse>("/grpc.Health/Check", CheckRequest::default());
    assert_eq!(timeout(LIMIT, call).await.unwrap().unwrap().status, 1);
}

async fn is_closed(mut stream: UnixStream) -> bool {
    let mut rest = Vec::new();
    // What was written to a socket that is then closed makes the end a reset.
    let _ = timeout(LIMIT, stream.read_to_end(&mut rest)).await.unwrap();
    rest.is_empty()
}

#[tokio::test]
async fn connections_are_served_at_once_and_end_alone() {
    let server = Server::start(|_| true);
    let one = Client::over(server.connect().await).await;
    check(&one).await;
    let two = Client::over(server.connect().await).await;
    check(&two).await;
    drop(one);
    check(&two).await;
    check(&Client::over(server.connect().await).await).await;
}

#[tokio::test]
async fn one_connection_too_many_is_closed_and_there_is_room_when_one_has_ended() {
    let server = Server::start(|_| true);
    let mut clients = Vec::new();
    for _ in 0..MAX_CONNECTIONS {
        let client = Client::over(server.connect().await).await;
        check(&client).await;
        clients.push(client);
    }
    assert!(is_closed(server.connect().await).await);
    check(&clients[0]).await;
    clients.clear();
    let again = async {
        loop {
            let mut stream = server.connect().await;
            let mut byte = [0];
            let hello = stream.write_all(PREFACE).await;
            if hello.is_ok() && stream.write_all(SETTINGS).await.is_ok() {
                if let Ok(1) = stream.read(&mut byte).await {
                    return;
                }
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(LIMIT, again).await.unwrap();
}

#[tokio::test]
async fn strangers_are_refused() {
    let server = Server::start(|_| false);
    assert!(is_closed(server.connect().await).await);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_says_nothing_is_closed() {
    let server = Server::start(|_| true);
    let stream = server.connect().await;
    let begin = tokio::time::Instant::now();
    assert!(is_closed(stream).await);
    assert!(begin.elapsed() >= STALL);
}

/// A port lives on after a broken connection; of a socket nothing is left.
#[tokio::test]
async fn a_broken_connection_is_closed() {
    let server = Server::start(|_| true);
    let mut stream = server.connect().await;
    let zero_window_update = [0, 0, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    stream.write_all(PREFACE).await.unwrap();
    stream.write_all(SETTINGS).await.unwrap();
    stream.write_all(&zero_window_update).await.unwrap();
    let mut rest = Vec::new();
    let _ = timeout(LIMIT, stream.read_to_end(&mut rest)).await.unwrap();
    check(&Client::over(server.connect().await).await).await;
}

#[tokio::test]
async fn a_goaway_does_not_end_the_agent() {
    let server = Server::start(|_| true);
    let mut stream = server.connect().await;
    let headers = [0, 0, 1, 1, 4, 0, 0, 0, 1, 0x83];
    let bytes = [PREFACE, SETTINGS, &headers, GOAWAY].concat();
    stream.write_all(&bytes).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut rest = Vec::new();
    let _ = timeout(LIMIT, stream.read_to_end(&mut rest)).await.unwrap();
    check(&Client::over(server.connect().await).await).await;
}
