// SPDX-License-Identifier: Apache-2.0
//! Runs the OCI runtime (crun). Its standard streams become those of the container, so its own
//! messages go to a log in memory, and from there into our errors.

use crate::config::Config;
use crate::reaper::{Exit, Moment, Reaper};
use crate::status::{Code, Result, Status};
use crate::sys;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::io::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The runtime only sets up or tears down; one that takes this long hangs.
const LIMIT: Duration = Duration::from_secs(55);
const MAX_TEXT: u64 = 4096;

/// The process side of standard input, output and error.
pub type Streams = [OwnedFd; 3];

pub struct Runtime {
    program: PathBuf,
    /// A sealed copy of the program in memory, made by the first run. The runtime protects itself
    /// from containers by copying and executing itself anew, unless it finds itself sealed.
    sealed: Mutex<Option<File>>,
    seal: bool,
    private: PathBuf,
    /// Where the runtime keeps its state.
    state: PathBuf,
    pub reaper: Arc<Reaper>,
}

impl Runtime {
    pub fn new(config: &Config) -> std::io::Result<Runtime> {
        Ok(Runtime {
            program: config.runtime.clone(),
            sealed: Mutex::new(None),
            seal: config.guest,
            private: config.private.clone(),
            state: config.runtime_state.clone(),
            reaper: Reaper::get()?,
        })
    }

    fn executable(&self) -> PathBuf {
        let mut sealed = sys::lock(&self.sealed);
        if self.seal && sealed.is_none() {
            match sys::sealed_copy(&self.program) {
                Ok(copy) => *sealed = Some(copy),
                Err(error) => warning!("copy of {}: {error}", self.program.display()),
            }
        }
        match &*sealed {
            Some(copy) => PathBuf::from(format!("/proc/self/fd/{}", copy.as_raw_fd())),
            None => self.program.clone(),
        }
    }

    /// A fresh file name that only the agent knows.
    pub fn private_file(&self, suffix: &str) -> PathBuf {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        self.private.join(format!("{number}.{suffix}"))
    }

    pub async fn run(&self, arguments: Vec<OsString>) -> Result<()> {
        self.execute(arguments, None).await
    }

    /// The filter of system calls that a container was created with.
    pub fn filter_file(&self, id: &str) -> PathBuf {
        self.state.join(id).join("seccomp.bpf")
    }

    /// Lets a created container run.
    ///
    /// crun's init waits for a byte in a FIFO, and `crun start` does no more than write it: the
    /// process is saved. Where the FIFO is not as expected, the runtime is asked in the usual way.
    pub async fn start(&self, id: &str) -> Result<()> {
        let fifo = self.state.join(id).join("exec.fifo");
        match release(&fifo) {
            Ok(()) => Ok(()),
            Err(error) => {
                debug!("{}: {error}, falling back to the runtime", fifo.display());
                self.execute(vec!["start".into(), id.into()], None).await
            }
        }
    }

    /// Runs `create`, which leaves a process behind, and takes over that process.
    pub async fn launch(
        &self,
        mut arguments: Vec<OsString>,
        id: &str,
        streams: Option<Streams>,
    ) -> Result<(i32, Exit)> {
        let pid_file = self.private_file("pid");
        arguments.extend(["--pid-file".into(), pid_file.clone().into(), id.into()]);
        let start = self.reaper.now();
        let result = self.execute(arguments, streams).await;
        let pid = result.and_then(|()| read_pid(&pid_file));
        let _ = fs::remove_file(&pid_file);
        pid.map(|pid| self.take_over(pid, start))
    }

    fn take_over(&self, pid: i32, start: Moment) -> (i32, Exit) {
        (pid, self.reaper.claim(pid, start))
    }

    async fn execute(&self, arguments: Vec<OsString>, streams: Option<Streams>) -> Result<()> {
        let action = match arguments.first() {
            Some(name) => name.to_string_lossy().into_owned(),
            None => String::new(),
        };
        let log = sys::memfd(Default::default())
            .map_err(|error| Status::io("make the log of the runtime", &error))?;
        let mut command = Command::new(self.executable());
        command
            .arg("--log")
            .arg(format!(
                "/proc/{}/fd/{}",
                std::process::id(),
                log.as_raw_fd()
            ))
            .args(["--cgroup-manager", "cgroupfs"])
            .args(&arguments);
        match streams {
            Some([input, output, error]) => {
                command.stdin(input).stdout(output).stderr(error);
            }
            None => {
                command.stdin(Stdio::null()).stdout(Stdio::null());
                match log.try_clone() {
                    Ok(copy) => command.stderr(copy),
                    Err(_) => command.stderr(Stdio::null()),
                };
            }
        }
        let name = self.program.display();
        let (pid, exit) = self
            .reaper
            .spawn(&mut command)
            .map_err(|error| Status::io(format!("run {name} {action}"), &error))?;
        // The command still holds the streams; their end must be seen when the process ends.
        drop(command);
        let status = match tokio::time::timeout(LIMIT, exit.wait()).await {
            Ok(status) => status,
            Err(_) => {
                let _ = self.reaper.kill(pid, &exit, libc::SIGKILL);
                return Err(Status::deadline(format!(
                    "{name} {action} took over {LIMIT:?}"
                )));
            }
        };
        if status == 0 {
            return Ok(());
        }
        Err(failure(&action, status, &read_log(log)))
    }
}

fn release(fifo: &Path) -> std::io::Result<()> {
    // Fails at once when nobody waits, instead of waiting for somebody.
    let mut file = OpenOptions::new()
        .write(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(fifo)?;
    // Its absence is what tells the runtime that the container runs.
    fs::remove_file(fifo)?;
    file.write_all(b"0")
}

fn read_pid(path: &Path) -> Result<i32> {
    let text = fs::read_to_string(path)
        .map_err(|error| Status::io("read the runtime's pid file", &error))?;
    text.trim()
        .parse()
        .ok()
        .filter(|pid| *pid > 1)
        .ok_or_else(|| Status::internal(format!("the runtime's pid file says {text:?}")))
}

fn read_log(mut log: File) -> String {
    let mut text = Vec::new();
    let _ = log.seek(SeekFrom::Start(0));
    let _ = log.take(MAX_TEXT).read_to_end(&mut text);
    String::from_utf8_lossy(&text).trim().to_string()
}

/// The runtime reports a bad command by text only.
fn failure(action: &str, status: i32, text: &str) -> Status {
    let message = format!("runtime {action} failed with status {status}: {text}");
    let about_command = action == "create"
        && (text.contains("executable file")
            || text.contains("open executable")
            || text.contains("exec container process"));
    if about_command && (text.contains("not found") || text.contains("No such file or directory")) {
        return Status::not_found(message).because("executable-not-found");
    }
    if about_command
        && (text.contains("Permission denied")
            || text.contains("Operation not permitted")
            || text.contains("not executable")
            || text.contains("Is a directory"))
    {
        return Status::new(Code::PermissionDenied, message).because("executable-not-permitted");
    }
    Status::internal(message)
}
