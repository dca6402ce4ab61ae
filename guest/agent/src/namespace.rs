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
use std::sync::Arc;

#[derive(Clone, Debug)]
pub struct Shared {
    pub ipc: PathBuf,
    pub uts: PathBuf,
    /// Only for containers that are to share it; it is not made nor removed here.
    pub pid: Option<PathBuf>,
    names: Option<Names>,
}

/// The UTS namespaces of the agent and of the sandbox, held open: not by the bind mount, which could
/// not be removed then.
#[derive(Clone, Debug)]
struct Names {
    agent: Arc<File>,
    sandbox: Arc<File>,
}

impl Shared {
    pub fn at(directory: &Path) -> Shared {
        Shared {
            ipc: directory.join("ipc"),
            uts: directory.join("uts"),
            pid: None,
            names: None,
        }
    }
}

/// Blocks the thread. On failure nothing is left.
pub fn create(directory: &Path, hostname: &str) -> Result<Shared> {
    paths::make_private_dir(directory)
        .map_err(|error| Status::io("make the namespace directory", &error))?;
    let mut shared = Shared::at(directory);
    let (worker, name) = (shared.clone(), hostname.to_string());
    match apart(move || enter_and_bind(&worker, &name)) {
        Ok(names) => shared.names = Some(names),
        Err(status) => {
            remove(&shared);
            return Err(status);
        }
    }
    Ok(shared)
}

/// Only a thread of its own can leave the agent's namespaces and end.
fn apart<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let joined = std::thread::Builder::new()
        .name("namespaces".into())
        .spawn(work)
        .map_err(|error| Status::io("start a thread", &error))?
        .join();
    joined.unwrap_or_else(|_| Err(Status::internal("the namespace thread died")))
}

/// Does not block: the calling thread enters the namespace and comes back. For a clone each system
/// call more is code that its QEMU has not translated yet.
pub fn set_hostname(shared: &Shared, hostname: &str) -> Result<()> {
    let names = shared.names.as_ref();
    let names = names.ok_or_else(|| Status::internal("the sandbox has no UTS namespace"))?;
    enter(&names.sandbox)?;
    let result = name_host(hostname);
    enter(&names.agent).and(result)
}

fn enter(namespace: &File) -> Result<()> {
    setns(namespace.as_raw_fd(), CloneFlags::CLONE_NEWUTS)
        .map_err(|errno| Status::errno("enter a UTS namespace", errno))
}

fn own_names() -> Result<Arc<File>> {
    const OWN: &str = "/proc/thread-self/ns/uts";
    let file = File::open(OWN).map_err(|error| Status::io(format!("open {OWN}"), &error))?;
    Ok(Arc::new(file))
}

fn name_host(hostname: &str) -> Result<()> {
    nix::unistd::sethostname(hostname)
        .map_err(|errno| Status::errno(format!("set hostname {hostname:?}"), errno))
}

fn enter_and_bind(shared: &Shared, hostname: &str) -> Result<Names> {
    let agent = own_names()?;
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
    Ok(Names {
        agent,
        sandbox: own_names()?,
    })
}

pub fn remove(shared: &Shared) {
    for path in [&shared.ipc, &shared.uts] {
        if let Err(status) = mount::unmount(path) {
            warning!("{status}");
        }
        let _ = fs::remove_file(path);
    }
}
