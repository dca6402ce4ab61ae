// SPDX-License-Identifier: Apache-2.0
//! Additional processes in a running container.

use crate::command::Command;
use crate::container::{Container, Phase};
use crate::enter::{self, Confinement, Entry};
use crate::inside::Root;
use crate::process::{console_size, pipes, Ends, Process};
use crate::proto::grpc;
use crate::reaper::Exit;
use crate::rights::{self, Capabilities};
use crate::status::{Code, Result, Status};
use crate::{ids, oci, sys, worker};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// How long a container may be ending, so that nothing can enter it, before its end is seen.
const ENDING: Duration = Duration::from_millis(500);

impl Container {
    pub async fn exec(self: &Arc<Self>, request: grpc::ExecProcessRequest) -> Result<()> {
        let id = request.exec_id;
        ids::validate("exec_id", &id)?;
        let process = request
            .process
            .ok_or_else(|| Status::invalid("the request has no process"))?;
        let process = oci::complete(&process, &self.process)?;
        let _operation = self.operation.read().await;
        self.require("exec", Phase::Running)?;
        let _reservation = Reservation::take(self, &id)?;
        let result = self.launch(process).await;
        // Nothing can be started in a container that ends meanwhile; say so rather than the cause.
        let process = match result {
            Ok(process) => process,
            Err(status) => {
                if matches!(status.code, Code::Internal | Code::ResourceExhausted) {
                    let _ = tokio::time::timeout(ENDING, self.find("")?.exit.wait()).await;
                }
                return self.require("exec", Phase::Running).and(Err(status));
            }
        };
        sys::lock(&self.state)
            .processes
            .insert(id, Arc::new(process));
        Ok(())
    }

    async fn launch(self: &Arc<Self>, process: grpc::Process) -> Result<Process> {
        let (sender, receiver) = oneshot::channel();
        let this = self.clone();
        let job = move || {
            let reaper = &this.context.runtime.reaper;
            // What nobody waits for any more must not stay.
            if let Err(Ok((pid, exit, _))) = sender.send(this.enter(&process)) {
                let _ = reaper.kill(pid, &exit, libc::SIGKILL);
            }
        };
        worker::run(Box::new(job)).map_err(|error| Status::io("start a thread", &error))?;
        let late = || Status::deadline(format!("exec took over {:?}", enter::LIMIT));
        let started = tokio::time::timeout(enter::LIMIT, receiver);
        let started = started.await.map_err(|_| late())?;
        let lost = |_| Status::internal("the thread of an exec died");
        let (pid, exit, ends) = started.map_err(lost)??;
        let process = ends.connect(pid, exit.clone());
        if process.is_err() {
            let reaper = &self.context.runtime.reaper;
            let _ = reaper.kill(pid, &exit, libc::SIGKILL);
        }
        process
    }

    /// Blocks the thread, and leaves it in the container's PID namespace for its children.
    fn enter(&self, process: &grpc::Process) -> Result<(i32, Exit, Ends)> {
        let config = &self.context.config;
        let init = self.find("")?;
        let fail = |error| Status::io("look into the container", &error);
        let root = Root::of(init.pid, &init.exit).map_err(fail)?;
        let uid = process.user.as_ref().map_or(0, |user| user.uid);
        let command = Command::of(process, || root.home(uid))?;
        let make = |error| Status::io("make the streams of the process", &error);
        let (streams, ends) = if process.terminal {
            let (terminal, side) = root.terminal().map_err(make)?;
            let copy = || side.try_clone().map_err(make);
            let streams = [copy()?, copy()?, copy()?];
            let size = console_size(process);
            (streams, Ends::Terminal { terminal, size })
        } else {
            let (streams, agent) = pipes(config.pipe_size).map_err(make)?;
            (streams, Ends::Pipes(agent))
        };
        let confinement = match config.guest {
            true => Some(self.confinement(process, init.pid, &init.exit)?),
            false => None,
        };
        let entry = Entry {
            command,
            streams,
            terminal: process.terminal,
            confinement,
        };
        let (pid, exit) = entry.start(&self.context.runtime.reaper)?;
        Ok((pid, exit, ends))
    }

    fn confinement(&self, process: &grpc::Process, pid: i32, exit: &Exit) -> Result<Confinement> {
        let runtime = &self.context.runtime;
        let init = sys::pidfd(pid).and_then(sys::high);
        let init = init.map_err(|error| Status::io("find the container's process", &error))?;
        if exit.status().is_some() {
            return Err(Status::internal("the container's process has ended"));
        }
        let filter = match self.filtered {
            true => Some(rights::filter(&runtime.filter_file(&self.id))?),
            false => None,
        };
        let user = process.user.clone().unwrap_or_default();
        let capabilities = process.capabilities.as_ref();
        Ok(Confinement {
            init,
            pid,
            cgroup: self.cgroup.clone(),
            oom_score_adj: process.oom_score_adj,
            limits: process
                .rlimits
                .iter()
                .map(rights::limit)
                .collect::<Result<_>>()?,
            uid: user.uid,
            gid: user.gid,
            groups: user.additional_gids,
            capabilities: capabilities.map_or(Capabilities::default(), Capabilities::of),
            no_new_privileges: process.no_new_privileges,
            filter,
        })
    }
}

/// Keeps an id from being used twice while its process is being started.
struct Reservation<'a> {
    container: &'a Container,
    id: String,
}

impl<'a> Reservation<'a> {
    fn take(container: &'a Container, id: &str) -> Result<Reservation<'a>> {
        let mut state = sys::lock(&container.state);
        if state.processes.contains_key(id) || !state.starting.insert(id.to_string()) {
            return Err(Status::exists(format!(
                "container {} has a process {id} already",
                container.id
            )));
        }
        Ok(Reservation {
            container,
            id: id.to_string(),
        })
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        sys::lock(&self.container.state).starting.remove(&self.id);
    }
}
