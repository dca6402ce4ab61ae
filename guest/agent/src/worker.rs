// SPDX-License-Identifier: Apache-2.0
//! Threads for the start of processes in containers. Such a start may block for long, and leaves the
//! thread in the container's PID namespace for its children, from where it is brought back. One idle
//! thread is kept: a clone has it from the machine that was saved, and need not make one, which for
//! its QEMU would be code to translate.

use crate::sys;
use nix::sched::{setns, CloneFlags};
use std::fs::File;
use std::io;
use std::os::unix::io::AsRawFd;
use std::sync::mpsc::{channel, Sender};
use std::sync::Mutex;

pub type Job = Box<dyn FnOnce() + Send>;

static IDLE: Mutex<Option<Sender<Job>>> = Mutex::new(None);

/// Runs a job in a thread, with no other job beside it.
pub fn run(job: Job) -> io::Result<()> {
    let idle = sys::lock(&IDLE).take();
    let job = match idle {
        Some(idle) => match idle.send(job) {
            Ok(()) => return Ok(()),
            Err(refused) => refused.0,
        },
        None => job,
    };
    let home = File::open("/proc/self/ns/pid")?;
    std::thread::Builder::new()
        .name("exec".into())
        .spawn(move || work(&home, job))
        .map(drop)
}

/// Ends when another thread is idle already, or this one cannot be brought back.
fn work(home: &File, first: Job) {
    let mut job = first;
    loop {
        job();
        if setns(home.as_raw_fd(), CloneFlags::CLONE_NEWPID).is_err() && !cfg!(test) {
            return;
        }
        let (sender, receiver) = channel();
        {
            let mut idle = sys::lock(&IDLE);
            if idle.is_some() {
                return;
            }
            *idle = Some(sender);
        }
        job = match receiver.recv() {
            Ok(next) => next,
            Err(_) => return,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const LIMIT: Duration = Duration::from_secs(10);

    #[test]
    fn each_job_runs_though_others_block() {
        let (sender, receiver) = channel();
        let (release, blocked) = channel::<()>();
        let done = sender.clone();
        run(Box::new(move || {
            let _ = blocked.recv();
            done.send(0).unwrap();
        }))
        .unwrap();
        for number in 1..4 {
            let sender = sender.clone();
            run(Box::new(move || sender.send(number).unwrap())).unwrap();
            assert_eq!(receiver.recv_timeout(LIMIT), Ok(number));
        }
        drop(release);
        assert_eq!(receiver.recv_timeout(LIMIT), Ok(0));
    }
}
