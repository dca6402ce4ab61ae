// SPDX-License-Identifier: Apache-2.0
//! The channel cuts the bytes of a port into connections, however the host misbehaves.

mod common;

use common::{port, Host, TestPort};
use std::io;
use std::task::{Context, Poll};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use virtcontainers_agent::channel::{Channel, Port, PREFACE};

const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

fn start() -> (Channel<TestPort>, Host, DuplexStream) {
    let (port, host) = port();
    let stream = host.connect();
    (Channel::new(port), host, stream)
}

/// What the next connection reads until its end.
async fn read_connection(channel: &mut Channel<TestPort>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut connection = channel.next_connection().await.unwrap();
    connection.read_to_end(&mut bytes).await.unwrap();
    bytes
}

fn joined(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

#[tokio::test(start_paused = true)]
async fn garbage_before_a_preface_is_discarded() {
    let (mut channel, _host, mut stream) = start();
    stream
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSX PRI PRI ")
        .await
        .unwrap();
    stream
        .write_all(&joined(&[PREFACE, SETTINGS]))
        .await
        .unwrap();
    drop(stream);
    assert_eq!(
        read_connection(&mut channel).await,
        joined(&[PREFACE, SETTINGS])
    );
}

#[tokio::test(start_paused = true)]
async fn a_preface_that_comes_byte_by_byte_is_found() {
    let (mut channel, _host, mut stream) = start();
    let writer = tokio::spawn(async move {
        for byte in joined(&[b"PRPRI", PREFACE, SETTINGS]) {
            stream.write_all(&[byte]).await.unwrap();
            tokio::task::yield_now().await;
        }
    });
    assert_eq!(
        read_connection(&mut channel).await,
        joined(&[PREFACE, SETTINGS])
    );
    writer.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_preface_at_a_frame_boundary_starts_the_next_connection() {
    let (mut channel, _host, mut stream) = start();
    let data: &[u8] = &[0, 0, 3, 0, 0, 0, 0, 0, 1, 7, 8, 9];
    let bytes = joined(&[PREFACE, SETTINGS, data, PREFACE, SETTINGS]);
    stream.write_all(&bytes).await.unwrap();
    assert_eq!(
        read_connection(&mut channel).await,
        joined(&[PREFACE, SETTINGS, data])
    );
    drop(stream);
    assert_eq!(
        read_connection(&mut channel).await,
        joined(&[PREFACE, SETTINGS])
    );
}

#[tokio::test(start_paused = true)]
async fn a_preface_inside_a_payload_is_payload() {
    let (mut channel, _host, mut stream) = start();
    let data = joined(&[&[0, 0, 24, 0, 0, 0, 0, 0, 1], PREFACE]);
    let bytes = joined(&[PREFACE, &data, SETTINGS]);
    stream.write_all(&bytes).await.unwrap();
    drop(stream);
    assert_eq!(read_connection(&mut channel).await, bytes);
}

#[tokio::test(start_paused = true)]
async fn an_end_of_file_in_a_frame_ends_the_connection_and_the_next_is_clean() {
    for cut in [&[0, 0][..], &[0, 1, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3][..]] {
        let (mut channel, host, mut stream) = start();
        stream.write_all(&joined(&[PREFACE, cut])).await.unwrap();
        drop(stream);
        read_connection(&mut channel).await;
        let mut next = host.connect();
        next.write_all(&joined(&[PREFACE, SETTINGS])).await.unwrap();
        drop(next);
        assert_eq!(
            read_connection(&mut channel).await,
            joined(&[PREFACE, SETTINGS])
        );
    }
}

#[tokio::test(start_paused = true)]
async fn half_a_preface_of_a_host_that_left_does_not_count() {
    let (mut channel, host, mut stream) = start();
    stream.write_all(&PREFACE[..10]).await.unwrap();
    drop(stream);
    let mut next = host.connect();
    next.write_all(&joined(&[PREFACE, SETTINGS])).await.unwrap();
    drop(next);
    assert_eq!(
        read_connection(&mut channel).await,
        joined(&[PREFACE, SETTINGS])
    );
}

#[tokio::test(start_paused = true)]
async fn a_stall_inside_a_frame_ends_the_connection() {
    let (mut channel, _host, mut stream) = start();
    let cut: &[u8] = &[0, 1, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3];
    stream.write_all(&joined(&[PREFACE, cut])).await.unwrap();
    // A new host whose preface is taken for the rest of the frame.
    stream
        .write_all(&joined(&[PREFACE, SETTINGS]))
        .await
        .unwrap();
    let begin = tokio::time::Instant::now();
    read_connection(&mut channel).await;
    let waited = begin.elapsed();
    assert!(waited >= virtcontainers_agent::channel::STALL);
    stream
        .write_all(&joined(&[PREFACE, SETTINGS]))
        .await
        .unwrap();
    drop(stream);
    assert_eq!(
        read_connection(&mut channel).await,
        joined(&[PREFACE, SETTINGS])
    );
}

#[tokio::test(start_paused = true)]
async fn silence_between_frames_is_no_stall() {
    let (mut channel, _host, mut stream) = start();
    stream
        .write_all(&joined(&[PREFACE, SETTINGS]))
        .await
        .unwrap();
    let reader = read_connection(&mut channel);
    let limit = virtcontainers_agent::channel::STALL * 100;
    assert!(tokio::time::timeout(limit, reader).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn output_of_an_ended_connection_does_not_reach_the_next() {
    let (mut channel, _host, mut stream) = start();
    stream
        .write_all(&joined(&[PREFACE, PREFACE]))
        .await
        .unwrap();
    {
        let mut connection = channel.next_connection().await.unwrap();
        connection.write_all(b"old, unflushed").await.unwrap();
        let mut bytes = Vec::new();
        connection.read_to_end(&mut bytes).await.unwrap();
        assert_eq!(bytes, PREFACE);
        assert!(connection.write_all(b"late").await.is_err());
        assert!(connection.flush().await.is_err());
    }
    let mut connection = channel.next_connection().await.unwrap();
    connection.write_all(b"new").await.unwrap();
    connection.flush().await.unwrap();
    drop(connection);
    drop(channel);
    let mut seen = Vec::new();
    stream.read_to_end(&mut seen).await.unwrap();
    assert_eq!(seen, b"new");
}

#[tokio::test(start_paused = true)]
async fn a_port_that_takes_nothing_ends_the_connection_instead_of_spinning() {
    struct Full(&'static [u8]);
    impl Port for Full {
        fn poll_read(&mut self, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
            let count = self.0.len();
            buf[..count].copy_from_slice(self.0);
            self.0 = &[];
            Poll::Ready(Ok(count))
        }
        fn poll_write(&mut self, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(0))
        }
        fn poll_return(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }
    let mut channel = Channel::new(Full(PREFACE));
    let mut connection = channel.next_connection().await.unwrap();
    connection.write_all(b"x").await.unwrap();
    let error = connection.flush().await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WriteZero);
}

#[tokio::test(start_paused = true)]
async fn a_preface_counts_once_even_if_nobody_read_it() {
    let (mut channel, host, mut stream) = start();
    stream
        .write_all(&joined(&[PREFACE, SETTINGS]))
        .await
        .unwrap();
    drop(stream);
    drop(channel.next_connection().await.unwrap());
    drop(host);
    // No second connection: the port is reported as broken, since its host is gone for good.
    assert!(channel.next_connection().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_late_departure_of_the_host_before_is_not_that_of_the_present_one() {
    let (mut channel, host, mut stream) = start();
    // The second host's bytes are there before the departure of the first shows.
    stream
        .write_all(&joined(&[PREFACE, SETTINGS, PREFACE, SETTINGS]))
        .await
        .unwrap();
    drop(stream);
    let mut again = host.connect();
    again.write_all(SETTINGS).await.unwrap();
    drop(again);
    assert_eq!(
        read_connection(&mut channel).await,
        joined(&[PREFACE, SETTINGS])
    );
    assert_eq!(
        read_connection(&mut channel).await,
        joined(&[PREFACE, SETTINGS, SETTINGS])
    );
}

const GREETING: &[u8] = b"virtcont0123456789abcdef";

#[tokio::test(start_paused = true)]
async fn a_greeting_is_sent_back_before_anything_else() {
    for pieces in [1, 7, 100] {
        let (mut channel, _host, mut stream) = start();
        let bytes = joined(&[b"virtconvirtcont", GREETING, GREETING, PREFACE, SETTINGS]);
        let writer = async {
            for piece in bytes.chunks(pieces) {
                stream.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
        };
        let (mut connection, ()) =
            tokio::join!(async { channel.next_connection().await.unwrap() }, writer);
        connection.write_all(b"settings").await.unwrap();
        connection.flush().await.unwrap();
        let mut read = vec![0; PREFACE.len() + SETTINGS.len()];
        connection.read_exact(&mut read).await.unwrap();
        assert_eq!(read, joined(&[PREFACE, SETTINGS]));
        drop(connection);
        drop(channel);
        let mut seen = Vec::new();
        stream.read_to_end(&mut seen).await.unwrap();
        assert_eq!(seen, joined(&[GREETING, b"settings"]));
    }
}

#[tokio::test(start_paused = true)]
async fn a_greeting_at_a_frame_boundary_starts_the_next_connection() {
    let (mut channel, _host, mut stream) = start();
    let bytes = joined(&[PREFACE, SETTINGS, GREETING, PREFACE, SETTINGS]);
    stream.write_all(&bytes).await.unwrap();
    drop(stream);
    for _ in 0..2 {
        assert_eq!(
            read_connection(&mut channel).await,
            joined(&[PREFACE, SETTINGS])
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_departure_inside_a_frame_leaves_the_frame_whole() {
    let data = joined(&[&[0, 0, 5, 0, 0, 0, 0, 0, 1], b"12345"]);
    for cut in [3, 11] {
        let (mut channel, host, mut stream) = start();
        stream
            .write_all(&joined(&[PREFACE, SETTINGS, PREFACE, &data[..cut]]))
            .await
            .unwrap();
        drop(stream);
        let mut again = host.connect();
        again.write_all(&data[cut..]).await.unwrap();
        drop(again);
        read_connection(&mut channel).await;
        assert_eq!(
            read_connection(&mut channel).await,
            joined(&[PREFACE, &data])
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_preface_after_a_cut_frame_and_an_end_of_file_is_that_of_the_next_host() {
    for cut in [&[0, 0][..], &[0, 1, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3][..]] {
        let (mut channel, host, mut stream) = start();
        stream.write_all(&joined(&[PREFACE, cut])).await.unwrap();
        drop(stream);
        let mut next = host.connect();
        next.write_all(&joined(&[PREFACE, SETTINGS])).await.unwrap();
        drop(next);
        let began = tokio::time::Instant::now();
        read_connection(&mut channel).await;
        assert!(began.elapsed() < virtcontainers_agent::channel::GRACE);
        assert_eq!(
            read_connection(&mut channel).await,
            joined(&[PREFACE, SETTINGS])
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_absence_that_lasts_ends_the_connection() {
    let (mut channel, _host, mut stream) = start();
    stream
        .write_all(&joined(&[PREFACE, SETTINGS]))
        .await
        .unwrap();
    drop(stream);
    let began = tokio::time::Instant::now();
    read_connection(&mut channel).await;
    assert!(began.elapsed() >= virtcontainers_agent::channel::GRACE);
}

#[tokio::test(start_paused = true)]
async fn a_farewell_is_left_out() {
    let farewell: &[u8] = &[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let data: &[u8] = &[0, 0, 3, 0, 0, 0, 0, 0, 1, 7, 8, 9];
    let bytes = joined(&[PREFACE, farewell, data, farewell, farewell, SETTINGS]);
    for pieces in [1, 5, 1000] {
        let (mut channel, _host, mut stream) = start();
        let writer = async {
            for piece in bytes.chunks(pieces) {
                stream.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
            drop(stream);
        };
        let (read, ()) = tokio::join!(read_connection(&mut channel), writer);
        assert_eq!(read, joined(&[PREFACE, data, SETTINGS]));
    }
}
