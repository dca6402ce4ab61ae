// SPDX-License-Identifier: Apache-2.0
//! Serves every port of the agent, each independently of the others, for ever: those that are there
//! at boot and those that are plugged in later. Beside them the socket on vsock. What fails is given
//! up; without any port or socket nobody can reach the guest any more.

use crate::port::{self, FilePort};
use crate::server::{self, Service};
use crate::status::{Result, Status};
use crate::uevent::Uevents;
use crate::{socket, vsock};
use std::collections::HashSet;
use std::convert::Infallible;
use std::io;
use std::os::unix::io::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::task::JoinSet;

/// Part of every event about a port.
const SUBSYSTEM: &[u8] = b"virtio-ports";

/// Returns when nothing is left to be served; `events` must have been opened before any of the ports was found.
pub async fn serve<S: Service>(
    service: Arc<S>,
    events: Uevents,
    listener: Option<OwnedFd>,
) -> Result<Infallible> {
    let watch = events
        .watch()
        .map_err(|error| Status::io("watch the uevents", &error))?;
    let mut served = HashSet::new();
    let mut tasks = JoinSet::new();
    let mut failure = Status::internal("there is no port");
    if let Some(listener) = listener {
        tasks.spawn(listen(listener, service.clone()));
    }
    loop {
        for device in port::find(Path::new(port::CLASS)) {
            if served.contains(&device) {
                continue;
            }
            match open(&device) {
                Ok(file_port) => {
                    debug!("{}: served", device.display());
                    served.insert(device.clone());
                    tasks.spawn(run(device, file_port, service.clone()));
                }
                Err(error) => {
                    failure = Status::io(format!("open {}", device.display()), &error);
                    warning!("{failure}");
                }
            }
        }
        // A port that has just failed is not looked at again before the kernel reports a change.
        loop {
            if tasks.is_empty() {
                return Err(failure);
            }
            tokio::select! {
                Some(ended) = tasks.join_next() => {
                    if let Ok((device, error)) = ended {
                        failure = Status::io(format!("serve {}", device.display()), &error);
                        warning!("{failure}");
                        served.remove(&device);
                    }
                }
                event = watch.next(SUBSYSTEM) => {
                    event.map_err(|error| Status::io("read the uevents", &error))?;
                    break;
                }
            }
        }
    }
}

fn open(device: &Path) -> io::Result<FilePort> {
    FilePort::new(port::open(device)?)
}

async fn listen<S: Service>(listener: OwnedFd, service: Arc<S>) -> (PathBuf, io::Error) {
    let error = socket::serve(listener, vsock::is_from_host, service).await;
    (PathBuf::from("vsock"), error)
}

async fn run<S: Service>(device: PathBuf, port: FilePort, service: Arc<S>) -> (PathBuf, io::Error) {
    match server::serve(port, service).await {
        Ok(never) => match never {},
        Err(error) => (device, error),
    }
}
