// SPDX-License-Identifier: Apache-2.0
//! The error of an RPC: a gRPC status code, a message for people and, where a program must tell
//! two causes of one code apart, a reason that travels in the trailer `virtcontainers-error`.

use std::fmt;
use std::io;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    Cancelled = 1,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    AlreadyExists = 6,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    OutOfRange = 11,
    Unimplemented = 12,
    Internal = 13,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    pub code: Code,
    pub message: String,
    pub reason: Option<&'static str>,
}

pub type Result<T> = std::result::Result<T, Status>;

impl Status {
    pub fn new(code: Code, message: impl Into<String>) -> Status {
        Status {
            code,
            message: message.into(),
            reason: None,
        }
    }

    pub fn because(mut self, reason: &'static str) -> Status {
        self.reason = Some(reason);
        self
    }

    pub fn invalid(message: impl Into<String>) -> Status {
        Status::new(Code::InvalidArgument, message)
    }

    pub fn not_found(message: impl Into<String>) -> Status {
        Status::new(Code::NotFound, message)
    }

    pub fn exists(message: impl Into<String>) -> Status {
        Status::new(Code::AlreadyExists, message)
    }

    pub fn precondition(message: impl Into<String>) -> Status {
        Status::new(Code::FailedPrecondition, message)
    }

    pub fn unimplemented(message: impl Into<String>) -> Status {
        Status::new(Code::Unimplemented, message)
    }

    pub fn internal(message: impl Into<String>) -> Status {
        Status::new(Code::Internal, message)
    }

    pub fn deadline(message: impl Into<String>) -> Status {
        Status::new(Code::DeadlineExceeded, message)
    }

    /// The end of a stream: not a failure, yet the protocol reports it as an error.
    pub fn eof() -> Status {
        Status::new(Code::OutOfRange, "EOF")
    }

    /// A failed system call, with the action that was tried; a lack of resources keeps its own code.
    pub fn io(action: impl fmt::Display, error: &io::Error) -> Status {
        let code = match error.raw_os_error() {
            Some(libc::ENOSPC) | Some(libc::ENOMEM) | Some(libc::EMFILE) | Some(libc::ENFILE) => {
                Code::ResourceExhausted
            }
            _ => Code::Internal,
        };
        Status::new(code, format!("{action}: {error}"))
    }

    pub fn errno(action: impl fmt::Display, errno: nix::errno::Errno) -> Status {
        Status::io(action, &io::Error::from(errno))
    }

    pub fn context(mut self, what: impl fmt::Display) -> Status {
        self.message = format!("{what}: {}", self.message);
        self
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.code, self.message)
    }
}
