// SPDX-License-Identifier: Apache-2.0
//! What gRPC adds to HTTP/2: the message prefix, the deadline header, the status trailers.

use crate::status::{Code, Result, Status};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use prost::Message;
use std::time::Duration;

pub const PREFIX: usize = 5;
pub const MAX_MESSAGE: usize = 4 << 20;
/// gRPC clients refuse header lists above 8 KiB; this leaves room for the other headers.
const MAX_STATUS_MESSAGE: usize = 6 << 10;

/// Takes a message back whose bytes were not all written to the channel.
pub trait GiveBack: Send {
    fn give_back(self: Box<Self>);
}

/// An answer on its way through h2. Dropped unfinished, it gives its content back; dropped in any
/// way, it releases what it held.
pub struct Frame {
    data: Bytes,
    hold: Option<Box<dyn GiveBack>>,
}

impl Frame {
    /// `data` must already carry its gRPC prefix.
    pub fn held(data: Bytes, hold: Box<dyn GiveBack>) -> Frame {
        Frame {
            data,
            hold: Some(hold),
        }
    }

    pub fn message(message: &impl Message) -> Result<Frame> {
        let length = message.encoded_len();
        let mut data = BytesMut::with_capacity(PREFIX + length);
        put_prefix(&mut data, length);
        message
            .encode(&mut data)
            .map_err(|error| Status::internal(format!("answer not encodable: {error}")))?;
        Ok(Frame {
            data: data.freeze(),
            hold: None,
        })
    }

    pub fn message_held(message: &impl Message, hold: Box<dyn GiveBack>) -> Result<Frame> {
        let mut frame = Frame::message(message)?;
        frame.hold = Some(hold);
        Ok(frame)
    }
}

impl Buf for Frame {
    fn remaining(&self) -> usize {
        self.data.remaining()
    }
    fn chunk(&self) -> &[u8] {
        self.data.chunk()
    }
    fn advance(&mut self, count: usize) {
        self.data.advance(count)
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        if self.data.has_remaining() {
            if let Some(hold) = self.hold.take() {
                hold.give_back();
            }
        }
    }
}

pub fn put_prefix(data: &mut impl BufMut, length: usize) {
    data.put_u8(0);
    data.put_u32(length as u32);
}

/// The length that a message prefix announces.
pub fn parse_prefix(prefix: &[u8; PREFIX]) -> Result<usize> {
    match prefix[0] {
        0 => (),
        1 => {
            return Err(Status::unimplemented(
                "compressed messages are not supported",
            ))
        }
        flag => return Err(Status::invalid(format!("message flag {flag} is unknown"))),
    }
    let length = u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]) as usize;
    if length > MAX_MESSAGE {
        return Err(Status::new(
            Code::ResourceExhausted,
            format!("message of {length} bytes exceeds the limit of {MAX_MESSAGE}"),
        ));
    }
    Ok(length)
}

/// The `grpc-timeout` header: at most eight digits and a unit.
pub fn timeout(headers: &HeaderMap) -> Result<Option<Duration>> {
    let value = match headers.get("grpc-timeout") {
        Some(value) => value,
        None => return Ok(None),
    };
    parse_timeout(value.as_bytes())
        .map(Some)
        .ok_or_else(|| Status::invalid(format!("grpc-timeout {value:?} is malformed")))
}

fn parse_timeout(text: &[u8]) -> Option<Duration> {
    let (unit, digits) = text.split_last()?;
    if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    match unit {
        b'H' => Some(Duration::from_secs(number * 3600)),
        b'M' => Some(Duration::from_secs(number * 60)),
        b'S' => Some(Duration::from_secs(number)),
        b'm' => Some(Duration::from_millis(number)),
        b'u' => Some(Duration::from_micros(number)),
        b'n' => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

pub fn is_grpc(headers: &HeaderMap) -> bool {
    let value = headers.get(http::header::CONTENT_TYPE);
    let rest = value.and_then(|value| value.as_bytes().strip_prefix(b"application/grpc"));
    matches!(rest, Some([]) | Some([b'+', ..]) | Some([b';', ..]))
}

pub fn ok_trailers() -> HeaderMap {
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    trailers
}

/// Adds the status to the headers of a response that consists of nothing else.
pub fn put_status(headers: &mut HeaderMap, status: &Status) {
    headers.insert("grpc-status", HeaderValue::from(status.code as u16));
    if let Ok(value) = HeaderValue::from_bytes(&percent_encode(&status.message)) {
        headers.insert("grpc-message", value);
    }
    if let Some(reason) = status.reason {
        headers.insert(
            HeaderName::from_static("virtcontainers-error"),
            HeaderValue::from_static(reason),
        );
    }
}

fn percent_encode(text: &str) -> Vec<u8> {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut encoded = Vec::with_capacity(text.len());
    for character in text.chars() {
        if encoded.len() + 12 > MAX_STATUS_MESSAGE {
            break;
        }
        let mut buffer = [0; 4];
        for &byte in character.encode_utf8(&mut buffer).as_bytes() {
            if (0x20..=0x7e).contains(&byte) && byte != b'%' {
                encoded.push(byte);
            } else {
                encoded.push(b'%');
                encoded.push(HEX[usize::from(byte >> 4)]);
                encoded.push(HEX[usize::from(byte & 15)]);
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts() {
        assert_eq!(parse_timeout(b"100m"), Some(Duration::from_millis(100)));
        assert_eq!(
            parse_timeout(b"99999999H"),
            Some(Duration::from_secs(359_999_996_400))
        );
        for bad in ["", "m", "1", "123456789S", "-1S", "1x", " 1S"] {
            assert_eq!(parse_timeout(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn messages_are_percent_encoded_and_bounded() {
        assert_eq!(percent_encode("a b%\né"), b"a b%25%0A%C3%A9");
        let long = percent_encode(&"é".repeat(100_000));
        assert!(long.len() <= MAX_STATUS_MESSAGE);
        assert!(long.ends_with(b"%A9"));
    }

    #[test]
    fn prefixes() {
        assert_eq!(parse_prefix(&[0, 0, 0, 1, 0]), Ok(256));
        assert_eq!(
            parse_prefix(&[1, 0, 0, 0, 0]).unwrap_err().code,
            Code::Unimplemented
        );
        assert_eq!(
            parse_prefix(&[2, 0, 0, 0, 0]).unwrap_err().code,
            Code::InvalidArgument
        );
        assert_eq!(parse_prefix(&[0, 0, 64, 0, 0]), Ok(MAX_MESSAGE));
        assert_eq!(
            parse_prefix(&[0, 0, 64, 0, 1]).unwrap_err().code,
            Code::ResourceExhausted
        );
    }

    #[test]
    fn content_types() {
        let mut headers = HeaderMap::new();
        assert!(!is_grpc(&headers));
        for (value, expected) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("application/grpc-web", false),
            ("text/plain", false),
        ] {
            headers.insert("content-type", HeaderValue::from_static(value));
            assert_eq!(is_grpc(&headers), expected, "{value}");
        }
    }

    #[test]
    fn an_unwritten_frame_gives_back_and_a_written_one_does_not() {
        use std::sync::atomic::{AtomicUsize, Ordering};
        use std::sync::Arc;
        struct Count(Arc<AtomicUsize>);
        impl GiveBack for Count {
            fn give_back(self: Box<Self>) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let count = Arc::new(AtomicUsize::new(0));
        let frame = || Frame::held(Bytes::from_static(b"abc"), Box::new(Count(count.clone())));
        let mut written = frame();
        written.advance(3);
        drop(written);
        assert_eq!(count.load(Ordering::Relaxed), 0);
        let mut partial = frame();
        partial.advance(2);
        drop(partial);
        assert_eq!(count.load(Ordering::Relaxed), 1);
    }
}
