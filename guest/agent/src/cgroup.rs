// SPDX-License-Identifier: Apache-2.0
//! The files of a cgroup (version 2). What is read is bounded; a file that is missing or not as
//! expected counts as absent, since kernels differ in what they have.

use crate::inotify::Inotify;
use crate::status::{Result, Status};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;

const MAX_FILE: u64 = 1 << 20;
const FREEZE: &str = "cgroup.freeze";

pub fn read(directory: &Path, name: &str) -> Option<String> {
    let mut text = String::new();
    let file = File::open(directory.join(name)).ok()?;
    file.take(MAX_FILE).read_to_string(&mut text).ok()?;
    Some(text)
}

/// The content as a number; `max` is the greatest one.
pub fn number(directory: &Path, name: &str) -> Option<u64> {
    parse(read(directory, name)?.trim())
}

pub fn parse(text: &str) -> Option<u64> {
    match text {
        "max" => Some(u64::MAX),
        text => text.parse().ok(),
    }
}

/// The lines of a flat keyed file: a name, a space, a number.
pub fn fields(text: &str) -> impl Iterator<Item = (&str, u64)> {
    text.lines().filter_map(|line| {
        let (key, value) = line.split_once(' ')?;
        Some((key, parse(value.trim())?))
    })
}

pub fn field(text: &str, name: &str) -> Option<u64> {
    fields(text)
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

pub fn write(directory: &Path, name: &str, value: &str) -> Result<()> {
    fs::write(directory.join(name), value).map_err(|error| {
        let action = format!("write {value:?} to {name}");
        match error.raw_os_error() {
            Some(libc::EINVAL) | Some(libc::ERANGE) => {
                Status::invalid(format!("{action}: {error}"))
            }
            _ => Status::io(action, &error),
        }
    })
}

/// All processes of a cgroup and of those below it.
pub fn pids(cgroup: &Path) -> Vec<i32> {
    let mut pids = Vec::new();
    let mut queue = vec![cgroup.to_path_buf()];
    while let Some(directory) = queue.pop() {
        let text = read(&directory, "cgroup.procs").unwrap_or_default();
        pids.extend(text.lines().filter_map(|line| line.parse::<i32>().ok()));
        let entries = fs::read_dir(&directory).into_iter().flatten().flatten();
        queue.extend(
            entries
                .filter(|entry| entry.file_type().map_or(false, |kind| kind.is_dir()))
                .map(|entry| entry.path()),
        );
    }
    pids.retain(|pid| *pid > 1);
    pids
}

/// Freezes, and waits until the kernel says so; what cannot be frozen in time is thawed.
pub async fn freeze(cgroup: &Path, limit: Duration) -> Result<()> {
    const EVENTS: &str = "cgroup.events";
    let fail = |error| Status::io("watch the state of the cgroup", &error);
    let inotify = Inotify::new().map_err(fail)?;
    inotify.add(&cgroup.join(EVENTS)).map_err(fail)?;
    write(cgroup, FREEZE, "1")?;
    let reached = || field(&read(cgroup, EVENTS).unwrap_or_default(), "frozen") == Some(1);
    let wait = async {
        while !reached() {
            inotify.next().await.map_err(fail)?;
        }
        Ok(())
    };
    let result = tokio::time::timeout(limit, wait)
        .await
        .unwrap_or_else(|_| Err(Status::deadline(format!("not frozen within {limit:?}"))));
    if result.is_err() {
        thaw(cgroup)?;
    }
    result
}

/// The kernel has nothing to wait for: the processes run on when the write returns. The file is not
/// cut as by `write`, which a clone would need more of the kernel for, at a moment that counts.
pub fn thaw(cgroup: &Path) -> Result<()> {
    let file = OpenOptions::new().write(true).open(cgroup.join(FREEZE));
    file.and_then(|mut file| file.write_all(b"0"))
        .map_err(|error| Status::io("thaw the cgroup", &error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Code;
    use crate::testing::{is_pending, TempDir};

    #[test]
    fn flat_files_are_read_and_odd_lines_skipped() {
        let text = "low 0\nmax 7\nodd\nbad x\noom_kill 3\n\nlimit max\n";
        assert_eq!(field(text, "oom_kill"), Some(3));
        assert_eq!(field(text, "limit"), Some(u64::MAX));
        assert_eq!(field(text, "bad"), None);
        assert_eq!(fields(text).count(), 4);
    }

    #[test]
    fn missing_files_are_absent() {
        let directory = TempDir::new();
        assert_eq!(number(directory.path(), "memory.peak"), None);
        fs::write(directory.path().join("memory.max"), "max\n").unwrap();
        assert_eq!(number(directory.path(), "memory.max"), Some(u64::MAX));
    }

    #[test]
    fn processes_of_the_cgroups_below_count() {
        let directory = TempDir::new();
        fs::create_dir_all(directory.path().join("a/b")).unwrap();
        fs::write(directory.path().join("cgroup.procs"), "12\n13\n").unwrap();
        fs::write(directory.path().join("a/b/cgroup.procs"), "14\n0\n").unwrap();
        assert_eq!(pids(directory.path()), [12, 13, 14]);
        assert_eq!(pids(&directory.path().join("none")), [] as [i32; 0]);
    }

    fn freezer(state: &str) -> TempDir {
        let directory = TempDir::new();
        fs::write(directory.path().join("cgroup.events"), state).unwrap();
        fs::write(directory.path().join(FREEZE), "0").unwrap();
        directory
    }

    #[tokio::test]
    async fn freezing_ends_when_the_kernel_says_so() {
        let cgroup = freezer("populated 1\nfrozen 0\n");
        let limit = Duration::from_secs(60);
        let freeze = freeze(cgroup.path(), limit);
        tokio::pin!(freeze);
        assert!(is_pending(freeze.as_mut()).await);
        assert_eq!(read(cgroup.path(), "cgroup.freeze").unwrap(), "1");
        let events = cgroup.path().join("cgroup.events");
        fs::write(events, "populated 1\nfrozen 1\n").unwrap();
        freeze.await.unwrap();
    }

    #[tokio::test]
    async fn what_does_not_freeze_in_time_runs_on() {
        let cgroup = freezer("populated 1\nfrozen 0\n");
        let limit = Duration::from_millis(1);
        let error = freeze(cgroup.path(), limit).await.unwrap_err();
        assert_eq!(error.code, Code::DeadlineExceeded);
        assert_eq!(read(cgroup.path(), "cgroup.freeze").unwrap(), "0");
    }
}
