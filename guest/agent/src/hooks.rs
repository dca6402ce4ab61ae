// SPDX-License-Identifier: Apache-2.0
//! Programs of the guest image that run at points in the life of each container, with the state of
//! the container as OCI defines it on their standard input.

use crate::paths;
use crate::reaper::Reaper;
use crate::status::{Result, Status};
use crate::sys;
use serde_json::Value;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const MAX_HOOKS: usize = 64;
const MAX_TEXT: u64 = 1024;
const LIMIT: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug)]
pub enum Point {
    /// After the creation of a container, which fails with the hook.
    Prestart,
    Poststart,
    Poststop,
}

#[derive(Debug, Default)]
pub struct Hooks {
    prestart: Vec<PathBuf>,
    poststart: Vec<PathBuf>,
    poststop: Vec<PathBuf>,
}

impl Hooks {
    /// The executables in the directories `prestart`, `poststart` and `poststop` of `directory`, in
    /// the order of their names. Blocks the thread.
    pub fn find(directory: &str) -> Result<Hooks> {
        if !paths::is_plain(directory) {
            return Err(Status::invalid(format!(
                "guest_hook_path {directory:?} must be a plain absolute path"
            )));
        }
        let directory = Path::new(directory);
        let hooks = Hooks {
            prestart: executables(&directory.join("prestart"))?,
            poststart: executables(&directory.join("poststart"))?,
            poststop: executables(&directory.join("poststop"))?,
        };
        if hooks.prestart.is_empty() && hooks.poststart.is_empty() && hooks.poststop.is_empty() {
            warning!("there are no hooks in {}", directory.display());
        }
        Ok(hooks)
    }

    /// Runs them one after the other, up to the first that fails or does not end in time.
    pub async fn run(&self, point: Point, reaper: &Reaper, state: &Value) -> Result<()> {
        let list = match point {
            Point::Prestart => &self.prestart,
            Point::Poststart => &self.poststart,
            Point::Poststop => &self.poststop,
        };
        for program in list {
            run(program, reaper, state, LIMIT)
                .await
                .map_err(|status| status.context(format!("hook {}", program.display())))?;
        }
        Ok(())
    }
}

fn executables(directory: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut list: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| {
            let status = fs::metadata(path);
            status.map_or(false, |s| {
                s.is_file() && s.permissions().mode() & 0o111 != 0
            })
        })
        .collect();
    if list.len() > MAX_HOOKS {
        return Err(Status::invalid(format!(
            "{} hooks in {}; the limit is {MAX_HOOKS}",
            list.len(),
            directory.display()
        )));
    }
    list.sort();
    Ok(list)
}

async fn run(program: &Path, reaper: &Reaper, state: &Value, limit: Duration) -> Result<()> {
    let prepare = || -> std::io::Result<(File, File)> {
        // In files: a hook that does not read or that writes too much blocks nobody.
        let mut input = sys::memfd(Default::default())?;
        input.write_all(state.to_string().as_bytes())?;
        input.seek(SeekFrom::Start(0))?;
        Ok((input, sys::memfd(Default::default())?))
    };
    let fail = |error| Status::io("start", &error);
    let (input, log) = prepare().map_err(fail)?;
    let mut command = Command::new(program);
    command.stdin(input).stdout(Stdio::null());
    command.stderr(log.try_clone().map_err(fail)?);
    let (pid, exit) = reaper.spawn(&mut command).map_err(fail)?;
    match tokio::time::timeout(limit, exit.wait()).await {
        Ok(0) => Ok(()),
        Ok(status) => Err(Status::internal(format!(
            "ended with status {status}: {}",
            tail(log)
        ))),
        Err(_) => {
            let _ = reaper.kill(pid, &exit, libc::SIGKILL);
            Err(Status::deadline(format!("did not end within {limit:?}")))
        }
    }
}

fn tail(mut log: File) -> String {
    let mut text = Vec::new();
    let length = log.seek(SeekFrom::End(0)).unwrap_or(0);
    let _ = log.seek(SeekFrom::Start(length.saturating_sub(MAX_TEXT)));
    let _ = log.take(MAX_TEXT).read_to_end(&mut text);
    String::from_utf8_lossy(&text).trim().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Code;
    use crate::testing::TempDir;
    use serde_json::json;

    fn directory(hooks: &[(&str, &str, u32)]) -> TempDir {
        let directory = TempDir::new();
        for (name, script, mode) in hooks {
            let file = directory.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            let script = script.replace("DIR", directory.path().to_str().unwrap());
            fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(*mode)).unwrap();
        }
        directory
    }

    fn find(directory: &TempDir) -> Hooks {
        Hooks::find(directory.path().to_str().unwrap()).unwrap()
    }

    #[tokio::test]
    async fn executables_run_in_order_with_the_state_as_input() {
        let directory = directory(&[
            ("prestart/2", "echo second >> DIR/out", 0o755),
            ("prestart/1", "cat >> DIR/out; echo >> DIR/out", 0o755),
            ("prestart/readme", "echo no >> DIR/out", 0o644),
            ("poststop/1", "echo no >> DIR/out", 0o755),
        ]);
        let reaper = Reaper::get().unwrap();
        let state = json!({"id": "c", "pid": 7});
        let hooks = find(&directory);
        hooks.run(Point::Prestart, &reaper, &state).await.unwrap();
        hooks.run(Point::Poststart, &reaper, &state).await.unwrap();
        let text = fs::read_to_string(directory.path().join("out")).unwrap();
        assert_eq!(text, "{\"id\":\"c\",\"pid\":7}\nsecond\n");
    }

    #[tokio::test]
    async fn a_hook_that_fails_is_named_with_what_it_said() {
        let directory = directory(&[("poststart/bad", "echo why >&2; exit 3", 0o755)]);
        let reaper = Reaper::get().unwrap();
        let hooks = find(&directory);
        let error = hooks
            .run(Point::Poststart, &reaper, &json!({}))
            .await
            .unwrap_err();
        assert_eq!(error.code, Code::Internal);
        assert!(
            error.message.ends_with("bad: ended with status 3: why"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_hook_that_hangs_is_ended() {
        let directory = directory(&[("prestart/slow", "exec sleep 1000", 0o755)]);
        let program = directory.path().join("prestart/slow");
        let reaper = Reaper::get().unwrap();
        let limit = Duration::from_millis(20);
        let error = run(&program, &reaper, &json!({}), limit).await.unwrap_err();
        assert_eq!(error.code, Code::DeadlineExceeded);
    }

    #[test]
    fn a_directory_without_hooks_is_none_and_an_odd_one_is_refused() {
        assert!(find(&TempDir::new()).prestart.is_empty());
        for bad in ["relative", "/a/../b"] {
            assert_eq!(Hooks::find(bad).unwrap_err().code, Code::InvalidArgument);
        }
    }
}
