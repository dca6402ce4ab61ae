// SPDX-License-Identifier: Apache-2.0
//! Signals to one process of a container or to all of them. What has ended is silently spared.

use crate::container::{Container, Phase};
use crate::process::Process;
use crate::status::{Result, Status};
use crate::{cgroup, sys};
use std::fs;

const MAX_SIGNAL: i32 = 64;

impl Container {
    /// `signal` for one process, or for all of them when `exec_id` is empty.
    pub fn signal(&self, exec_id: &str, signal: u32) -> Result<()> {
        let signal = i32::try_from(signal)
            .ok()
            .filter(|signal| (0..=MAX_SIGNAL).contains(signal))
            .ok_or_else(|| Status::invalid(format!("signal {signal} does not exist")))?;
        let process = self.find(exec_id)?;
        if self.phase() == Phase::Stopped {
            return Ok(());
        }
        if exec_id.is_empty() {
            return self.signal_all(signal);
        }
        let signal = if exec_id == self.id {
            self.effective_signal(process.pid, signal)
        } else {
            signal
        };
        self.send(&process, signal)
    }

    fn send(&self, process: &Process, signal: i32) -> Result<()> {
        let reaper = &self.context.runtime.reaper;
        match reaper.kill(process.pid, &process.exit, signal) {
            Ok(()) | Err(nix::errno::Errno::ESRCH) => Ok(()),
            Err(errno) => Err(Status::errno(format!("send signal {signal}"), errno)),
        }
    }

    pub(crate) fn signal_all(&self, signal: i32) -> Result<()> {
        let init = self.find("")?;
        if signal == libc::SIGKILL && fs::write(self.cgroup.join("cgroup.kill"), "1").is_ok() {
            return Ok(());
        }
        for pid in cgroup::pids(&self.cgroup) {
            if pid != init.pid {
                let _ = sys::kill(pid, signal);
            }
        }
        self.send(&init, self.effective_signal(init.pid, signal))
    }

    /// The init of a PID namespace ignores SIGTERM unless it has a handler, and would never end.
    fn effective_signal(&self, pid: i32, signal: i32) -> i32 {
        if signal != libc::SIGTERM || self.shares_pids {
            return signal;
        }
        match fs::read_to_string(format!("/proc/{pid}/status")) {
            Ok(status) if !catches(&status, signal) => libc::SIGKILL,
            _ => signal,
        }
    }
}

fn catches(status: &str, signal: i32) -> bool {
    let line = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let mask = line.and_then(|text| u64::from_str_radix(text.trim(), 16).ok());
    mask.map_or(false, |mask| mask >> (signal - 1) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caught_signals_are_read_from_the_mask() {
        let status = "Name:\tsh\nSigIgn:\t0000000000004000\nSigCgt:\t0000000000004002\n";
        assert!(catches(status, libc::SIGTERM));
        assert!(catches(status, libc::SIGINT));
        assert!(!catches(status, libc::SIGHUP));
        assert!(!catches("", libc::SIGTERM));
    }
}
