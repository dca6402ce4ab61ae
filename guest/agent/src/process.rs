// SPDX-License-Identifier: Apache-2.0
//! One process of a container: its streams as the host uses them, and its end.

use crate::console::ConsoleSocket;
use crate::reaper::Exit;
use crate::runtime::{Runtime, Streams};
use crate::status::{Result, Status};
use crate::stream::{Reader, Writer};
use crate::sys;
use nix::fcntl::{fcntl, FcntlArg};
use std::ffi::OsString;
use std::io;
use std::os::unix::io::{AsRawFd, OwnedFd};

pub struct Process {
    pub pid: i32,
    pub exit: Exit,
    pub stdin: Writer,
    pub stdout: Reader,
    pub stderr: Reader,
    /// The master side of the terminal, for its size.
    terminal: Option<OwnedFd>,
}

impl Process {
    /// Whether forgetting this process would lose any of its output.
    pub fn has_unread_output(&self) -> bool {
        !(self.stdout.is_drained() && self.stderr.is_drained())
    }
}

/// What the runtime is to be given for the streams of a process that does not run yet.
pub enum Wiring {
    Pipes {
        process: Option<Streams>,
        agent: [OwnedFd; 3],
    },
    Terminal {
        socket: ConsoleSocket,
        size: Option<(u16, u16)>,
    },
}

impl Wiring {
    pub fn new(
        process: &crate::proto::grpc::Process,
        runtime: &Runtime,
        pipe_size: usize,
    ) -> Result<Wiring> {
        let make = || -> io::Result<Wiring> {
            if process.terminal {
                return Ok(Wiring::Terminal {
                    socket: ConsoleSocket::bind(runtime.private_file("tty"))?,
                    size: console_size(process),
                });
            }
            let (process, agent) = pipes(pipe_size)?;
            Ok(Wiring::Pipes {
                process: Some(process),
                agent,
            })
        };
        make().map_err(|error| Status::io("make the streams of the process", &error))
    }

    /// Arguments for the runtime and the streams to start it with.
    pub fn for_runtime(&mut self) -> (Vec<OsString>, Option<Streams>) {
        match self {
            Wiring::Pipes { process, .. } => (Vec::new(), process.take()),
            Wiring::Terminal { socket, .. } => {
                let path = socket.path().as_os_str().to_os_string();
                (vec!["--console-socket".into(), path], None)
            }
        }
    }

    /// To be called once the runtime has left the process behind.
    pub fn connect(self, pid: i32, exit: Exit) -> Result<Process> {
        let ends = match self {
            Wiring::Pipes { agent, .. } => Ends::Pipes(agent),
            Wiring::Terminal { socket, size } => {
                let terminal = socket.receive();
                let terminal = terminal.map_err(|error| Status::io("get the terminal", &error))?;
                Ends::Terminal { terminal, size }
            }
        };
        ends.connect(pid, exit)
    }
}

/// The agent's side of the streams of a process.
pub enum Ends {
    Pipes([OwnedFd; 3]),
    Terminal {
        terminal: OwnedFd,
        size: Option<(u16, u16)>,
    },
}

impl Ends {
    pub fn connect(self, pid: i32, exit: Exit) -> Result<Process> {
        let make = || -> io::Result<Process> {
            match self {
                Ends::Pipes([stdin, stdout, stderr]) => Ok(Process {
                    pid,
                    exit,
                    stdin: Writer::new(stdin)?,
                    stdout: Reader::new(stdout)?,
                    stderr: Reader::new(stderr)?,
                    terminal: None,
                }),
                Ends::Terminal { terminal, size } => {
                    if let Some((rows, columns)) = size {
                        sys::set_window_size(&terminal, rows, columns)?;
                    }
                    Ok(Process {
                        pid,
                        exit,
                        stdin: Writer::new(terminal.try_clone()?)?,
                        stdout: Reader::new(terminal.try_clone()?)?,
                        stderr: Reader::ended(),
                        terminal: Some(terminal),
                    })
                }
            }
        };
        make().map_err(|error| Status::io("connect the streams of the process", &error))
    }
}

impl Process {
    /// No effect with a terminal: its input has no end.
    pub fn close_stdin(&self) {
        if self.terminal.is_none() {
            self.stdin.close();
        }
    }

    pub fn resize(&self, rows: u32, columns: u32) -> Result<()> {
        let terminal = self
            .terminal
            .as_ref()
            .ok_or_else(|| Status::precondition("the process has no terminal"))?;
        match (u16::try_from(rows), u16::try_from(columns)) {
            (Ok(rows), Ok(columns)) => sys::set_window_size(terminal, rows, columns)
                .map_err(|error| Status::io("set the window size", &error)),
            _ => Err(Status::invalid(format!(
                "a window of {rows} rows and {columns} columns is too large"
            ))),
        }
    }
}

/// Rows and columns, if the process names them.
pub fn console_size(process: &crate::proto::grpc::Process) -> Option<(u16, u16)> {
    let size = process.console_size.as_ref()?;
    let rows = u16::try_from(size.height).ok()?;
    let columns = u16::try_from(size.width).ok()?;
    (rows > 0 && columns > 0).then_some((rows, columns))
}

/// Pipes for standard input, output and error, as (the side of the process, that of the agent).
pub fn pipes(size: usize) -> io::Result<(Streams, [OwnedFd; 3])> {
    let (stdin, stdin_agent) = sized_pipe(size)?;
    let (stdout_agent, stdout) = sized_pipe(size)?;
    let (stderr_agent, stderr) = sized_pipe(size)?;
    Ok((
        [stdin, stdout, stderr],
        [stdin_agent, stdout_agent, stderr_agent],
    ))
}

fn sized_pipe(size: usize) -> io::Result<(OwnedFd, OwnedFd)> {
    let pipe = sys::pipe()?;
    // A smaller pipe works too, only slower.
    if let Ok(size) = i32::try_from(size) {
        let _ = fcntl(pipe.0.as_raw_fd(), FcntlArg::F_SETPIPE_SZ(size));
    }
    Ok(pipe)
}
