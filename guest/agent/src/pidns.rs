// SPDX-License-Identifier: Apache-2.0
//! The PID namespace that containers of the sandbox can share. It lives as long as its first
//! process, which is this program under another name and does nothing.

use crate::container::{blocking, Context};
use crate::reaper::{Exit, Reaper};
use crate::status::{Result, Status};
use crate::{mount, paths, sys};
use nix::mount::MsFlags;
use nix::sched::{unshare, CloneFlags};
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use tokio::sync::Mutex;

/// The name by which the program knows what it is to do; the kernel never starts init under it.
pub const NAME: &str = "virtcontainers-pause";

struct PidNamespace {
    path: PathBuf,
    pid: i32,
    exit: Exit,
}

/// The namespace of the sandbox, made when it is first asked for.
#[derive(Default)]
pub struct Held(Mutex<Option<PidNamespace>>);

impl Held {
    /// A file by which the namespace can be entered.
    pub async fn path(&self, context: &Arc<Context>) -> Result<PathBuf> {
        let mut held = self.0.lock().await;
        if let Some(namespace) = held.as_ref().filter(|namespace| namespace.is_alive()) {
            return Ok(namespace.path.clone());
        }
        let (context, old) = (context.clone(), held.take());
        let namespace = blocking(move || {
            let reaper = &context.runtime.reaper;
            if let Some(old) = old {
                old.remove(reaper);
            }
            create(&context.config.private.join("ns"), reaper)
        })
        .await?;
        Ok(held.insert(namespace).path.clone())
    }

    /// Ends all processes of the namespace.
    pub async fn remove(&self, context: &Context) {
        if let Some(namespace) = self.0.lock().await.take() {
            namespace.remove(&context.runtime.reaper);
        }
    }
}

/// Blocks the thread. On failure nothing is left.
fn create(directory: &Path, reaper: &Arc<Reaper>) -> Result<PidNamespace> {
    paths::make_private_dir(directory)
        .map_err(|error| Status::io("make the namespace directory", &error))?;
    let worker = reaper.clone();
    // The children of a thread that has unshared are in the new namespace, and the first is its init.
    let joined = std::thread::Builder::new()
        .name("pidns".into())
        .spawn(move || start(&worker))
        .map_err(|error| Status::io("start a thread", &error))?
        .join();
    let (pid, exit) =
        joined.unwrap_or_else(|_| Err(Status::internal("the namespace thread died")))?;
    let namespace = PidNamespace {
        path: directory.join("pid"),
        pid,
        exit,
    };
    if let Err(status) = namespace.bind() {
        namespace.remove(reaper);
        return Err(status);
    }
    Ok(namespace)
}

fn start(reaper: &Reaper) -> Result<(i32, Exit)> {
    unshare(CloneFlags::CLONE_NEWPID).map_err(|errno| Status::errno("unshare PIDs", errno))?;
    let mut command = Command::new("/proc/self/exe");
    command.arg0(NAME).env_clear().current_dir("/");
    command.stdin(Stdio::null()).stdout(Stdio::null());
    reaper
        .spawn(&mut command)
        .map_err(|error| Status::io("start the first process of the PID namespace", &error))
}

impl PidNamespace {
    fn bind(&self) -> Result<()> {
        let fail = |errno| Status::errno("bind namespace pid", errno);
        File::create(&self.path).map_err(|error| Status::io("bind namespace pid", &error))?;
        let source = format!("/proc/{}/ns/pid", self.pid);
        let none = None::<&str>;
        nix::mount::mount(
            Some(source.as_str()),
            &self.path,
            none,
            MsFlags::MS_BIND,
            none,
        )
        .map_err(fail)
    }

    fn is_alive(&self) -> bool {
        self.exit.status().is_none()
    }

    fn remove(&self, reaper: &Reaper) {
        let _ = reaper.kill(self.pid, &self.exit, libc::SIGKILL);
        if let Err(status) = mount::unmount(&self.path) {
            warning!("{status}");
        }
        let _ = fs::remove_file(&self.path);
    }
}

/// The first process of the namespace.
pub fn hold() -> ! {
    // Containers that share the namespace can see this process, and must not look into the guest
    // through it; nor may the kernel choose it when memory is short, as its end is theirs.
    sys::hide_process();
    let _ = fs::write("/proc/self/oom_score_adj", "-1000");
    // Orphans become children of this process.
    sys::ignore_children();
    loop {
        nix::unistd::pause();
    }
}
