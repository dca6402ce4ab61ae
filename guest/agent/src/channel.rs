// SPDX-License-Identifier: Apache-2.0
//! Cuts the endless byte stream of a port into HTTP/2 connections.
//!
//! A virtio-serial port has no connections: the host may vanish in the middle of a frame, and the
//! bytes of its successor may follow directly, without an end-of-file between. So this layer is in
//! one of two states. *Scanning* discards everything up to a client preface. *Connected* follows
//! the frame boundaries; a frame header that starts as a preface or a greeting does would announce
//! more than 5 MB, far above our maximum, so the next connection begins there: the present one then
//! ends and what came is kept.
//!
//! The other direction has the same trouble: the new host may be given what was meant for the one
//! before. Therefore it can greet: 24 bytes, 16 of them its own choice, right before its preface.
//! The greeting is sent back before anything else, and the host discards all that comes earlier.
//!
//! The kernel learns of a host's arrival and departure by another way than of its bytes, and at
//! times later: the departure of a host may show only after the first bytes of its successor, which
//! then seems to be away itself. So an absence is believed only if it lasts. When it ends before,
//! the bytes tell whether the host is another one.
//!
//! A GOAWAY frame is left out. It says that its host will leave, which the port tells as well; and
//! h2 0.3.13 fails an assertion, the agent's end, when one comes behind a call not yet accepted.
//!
//! A host cannot see that its connection has ended here, as the port stays open, and would wait for
//! answers that never come. So it is sent what no frame may begin with, and has to hang up.
//!
//! Given up: a preface that falls into the missing payload of a cut frame is taken as that payload
//! when no end-of-file was seen. `STALL` heals this: no byte for so long inside a frame means that
//! the rest will never come; the client then has to connect again.

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

/// What a greeting begins with; `GREETING` bytes in all.
pub const MAGIC: &[u8] = b"virtcont";
pub const GREETING: usize = 24;

/// For how long the absence of the host is doubted.
pub const GRACE: Duration = Duration::from_secs(1);

const FRAME_HEADER: usize = 9;
/// The longest frame of a host that did not ask for longer ones (RFC 9113, 6.5.2).
const HOST_FRAME: usize = 16 << 10;
/// Announces a frame that is too long for everybody, even from behind a frame that was cut.
const EXPULSION: [u8; HOST_FRAME + 2 * FRAME_HEADER] = [0xff; HOST_FRAME + 2 * FRAME_HEADER];
const FRAME_TYPE: usize = 3;
const GOAWAY: u8 = 7;
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
    /// Where a read puts its bytes: a port gives 4 KiB at most, too few to clear 64 KiB for.
    scratch: Box<[u8]>,
}

impl<P: Port> Channel<P> {
    pub fn new(port: P) -> Self {
        Channel {
            port,
            input: BytesMut::new(),
            scratch: vec![0; READ_SIZE].into_boxed_slice(),
        }
    }

    /// Waits for the next preface; the error of the port itself is final.
    pub async fn next_connection(&mut self) -> io::Result<Connection<'_, P>> {
        loop {
            if let Some(greeting) = skip_to_start(&mut self.input) {
                let mut output = Vec::with_capacity(WRITE_SIZE);
                output.extend_from_slice(&self.input.split_to(greeting));
                return Ok(Connection {
                    channel: self,
                    vetted: PREFACE.len(),
                    payload: 0,
                    dropping: false,
                    ended: false,
                    stalled: false,
                    stall: None,
                    stalling: false,
                    interrupted: false,
                    absence: None,
                    output,
                    written: 0,
                });
            }
            if poll_fn(|cx| self.poll_fill(cx)).await? == 0 {
                poll_fn(|cx| self.port.poll_return(cx)).await?;
            }
        }
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let result = self.port.poll_read(cx, &mut self.scratch);
        if let Poll::Ready(Ok(count)) = result {
            self.input.extend_from_slice(&self.scratch[..count]);
        }
        result
    }
}

/// The length of the greeting, or 0, when `input` now starts with one and a whole preface or only
/// the latter; otherwise it holds at most the start of them.
fn skip_to_start(input: &mut BytesMut) -> Option<usize> {
    let found = (0..input.len()).find(|&at| {
        let rest = &input[at..];
        agree(rest, PREFACE)
            || agree(rest, MAGIC) && rest.get(GREETING..).map_or(true, |it| agree(it, PREFACE))
    });
    input.advance(found.unwrap_or(input.len()));
    let greeting = if input.starts_with(MAGIC) {
        GREETING
    } else {
        0
    };
    (input.len() >= greeting + PREFACE.len()).then_some(greeting)
}

/// Whether one is the start of the other.
fn agree(one: &[u8], other: &[u8]) -> bool {
    let length = one.len().min(other.len());
    one[..length] == other[..length]
}

fn starts_connection(input: &[u8]) -> bool {
    input.starts_with(&PREFACE[..3]) || input.starts_with(&MAGIC[..3])
}

/// Of the frame whose header the input starts with, the header included.
fn frame_length(input: &[u8]) -> usize {
    FRAME_HEADER
        + (usize::from(input[0]) << 16 | usize::from(input[1]) << 8 | usize::from(input[2]))
}

/// One HTTP/2 connection as h2 sees it: begins with the preface, ends with end-of-file.
pub struct Connection<'a, P> {
    channel: &'a mut Channel<P>,
    /// Leading bytes of the input that belong to this connection.
    vetted: usize,
    /// Payload bytes of the present frame that are not in the input yet.
    payload: usize,
    /// Whether the present frame is left out.
    dropping: bool,
    ended: bool,
    /// Whether it ended because a frame was not completed.
    stalled: bool,
    stall: Option<Pin<Box<Sleep>>>,
    stalling: bool,
    /// Whether an end-of-file was read, in doubt, since the last byte.
    interrupted: bool,
    absence: Option<Pin<Box<Sleep>>>,
    output: Vec<u8>,
    written: usize,
}

impl<P: Port> Connection<'_, P> {
    /// Claims what the input holds of the present frame, or recognises the next connection; false
    /// when that takes more input.
    fn vet(&mut self) -> bool {
        let input = &mut self.channel.input;
        if self.payload == 0 {
            if starts_connection(input) {
                self.ended = true;
                return true;
            }
            if input.len() < FRAME_HEADER {
                return false;
            }
            self.dropping = input[FRAME_TYPE] == GOAWAY;
            self.payload = frame_length(input);
        }
        let count = self.payload.min(input.len());
        self.payload -= count;
        if self.dropping {
            input.advance(count);
        } else {
            self.vetted = count;
        }
        count > 0
    }

    /// Makes the host hang up, if the connection ended for another reason than that it left.
    pub async fn expel(&mut self) {
        if self.ended && !self.stalled {
            return;
        }
        self.output.extend_from_slice(&EXPULSION);
        // It may have left meanwhile.
        let _ = poll_fn(|cx| self.poll_drain(cx)).await;
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

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let before = self.channel.input.len();
        let count = ready!(self.channel.poll_fill(cx))?;
        if count > 0 {
            self.stalling = false;
            let resumed = std::mem::replace(&mut self.interrupted, false);
            if resumed && starts_connection(&self.channel.input[before..]) {
                self.drop_cut_frame(before);
            }
        }
        Poll::Ready(Ok(count))
    }

    /// Of the first `end` bytes of the input, drops those of a frame that is not whole.
    fn drop_cut_frame(&mut self, end: usize) {
        let mut at = self.vetted;
        if self.payload == 0 {
            while end - at >= FRAME_HEADER {
                let length = frame_length(&self.channel.input[at..]);
                if length > end - at {
                    break;
                }
                at += length;
            }
        }
        self.payload = 0;
        let rest = self.channel.input.split_off(end);
        self.channel.input.truncate(at);
        self.channel.input.unsplit(rest);
    }

    /// Whether the host, which seems to be away, comes back at once; if not, the connection ends.
    fn poll_host(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        self.interrupted = true;
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
            if this.vet() {
                continue;
            }
            match this.poll_fill(cx) {
                Poll::Ready(Ok(0)) => {
                    ready!(this.poll_host(cx));
                }
                Poll::Ready(Ok(_)) => (),
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
                    this.stalled = true;
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
