// SPDX-License-Identifier: Apache-2.0
//! The only place that waits for processes: children of the agent, and everything that is
//! reparented to it.
//!
//! A thread looks for zombies without reaping them, then reaps and records under the table's lock.
//! Spawning and signalling take the same lock. So a child is known before its end can be seen, and
//! a signal never hits a stranger that got the pid of a reaped process. The status of a process
//! that nobody has claimed yet is kept, for the newest `MAX_UNCLAIMED` of them: a container's init
//! may be gone before its pid file is read.

use crate::sys;
use nix::errno::Errno;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use tokio::sync::watch;

const MAX_UNCLAIMED: usize = 1024;
/// The status of a process whose end nobody could see.
const LOST: i32 = 255;

/// The future end of one process; can be asked any number of times.
#[derive(Clone, Debug)]
pub struct Exit(watch::Receiver<Option<i32>>);

impl Exit {
    pub fn status(&self) -> Option<i32> {
        *self.0.borrow()
    }

    pub async fn wait(&self) -> i32 {
        let mut receiver = self.0.clone();
        loop {
            if let Some(status) = *receiver.borrow_and_update() {
                return status;
            }
            if receiver.changed().await.is_err() {
                return self.status().unwrap_or(LOST);
            }
        }
    }
}

/// A moment in the sequence of reaped processes: tells a process from an earlier one of equal pid.
#[derive(Clone, Copy, Debug)]
pub struct Moment(u64);

struct Unclaimed {
    pid: i32,
    status: i32,
    moment: u64,
}

#[derive(Default)]
struct Table {
    moment: u64,
    claimed: HashMap<i32, watch::Sender<Option<i32>>>,
    unclaimed: VecDeque<Unclaimed>,
}

#[derive(Default)]
pub struct Reaper {
    table: Mutex<Table>,
    spawned: Condvar,
}

static INSTANCE: Mutex<Option<Arc<Reaper>>> = Mutex::new(None);

impl Reaper {
    /// The reaper of this process; the first call starts its thread.
    pub fn get() -> io::Result<Arc<Reaper>> {
        let mut instance = sys::lock(&INSTANCE);
        if let Some(reaper) = &*instance {
            return Ok(reaper.clone());
        }
        let reaper = Arc::new(Reaper::default());
        let worker = reaper.clone();
        std::thread::Builder::new()
            .name("reaper".into())
            .stack_size(64 << 10)
            .spawn(move || worker.run())?;
        *instance = Some(reaper.clone());
        Ok(reaper)
    }

    pub fn now(&self) -> Moment {
        Moment(sys::lock(&self.table).moment)
    }

    pub fn spawn(&self, command: &mut Command) -> io::Result<(i32, Exit)> {
        self.spawn_by(|| Ok(command.spawn()?.id() as i32))
    }

    /// `start` makes a child of ours and tells its pid.
    pub fn spawn_by(&self, start: impl FnOnce() -> io::Result<i32>) -> io::Result<(i32, Exit)> {
        let mut table = sys::lock(&self.table);
        let pid = start()?;
        let exit = table.claim(pid);
        self.spawned.notify_one();
        Ok((pid, exit))
    }

    /// The end of a process that was not spawned by us, but is or will be our child.
    /// `since` must be earlier than the start of the process.
    pub fn claim(&self, pid: i32, since: Moment) -> Exit {
        let mut table = sys::lock(&self.table);
        let found = table
            .unclaimed
            .iter()
            .position(|entry| entry.pid == pid && entry.moment > since.0);
        let known = match found.and_then(|index| table.unclaimed.remove(index)) {
            Some(entry) => Some(entry.status),
            None if sys::kill(pid, 0) == Err(Errno::ESRCH) => Some(LOST),
            None => None,
        };
        match known {
            Some(status) => Exit(watch::channel(Some(status)).1),
            None => table.claim(pid),
        }
    }

    /// Sends a signal unless the process has ended.
    pub fn kill(&self, pid: i32, exit: &Exit, signal: i32) -> nix::Result<()> {
        let _table = sys::lock(&self.table);
        match exit.status() {
            Some(_) => Ok(()),
            None => sys::kill(pid, signal),
        }
    }

    fn run(&self) {
        loop {
            match sys::peek_child(true) {
                Ok(Some(pid)) => self.reap(pid),
                Ok(None) | Err(Errno::EINTR) => (),
                Err(_) => self.await_child(),
            }
        }
    }

    fn reap(&self, pid: i32) {
        let mut table = sys::lock(&self.table);
        if let Ok(status) = sys::reap(pid) {
            table.record(pid, status);
        }
    }

    /// Without a child there is no descendant, so the next child can only come from `spawn`.
    fn await_child(&self) {
        let table = sys::lock(&self.table);
        if sys::peek_child(false).is_err() {
            drop(
                self.spawned
                    .wait(table)
                    .unwrap_or_else(PoisonError::into_inner),
            );
        }
    }
}

impl Table {
    fn claim(&mut self, pid: i32) -> Exit {
        let (sender, receiver) = watch::channel(None);
        self.claimed.insert(pid, sender);
        Exit(receiver)
    }

    fn record(&mut self, pid: i32, status: i32) {
        self.moment += 1;
        if let Some(sender) = self.claimed.remove(&pid) {
            sender.send_replace(Some(status));
            return;
        }
        if self.unclaimed.len() == MAX_UNCLAIMED {
            self.unclaimed.pop_front();
        }
        self.unclaimed.push_back(Unclaimed {
            pid,
            status,
            moment: self.moment,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(script);
        command
    }

    #[tokio::test]
    async fn exit_codes_and_signals_are_told_apart() {
        let reaper = Reaper::get().unwrap();
        let (_, code) = reaper.spawn(&mut sh("exit 7")).unwrap();
        let (_, signal) = reaper.spawn(&mut sh("kill -9 $$")).unwrap();
        let (_, realtime) = reaper.spawn(&mut sh("kill -40 $$")).unwrap();
        assert_eq!(code.wait().await, 7);
        assert_eq!(signal.wait().await, 137);
        assert_eq!(realtime.wait().await, 168);
        assert_eq!(code.wait().await, 7, "a second wait gives the same answer");
    }

    #[tokio::test]
    async fn many_waiters_see_one_exit() {
        let reaper = Reaper::get().unwrap();
        let (pid, exit) = reaper.spawn(&mut sh("exec sleep 60")).unwrap();
        let waiters: Vec<_> = (0..8)
            .map(|_| {
                let exit = exit.clone();
                tokio::spawn(async move { exit.wait().await })
            })
            .collect();
        reaper.kill(pid, &exit, libc::SIGTERM).unwrap();
        for waiter in waiters {
            assert_eq!(waiter.await.unwrap(), 143);
        }
        assert_eq!(reaper.kill(pid, &exit, libc::SIGKILL), Ok(()));
    }

    #[test]
    fn an_unclaimed_status_is_kept_but_not_for_a_later_process() {
        let reaper = Reaper::default();
        let start = reaper.now();
        sys::lock(&reaper.table).record(i32::MAX, 3);
        let later = reaper.now();
        // No process has this pid, so a claim that finds no status is answered at once.
        assert_eq!(reaper.claim(i32::MAX, later).status(), Some(LOST));
        assert_eq!(reaper.claim(i32::MAX, start).status(), Some(3));
        assert_eq!(reaper.claim(i32::MAX, start).status(), Some(LOST));
    }

    #[test]
    fn unclaimed_statuses_are_bounded() {
        let mut table = Table::default();
        for pid in 0..5000 {
            table.record(pid, 0);
        }
        assert_eq!(table.unclaimed.len(), MAX_UNCLAIMED);
        assert_eq!(table.unclaimed.back().unwrap().pid, 4999);
    }
}
