// SPDX-License-Identifier: Apache-2.0
//! The standard streams of a process as calls: `Reader` for stdout and stderr, `Writer` for stdin.
//!
//! No byte is lost or reordered by a call that is cancelled. A reader stays locked from the read of
//! the pipe until its answer is written to the channel, or is dropped and has given its bytes back.

use crate::grpc::{self, Frame, GiveBack, PREFIX};
use crate::status::{Result, Status};
use crate::sys;
use bytes::{BufMut, Bytes, BytesMut};
use nix::poll::{poll, PollFd, PollFlags};
use std::io;
use std::os::unix::io::{AsRawFd, OwnedFd};
use std::sync::{Arc, Mutex as StdMutex};
use tokio::io::unix::AsyncFd;
use tokio::sync::{Mutex, OwnedMutexGuard};

pub const MAX_READ: usize = 1 << 20;
/// Room before the data for the gRPC prefix, the field's tag and a length of up to 21 bits.
const HEADROOM: usize = PREFIX + 1 + 3;

pub struct Reader(Arc<Mutex<Source>>);

struct Source {
    /// None after the end of the stream.
    file: Option<AsyncFd<OwnedFd>>,
    given_back: Bytes,
}

impl Reader {
    pub fn new(file: OwnedFd) -> io::Result<Reader> {
        sys::set_nonblocking(&file)?;
        Ok(Reader::over(Some(AsyncFd::new(file)?)))
    }

    /// A stream that is at its end from the start: stderr of a process with a terminal.
    pub fn ended() -> Reader {
        Reader::over(None)
    }

    fn over(file: Option<AsyncFd<OwnedFd>>) -> Reader {
        Reader(Arc::new(Mutex::new(Source {
            file,
            given_back: Bytes::new(),
        })))
    }

    /// Whether there is nothing left to read and never will be. False while somebody reads.
    pub fn is_drained(&self) -> bool {
        let source = match self.0.try_lock() {
            Ok(source) => source,
            Err(_) => return false,
        };
        let file = match &source.file {
            Some(file) => file,
            None => return source.given_back.is_empty(),
        };
        let mut state = [PollFd::new(file.as_raw_fd(), PollFlags::POLLIN)];
        let events = match poll(&mut state, 0) {
            Ok(_) => state[0].revents().unwrap_or_else(PollFlags::empty),
            Err(_) => return false,
        };
        // With data left in the pipe it is both readable and hung up.
        source.given_back.is_empty()
            && events.contains(PollFlags::POLLHUP)
            && !events.contains(PollFlags::POLLIN)
    }

    /// Waits for at least one byte; the answer is an encoded `ReadStreamResponse`.
    pub async fn read(&self, length: u32) -> Result<Frame> {
        if length == 0 {
            return Err(Status::invalid("len must be at least 1"));
        }
        let length = MAX_READ.min(length as usize);
        let mut source = self.0.clone().lock_owned().await;
        if !source.given_back.is_empty() {
            let count = length.min(source.given_back.len());
            let data = source.given_back.split_to(count);
            let mut buffer = BytesMut::with_capacity(HEADROOM + count);
            buffer.put_bytes(0, HEADROOM);
            buffer.put_slice(&data);
            return Ok(frame(source, buffer));
        }
        let result = match &source.file {
            Some(file) => read_some(file, length).await,
            None => return Err(Status::eof()),
        };
        match result {
            Ok(buffer) if buffer.len() > HEADROOM => Ok(frame(source, buffer)),
            // A terminal whose other side is closed reports EIO.
            Ok(_) => Err(source.end()),
            Err(error) if error.raw_os_error() == Some(libc::EIO) => Err(source.end()),
            Err(error) => Err(Status::io("read of the stream", &error)),
        }
    }
}

impl Source {
    fn end(&mut self) -> Status {
        self.file = None;
        Status::eof()
    }
}

async fn read_some(file: &AsyncFd<OwnedFd>, length: usize) -> io::Result<BytesMut> {
    loop {
        let mut ready = file.readable().await?;
        // At the end of the stream nothing is available, and the read must still be tried.
        let size = sys::available(file.get_ref()).clamp(1, length);
        let mut buffer = BytesMut::zeroed(HEADROOM + size);
        let result = ready.try_io(|file| {
            let count = nix::unistd::read(file.as_raw_fd(), &mut buffer[HEADROOM..]);
            count.map_err(io::Error::from)
        });
        match result {
            Ok(Ok(count)) => {
                buffer.truncate(HEADROOM + count);
                return Ok(buffer);
            }
            Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => (),
            Ok(Err(error)) => return Err(error),
            Err(_would_block) => (),
        }
    }
}

/// Writes prefix and field header in front of the data, in place.
fn frame(source: OwnedMutexGuard<Source>, mut buffer: BytesMut) -> Frame {
    let length = buffer.len() - HEADROOM;
    let field = 1 + prost::length_delimiter_len(length);
    let start = HEADROOM - PREFIX - field;
    let mut head = &mut buffer[start..HEADROOM];
    grpc::put_prefix(&mut head, field + length);
    head.put_u8(0x0a);
    let mut rest = length;
    while rest >= 0x80 {
        head.put_u8(rest as u8 | 0x80);
        rest >>= 7;
    }
    head.put_u8(rest as u8);
    let whole = buffer.freeze();
    let data = whole.slice(HEADROOM..);
    Frame::held(whole.slice(start..), Box::new(Hold { source, data }))
}

struct Hold {
    source: OwnedMutexGuard<Source>,
    data: Bytes,
}

impl GiveBack for Hold {
    fn give_back(mut self: Box<Self>) {
        if self.source.given_back.is_empty() {
            self.source.given_back = self.data.clone();
        } else {
            let mut joined =
                BytesMut::with_capacity(self.data.len() + self.source.given_back.len());
            joined.put_slice(&self.data);
            joined.put_slice(&self.source.given_back);
            self.source.given_back = joined.freeze();
        }
    }
}

/// Writes in the order of the calls. Closing answers at once and takes effect behind the writes
/// that were called before it.
pub struct Writer {
    turn: Mutex<()>,
    state: StdMutex<WriterState>,
}

struct WriterState {
    file: Option<Arc<AsyncFd<OwnedFd>>>,
    pending: usize,
    closing: bool,
}

impl Writer {
    pub fn new(file: OwnedFd) -> io::Result<Writer> {
        sys::set_nonblocking(&file)?;
        Ok(Writer {
            turn: Mutex::new(()),
            state: StdMutex::new(WriterState {
                file: Some(Arc::new(AsyncFd::new(file)?)),
                pending: 0,
                closing: false,
            }),
        })
    }

    /// Waits until all is written; 0 after the close.
    pub async fn write(&self, data: &[u8]) -> Result<usize> {
        let file = {
            let mut state = sys::lock(&self.state);
            match &state.file {
                Some(file) if !state.closing => {
                    let file = file.clone();
                    state.pending += 1;
                    file
                }
                _ => return Ok(0),
            }
        };
        let _pending = Pending(self);
        let _turn = self.turn.lock().await;
        write_all(&file, data).await.map_err(|error| {
            let action = "write to the standard input";
            match error.raw_os_error() {
                Some(libc::EPIPE) | Some(libc::EIO) => {
                    Status::precondition(format!("{action}: nobody reads it any more"))
                        .because("stdin-broken-pipe")
                }
                _ => Status::io(action, &error),
            }
        })?;
        Ok(data.len())
    }

    pub fn close(&self) {
        let mut state = sys::lock(&self.state);
        state.closing = true;
        state.close_if_idle();
    }
}

impl WriterState {
    fn close_if_idle(&mut self) {
        if self.closing && self.pending == 0 {
            self.file = None;
        }
    }
}

struct Pending<'a>(&'a Writer);

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        let mut state = sys::lock(&self.0.state);
        state.pending -= 1;
        state.close_if_idle();
    }
}

async fn write_all(file: &AsyncFd<OwnedFd>, mut data: &[u8]) -> io::Result<()> {
    while !data.is_empty() {
        let mut ready = file.writable().await?;
        match ready.try_io(|file| Ok(nix::unistd::write(file.as_raw_fd(), data)?)) {
            Ok(Ok(count)) => data = &data[count..],
            Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => (),
            Ok(Err(error)) => return Err(error),
            Err(_would_block) => (),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::grpc::ReadStreamResponse;
    use crate::status::Code;
    use crate::testing::is_pending;
    use bytes::Buf;
    use prost::Message;
    use std::fs::File;
    use std::io::{Read, Write};

    fn payload(mut frame: Frame) -> Vec<u8> {
        let mut bytes = frame.copy_to_bytes(frame.remaining());
        let mut prefix = [0; PREFIX];
        bytes.copy_to_slice(&mut prefix);
        assert_eq!(grpc::parse_prefix(&prefix), Ok(bytes.len()));
        ReadStreamResponse::decode(bytes).unwrap().data.to_vec()
    }

    fn reader() -> (Reader, File) {
        let (read, write) = sys::pipe().unwrap();
        (Reader::new(read).unwrap(), File::from(write))
    }

    #[tokio::test]
    async fn answers_of_every_length_decode() {
        let (reader, mut pipe) = reader();
        for length in [1, 127, 128, 16383, 16384, 65536] {
            let data: Vec<u8> = (0..length).map(|i| i as u8).collect();
            pipe.write_all(&data).unwrap();
            assert_eq!(payload(reader.read(1 << 20).await.unwrap()), data);
        }
        drop(pipe);
        let end = reader.read(1).await.err().unwrap();
        assert_eq!((end.code, end.message.as_str()), (Code::OutOfRange, "EOF"));
    }

    #[tokio::test]
    async fn a_stream_is_drained_when_all_is_read_and_nobody_writes() {
        let (reader, mut pipe) = reader();
        assert!(!reader.is_drained(), "somebody may write");
        pipe.write_all(b"late").unwrap();
        drop(pipe);
        assert!(!reader.is_drained(), "there is something to read");
        let answer = reader.read(100).await.unwrap();
        assert!(!reader.is_drained(), "the answer may come back");
        drop(answer);
        assert!(!reader.is_drained(), "it has come back");
        assert_eq!(payload(reader.read(100).await.unwrap()), b"late");
        assert!(reader.is_drained());
        assert!(Reader::ended().is_drained());
    }

    #[tokio::test]
    async fn bytes_of_a_dropped_answer_come_first_in_the_next() {
        let (reader, mut pipe) = reader();
        pipe.write_all(b"hello world").unwrap();
        drop(reader.read(5).await.unwrap());
        assert_eq!(payload(reader.read(3).await.unwrap()), b"hel");
        drop(reader.read(1).await.unwrap());
        assert_eq!(payload(reader.read(100).await.unwrap()), b"lo");
        assert_eq!(payload(reader.read(100).await.unwrap()), b" world");
    }

    #[tokio::test]
    async fn a_read_waits_for_the_fate_of_the_answer_before_it() {
        let (reader, mut pipe) = reader();
        pipe.write_all(b"ab").unwrap();
        let first = reader.read(1).await.unwrap();
        let second = reader.read(1);
        tokio::pin!(second);
        assert!(is_pending(second.as_mut()).await);
        drop(first);
        assert_eq!(payload(second.await.unwrap()), b"a");
    }

    #[tokio::test]
    async fn a_cancelled_read_loses_nothing() {
        let (reader, mut pipe) = reader();
        {
            let waiting = reader.read(10);
            tokio::pin!(waiting);
            assert!(is_pending(waiting.as_mut()).await);
            pipe.write_all(b"x").unwrap();
        }
        assert_eq!(payload(reader.read(10).await.unwrap()), b"x");
    }

    #[tokio::test]
    async fn close_takes_effect_behind_earlier_writes() {
        let (read, write) = sys::pipe().unwrap();
        let writer = Arc::new(Writer::new(write).unwrap());
        let data = vec![7; 300_000];
        let task = tokio::spawn({
            let (writer, data) = (writer.clone(), data.clone());
            async move { writer.write(&data).await }
        });
        tokio::task::yield_now().await;
        writer.close();
        assert_eq!(writer.write(b"late").await, Ok(0));
        let mut seen = Vec::new();
        let mut file = File::from(read);
        let seen = tokio::task::spawn_blocking(move || {
            file.read_to_end(&mut seen).unwrap();
            seen
        });
        assert_eq!(task.await.unwrap(), Ok(300_000));
        assert_eq!(seen.await.unwrap(), data);
    }

    #[tokio::test]
    async fn a_broken_pipe_is_a_failed_precondition() {
        let (read, write) = sys::pipe().unwrap();
        let writer = Writer::new(write).unwrap();
        drop(read);
        assert_eq!(
            writer.write(b"x").await.unwrap_err().code,
            Code::FailedPrecondition
        );
    }

    #[tokio::test]
    async fn a_zero_length_read_is_refused() {
        let (reader, _pipe) = reader();
        assert_eq!(
            reader.read(0).await.err().unwrap().code,
            Code::InvalidArgument
        );
    }
}
