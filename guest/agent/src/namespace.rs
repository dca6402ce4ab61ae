// SPDX-License-Identifier: Apache-2.0
//! The IPC and UTS namespaces that all containers of the sandbox share, kept alive by bind mounts.
//! For that of PIDs see `pidns`.

use crate::mount;
use crate::paths;
use crate::status::{Result, Status};
use nix::mount::MsFlags;
use nix::sched::{setns, unshare, CloneFlags};
use std::fs::{self, File};
use std::os::unix::io::AsRawFd;
use std::path::{Path, PathBuf};

#[derive(Clone, Debug)]
pub struct Shared {
    pub ipc: PathBuf,
    pub uts: PathBuf,
    /// Only for containers that are to share it; it is not made nor removed here.
    pub pid: Option<PathBuf>,
}

/// Blocks the thread. On failure nothing is left.
pub fn create(directory: &Path, hostname: &str) -> Result<Shared> {
    paths::make_private_dir(directory)
        .map_err(|error| Status::io("make the namespace directory", &error))?;
    let shared = Shared {
        ipc: directory.join("ipc"),
        uts: directory.join("uts"),
        pid: None,
    };
    let (worker, name) = (shared.clone(), hostname.to_string());
    if let Err(status) = apart(move || enter_and_bind(&worker, &name)) {
        remove(&shared);
        return Err(status);
    }
    Ok(shared)
}

/// Only a thread of its own can leave the agent's namespaces and end.
fn apart(work: impl FnOnce() -> Result<()> + Send + 'static) -> Result<()> {
    let joined = std::thread::Builder::new()
        .name("namespaces".into())
        .spawn(work)
        .map_err(|error| Status::io("start a thread", &error))?
        .join();
    joined.unwrap_or_else(|_| Err(Status::internal("the namespace thread died")))
}

/// Blocks the thread.
pub fn set_hostname(shared: &Shared, hostname: &str) -> Result<()> {
    let (path, name) = (shared.uts.clone(), hostname.to_string());
    apart(move || {
        let namespace = File::open(&path)
            .map_err(|error| Status::io(format!("open {}", path.display()), &error))?;
        setns(namespace.as_raw_fd(), CloneFlags::CLONE_NEWUTS)
            .map_err(|errno| Status::errno("enter the UTS namespace", errno))?;
        name_host(&name)
    })
}

fn name_host(hostname: &str) -> Result<()> {
    nix::unistd::sethostname(hostname)
        .map_err(|errno| Status::errno(format!("set hostname {hostname:?}"), errno))
}

fn enter_and_bind(shared: &Shared, hostname: &str) -> Result<()> {
    unshare(CloneFlags::CLONE_NEWIPC | CloneFlags::CLONE_NEWUTS)
        .map_err(|errno| Status::errno("unshare IPC and UTS", errno))?;
    if !hostname.is_empty() {
        name_host(hostname)?;
    }
    for (name, path) in [("ipc", &shared.ipc), ("uts", &shared.uts)] {
        let action = || format!("bind namespace {name}");
        File::create(path).map_err(|error| Status::io(action(), &error))?;
        let source = format!("/proc/thread-self/ns/{name}");
        nix::mount::mount(
            Some(source.as_str()),
            path,
            None::<&str>,
            MsFlags::MS_BIND,
            None::<&str>,
        )
        .map_err(|errno| Status::errno(action(), errno))?;
    }
    Ok(())
}

pub fn remove(shared: &Shared) {
    for path in [&shared.ipc, &shared.uts] {
        if let Err(status) = mount::unmount(path) {
            warning!("{status}");
        }
        let _ = fs::remove_file(path);
    }
}
