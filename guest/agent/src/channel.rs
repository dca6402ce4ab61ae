// SPDX-License-Identifier: Apache-2.0
//! Cuts the endless byte stream of a port into HTTP/2 connections.
//!
//! A virtio-serial port has no connections: the host may vanish in the middle of a frame, and the
//! bytes of its successor may follow directly, without an end-of-file between. So this layer is in
//! one of two states. *Scanning* discards everything up to a client preface. *Connected* follows
//! the frame boundaries; a frame header that starts with `PRI` would announce 5 MB, far above our
//! maximum, so it can only be the preface of the next connection: the present one then ends and
//! the preface is kept. An end-of-file ends the connection too.
//!
//! The kernel learns of a host's arrival and departure by another way than of its bytes, and at
//! times later. So the port of a *young* connection may still seem to be without a host; that is
//! believed only if it lasts.
//!
//! Given up: a preface that falls into the missing payload of a cut frame is taken as that payload
//! when the end-of-file was missed. `STALL` heals this: no byte for so long inside a frame means
//! that the rest will never come; the client then has to connect again.

use bytes::{Buf, BytesMut};
use futures_util::future::poll_fn;
use futures_util::ready;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{sleep, Instant, Sleep};

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
pub const STALL: Duration = Duration::from_secs(5);

/// For how long a connection is young, and for how long the absence of its host is doubted.
const GRACE: Duration = Duration::from_millis(100);

const FRAME_HEADER: usize = 9;
const READ_SIZE: usize = 64 * 1024;
/// virtio-serial takes at most 32 KiB per write, and each write costs a notification of the host.
const WRITE_SIZE: usize = 32 * 1024;

/// A byte stream whose far end comes and goes.
pub trait Port: Send {
    /// 0 means that the host is away; it may come back later.
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>>;
    /// Fails with `BrokenPipe` while the host is away; never answers 0.
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>>;
    /// Ready when a host is there, after reading returned 0 or writing failed.
    fn poll_return(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

pub struct Channel<P> {
    port: P,
    input: BytesMut,
}

impl<P: Port> Channel<P> {
    pub fn new(port: P) -> Self {
        Channel {
            port,
            input: BytesMut::new(),
        }
    }

    /// Waits for the next preface; the error of the port itself is final.
    pub async fn next_connection(&mut self) -> io::Result<Connection<'_, P>> {
        loop {
            if skip_to_preface(&mut self.input) {
                return Ok(Connection {
                    channel: self,
                    vetted: PREFACE.len(),
                    payload: 0,
                    ended: false,
                    stall: None,
                    stalling: false,
                    began: Instant::now(),
                    absence: None,
                    output: Vec::with_capacity(WRITE_SIZE),
                    written: 0,
                });
            }
            if poll_fn(|cx| self.poll_fill(cx)).await? == 0 {
                self.input.clear();
                poll_fn(|cx| self.port.poll_return(cx)).await?;
            }
        }
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let used = self.input.len();
        self.input.resize(used + READ_SIZE, 0);
        let result = self.port.poll_read(cx, &mut self.input[used..]);
        let count = match &result {
            Poll::Ready(Ok(count)) => (*count).min(READ_SIZE),
            _ => 0,
        };
        self.input.truncate(used + count);
        result
    }
}

/// True when `input` now starts with a whole preface; otherwise it holds at most the start of one.
fn skip_to_preface(input: &mut BytesMut) -> bool {
    let found = (0..input.len()).find(|&at| {
        let rest = &input[at..];
        let length = rest.len().min(PREFACE.len());
        rest[..length] == PREFACE[..length]
    });
    input.advance(found.unwrap_or(input.len()));
    input.len() >= PREFACE.len()
}

/// One HTTP/2 connection as h2 sees it: begins with the preface, ends with end-of-file.
pub struct Connection<'a, P> {
    channel: &'a mut Channel<P>,
    /// Leading bytes of the input that belong to this connection.
    vetted: usize,
    /// Payload bytes of the present frame that are not in the input yet.
    payload: usize,
    ended: bool,
    stall: Option<Pin<Box<Sleep>>>,
    stalling: bool,
    began: Instant,
    absence: Option<Pin<Box<Sleep>>>,
    output: Vec<u8>,
    written: usize,
}

impl<P: Port> Connection<'_, P> {
    /// Claims what the input holds of the present frame, or recognises the next connection.
    fn vet(&mut self) {
        let input = &self.channel.input;
        if self.payload == 0 {
            if input.starts_with(&PREFACE[..3]) {
                self.ended = true;
                return;
            }
            if input.len() < FRAME_HEADER {
                return;
            }
            let length =
                usize::from(input[0]) << 16 | usize::from(input[1]) << 8 | usize::from(input[2]);
            self.payload = FRAME_HEADER + length;
        }
        self.vetted = self.payload.min(input.len());
        self.payload -= self.vetted;
    }

    fn inside_frame(&self) -> bool {
        self.payload > 0 || !self.channel.input.is_empty()
    }

    fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let timer = self.stall.get_or_insert_with(|| Box::pin(sleep(STALL)));
        if !self.stalling {
            timer.as_mut().reset(Instant::now() + STALL);
            self.stalling = true;
        }
        timer.as_mut().poll(cx)
    }

    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.output.len() {
            let rest = &self.output[self.written..];
            match ready!(self.channel.port.poll_write(cx, rest)) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(count) => self.written += count,
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                    if !ready!(self.poll_host(cx)) {
                        return Poll::Ready(Err(error));
                    }
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        self.output.clear();
        self.written = 0;
        Poll::Ready(Ok(()))
    }

    /// Whether the host, which seems to be away, is or comes back; if not, the connection ends.
    fn poll_host(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        if self.absence.is_some() || self.began.elapsed() < GRACE {
            match self.channel.port.poll_return(cx) {
                Poll::Ready(Ok(())) => {
                    self.absence = None;
                    return Poll::Ready(true);
                }
                Poll::Ready(Err(_)) => (),
                Poll::Pending => {
                    let timer = self.absence.get_or_insert_with(|| Box::pin(sleep(GRACE)));
                    ready!(timer.as_mut().poll(cx));
                }
            }
        }
        self.ended = true;
        Poll::Ready(false)
    }

    fn gone(&self) -> io::Result<()> {
        // Late output must not reach the connection that follows.
        if self.ended {
            Err(io::ErrorKind::BrokenPipe.into())
        } else {
            Ok(())
        }
    }
}

impl<P> Drop for Connection<'_, P> {
    fn drop(&mut self) {
        // A preface that was not even read, because writing failed first, must not be found again.
        self.channel.input.advance(self.vetted);
    }
}

impl<P: Port> AsyncRead for Connection<'_, P> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            if this.ended {
                return Poll::Ready(Ok(()));
            }
            if this.vetted > 0 {
                let count = this.vetted.min(buf.remaining());
                buf.put_slice(&this.channel.input[..count]);
                this.channel.input.advance(count);
                this.vetted -= count;
                return Poll::Ready(Ok(()));
            }
            if !this.channel.input.is_empty() {
                this.vet();
                if this.ended || this.vetted > 0 {
                    continue;
                }
            }
            match this.channel.poll_fill(cx) {
                Poll::Ready(Ok(0)) => {
                    // What follows a cut frame is of another connection in any case.
                    if this.inside_frame() || !ready!(this.poll_host(cx)) {
                        this.channel.input.clear();
                        this.ended = true;
                    }
                }
                Poll::Ready(Ok(_)) => this.stalling = false,
                Poll::Ready(Err(error)) => {
                    this.ended = true;
                    return Poll::Ready(Err(error));
                }
                Poll::Pending => {
                    if !this.inside_frame() {
                        return Poll::Pending;
                    }
                    ready!(this.poll_stalled(cx));
                    warning!("channel: frame not completed for {STALL:?}, connection dropped");
                    this.channel.input.clear();
                    this.ended = true;
                }
            }
        }
    }
}

impl<P: Port> AsyncWrite for Connection<'_, P> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.gone()?;
        if self.output.len() >= WRITE_SIZE {
            ready!(self.poll_drain(cx))?;
        }
        let count = buf.len().min(WRITE_SIZE - self.output.len());
        self.output.extend_from_slice(&buf[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.gone()?;
        self.poll_drain(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The port stays open for the next connection.
        self.poll_flush(cx)
    }
}
