// SPDX-License-Identifier: Apache-2.0
//! One container: creation, start, signals, end. Its phase is kept here; the runtime is never asked.
//!
//! Locks: `operation` is held exclusively by create, start and remove and shared by execs, across
//! what they start. `state` is held for moments only and never across an await.

use crate::config::Config;
use crate::hooks::{Hooks, Point};
use crate::namespace::Shared;
use crate::oci_linux;
use crate::oom::Oom;
use crate::process::{Process, Wiring};
use crate::proto::grpc;
use crate::reaper::Exit;
use crate::runtime::Runtime;
use crate::status::{Code, Result, Status};
use crate::storage::Storages;
use crate::{cgroup, device, identity, ids, oci, paths, resolver, sys, sysctl};
use std::collections::{HashMap, HashSet, VecDeque};
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use tokio::sync::RwLock;

const MAX_REPORTED: usize = 256;
/// Ended execs that are kept because their output was not read.
const MAX_UNREAD: usize = 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Creating,
    Created,
    Running,
    Paused,
    Stopped,
    Removing,
}

impl Phase {
    pub fn name(self) -> &'static str {
        match self {
            Phase::Creating => "being created",
            Phase::Created => "created",
            Phase::Running => "running",
            Phase::Paused => "paused",
            Phase::Stopped => "stopped",
            Phase::Removing => "being removed",
        }
    }
}

/// What all containers work with.
pub struct Context {
    pub config: Config,
    pub runtime: Runtime,
    pub storages: Storages,
    pub oom: Arc<Oom>,
    /// Those of the present sandbox.
    pub hooks: Mutex<Arc<Hooks>>,
}

pub struct Container {
    pub id: String,
    pub context: Arc<Context>,
    pub operation: RwLock<()>,
    pub state: Mutex<State>,
    /// The init process as specified, the base of every exec.
    pub process: grpc::Process,
    /// What hooks are told of the container.
    version: String,
    annotations: HashMap<String, String>,
    /// Whether other containers are in its PID namespace; then the end of its init ends no other.
    pub shares_pids: bool,
    /// Whether its system calls are filtered.
    pub(crate) filtered: bool,
    pub(crate) bundle: PathBuf,
    pub cgroup: PathBuf,
}

pub struct State {
    /// Never `Stopped`: that follows from the end of the init process.
    pub(crate) phase: Phase,
    pub processes: HashMap<String, Arc<Process>>,
    /// Execs that are being started.
    pub starting: HashSet<String>,
    reported: VecDeque<String>,
    pub(crate) storages: Vec<PathBuf>,
    pub(crate) removed: bool,
}

impl State {
    pub fn phase(&self, id: &str) -> Phase {
        let ended = |init: &Arc<Process>| init.exit.status().is_some();
        match self.phase {
            Phase::Created | Phase::Running | Phase::Paused
                if self.processes.get(id).map_or(false, ended) =>
            {
                Phase::Stopped
            }
            phase => phase,
        }
    }
}

impl State {
    /// Forgets the oldest ended exec whose output has been read; one with unread output only when
    /// there are too many of these, as what they hold is the guest's memory.
    fn forget_one(&mut self) {
        let read = self.reported.iter().position(|id| {
            let process = self.processes.get(id);
            process.map_or(true, |process| !process.has_unread_output())
        });
        let victim = read.or_else(|| (self.reported.len() > MAX_UNREAD).then_some(0));
        if let Some(id) = victim.and_then(|at| self.reported.remove(at)) {
            self.processes.remove(&id);
        }
    }
}

impl Container {
    /// A container in the phase `Creating`; it has done nothing yet.
    pub fn new(context: Arc<Context>, request: &grpc::CreateContainerRequest) -> Result<Container> {
        let id = request.container_id.clone();
        ids::validate("container_id", &id)?;
        if !request.exec_id.is_empty() && request.exec_id != id {
            return Err(Status::invalid(
                "exec_id must be empty or equal to container_id",
            ));
        }
        let spec = request.oci.as_ref();
        let process = spec.and_then(|spec| spec.process.clone());
        let linux = spec.and_then(|spec| spec.linux.as_ref());
        let cgroup = linux.map_or("", |linux| linux.cgroups_path.as_str());
        let cgroup = oci_linux::cgroup_path(cgroup, &id)?;
        Ok(Container {
            operation: RwLock::new(()),
            state: Mutex::new(State {
                phase: Phase::Creating,
                processes: HashMap::new(),
                starting: HashSet::new(),
                reported: VecDeque::new(),
                storages: Vec::new(),
                removed: false,
            }),
            process: process.unwrap_or_default(),
            version: spec.map_or(String::new(), |spec| spec.version.clone()),
            annotations: spec.map_or(HashMap::new(), |spec| spec.annotations.clone()),
            shares_pids: request.sandbox_pidns,
            filtered: linux.map_or(false, |linux| linux.seccomp.is_some()),
            bundle: context.config.containers().join(&id),
            cgroup: context.config.cgroup.join(cgroup.trim_start_matches('/')),
            context,
            id,
        })
    }

    pub fn phase(&self) -> Phase {
        sys::lock(&self.state).phase(&self.id)
    }

    pub(crate) fn set_phase(&self, phase: Phase) {
        sys::lock(&self.state).phase = phase;
    }

    /// Creates, or leaves nothing behind.
    pub async fn create(
        self: &Arc<Self>,
        request: grpc::CreateContainerRequest,
        shared: Option<Shared>,
    ) -> Result<()> {
        let _operation = self.operation.write().await;
        let result = self.try_create(request, shared).await;
        match &result {
            Ok(()) => self.set_phase(Phase::Created),
            Err(_) => {
                if let Err(status) = self.clear(true).await {
                    warning!("container {}: after a failed creation: {status}", self.id);
                }
            }
        }
        result
    }

    async fn try_create(
        self: &Arc<Self>,
        mut request: grpc::CreateContainerRequest,
        shared: Option<Shared>,
    ) -> Result<()> {
        if !request.devices.is_empty() {
            let limit = self.context.config.hotplug_timeout;
            let resolve = move || device::resolve(&mut request, limit).map(|()| request);
            request = blocking(resolve).await?;
        }
        let spec = request
            .oci
            .as_ref()
            .ok_or_else(|| Status::invalid("the request has no OCI specification"))?;
        let json = oci::container_spec(spec, &self.id, shared.as_ref())?;
        let this = self.clone();
        blocking(move || this.prepare(&request, json)).await?;
        let context = &self.context;
        let mut wiring = Wiring::new(&self.process, &context.runtime, context.config.pipe_size)?;
        let (extra, streams) = wiring.for_runtime();
        let mut arguments = vec![
            "create".into(),
            "--bundle".into(),
            self.bundle.clone().into(),
        ];
        arguments.extend(extra);
        let (pid, exit) = context.runtime.launch(arguments, &self.id, streams).await?;
        let process = wiring.connect(pid, exit.clone())?;
        if let Err(status) = context.oom.watch(&self.id, &self.cgroup) {
            warning!("{status}");
        }
        let id = self.id.clone();
        sys::lock(&self.state)
            .processes
            .insert(id, Arc::new(process));
        if self.shares_pids {
            tokio::spawn(end_all(exit, self.cgroup.clone()));
        }
        self.run_hooks(Point::Prestart, "created", pid).await
    }

    fn prepare(
        &self,
        request: &grpc::CreateContainerRequest,
        mut json: serde_json::Value,
    ) -> Result<()> {
        let config = &self.context.config;
        let describe = |error| Status::io("write the bundle", &error);
        paths::make_private_dir(&self.bundle).map_err(describe)?;
        for storage in &request.storages {
            let point = self.context.storages.add(config, storage)?;
            sys::lock(&self.state).storages.push(point);
        }
        let spec = request.oci.as_ref();
        let root = spec.and_then(|spec| spec.root.as_ref());
        let root = root.map_or("", |root| root.path.as_str());
        let root = paths::confined("root path", &config.root, root)?;
        if !root.is_dir() {
            return Err(Status::invalid(format!(
                "root path {} is no directory",
                root.display()
            )));
        }
        if let Some(linux) = spec.and_then(|spec| spec.linux.as_ref()) {
            for (key, value) in &linux.sysctl {
                if oci_linux::is_network_sysctl(key) {
                    sysctl::set_network(key, value)?;
                }
            }
        }
        resolver::add(&mut json, &config.sandbox(), &root);
        identity::add(&mut json, &config.sandbox(), &root);
        fs::write(self.bundle.join("config.json"), json.to_string()).map_err(describe)
    }

    pub async fn start(&self) -> Result<()> {
        let _operation = self.operation.write().await;
        self.require("start", Phase::Created)?;
        self.context.runtime.start(&self.id).await?;
        self.set_phase(Phase::Running);
        let pid = self.find("")?.pid;
        if let Err(status) = self.run_hooks(Point::Poststart, "running", pid).await {
            warning!("container {}: {status}", self.id);
        }
        Ok(())
    }

    pub(crate) async fn run_hooks(&self, point: Point, status: &str, pid: i32) -> Result<()> {
        let version = match self.version.as_str() {
            "" => "1.0.0",
            version => version,
        };
        let state = serde_json::json!({
            "ociVersion": version, "id": self.id, "status": status, "pid": pid,
            "bundle": self.bundle, "annotations": self.annotations,
        });
        let hooks = sys::lock(&self.context.hooks).clone();
        hooks.run(point, &self.context.runtime.reaper, &state).await
    }

    pub fn require(&self, action: &str, wanted: Phase) -> Result<()> {
        let phase = self.phase();
        if phase == wanted {
            return Ok(());
        }
        Err(Status::precondition(format!(
            "{action}: container {} is {}, not {}",
            self.id,
            phase.name(),
            wanted.name()
        )))
    }

    /// The process of the id; the container's own for an empty one.
    pub fn find(&self, exec_id: &str) -> Result<Arc<Process>> {
        let key = if exec_id.is_empty() {
            &self.id
        } else {
            exec_id
        };
        let state = sys::lock(&self.state);
        if state.phase == Phase::Creating {
            return Err(Status::precondition(format!(
                "container {} is being created",
                self.id
            )));
        }
        state
            .processes
            .get(key)
            .cloned()
            .ok_or_else(|| Status::not_found(format!("container {} has no process {key}", self.id)))
    }

    /// Lets the oldest ended execs be forgotten once the host knows how they ended.
    pub fn reported(&self, exec_id: &str) {
        if exec_id.is_empty() || exec_id == self.id {
            return;
        }
        let mut state = sys::lock(&self.state);
        if state.reported.iter().any(|id| id == exec_id) {
            return;
        }
        state.reported.push_back(exec_id.to_string());
        if state.reported.len() > MAX_REPORTED {
            state.forget_one();
        }
    }
}

/// What else is in a container ends with its init, as the kernel does it in a namespace of its own.
async fn end_all(exit: Exit, cgroup: PathBuf) {
    exit.wait().await;
    let _ = cgroup::write(&cgroup, "cgroup.kill", "1");
}

/// Runs a function that blocks, away from the thread that serves the channel.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(Status::new(Code::Internal, format!("lost work: {error}"))))
}
