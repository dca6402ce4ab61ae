// SPDX-License-Identifier: Apache-2.0
//! The sandbox: what all containers share, and the table of containers.
//!
//! `gate` is held exclusively while the sandbox is made or unmade and shared while a container is
//! created, so that a container never begins in a sandbox that goes away.

use crate::config::Config;
use crate::container::{blocking, Container, Context};
use crate::hooks::Hooks;
use crate::identity::Identity;
use crate::namespace::{self, Shared};
use crate::oom::{self, Oom};
use crate::proto::{grpc, virtcontainers};
use crate::runtime::Runtime;
use crate::status::{Result, Status};
use crate::storage::Storages;
use crate::{clock, modules, paths, pidns, resolver, rng, sys};
use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{watch, RwLock};

/// The part of the boot that runs behind the first answers: `None` until it has ended.
pub type BootResult = Option<std::result::Result<(), String>>;

pub struct Agent {
    context: Arc<Context>,
    boot: watch::Receiver<BootResult>,
    gate: RwLock<()>,
    pids: pidns::Held,
    /// Held by what puts hardware to use, and by what writes files.
    pub(crate) plugging: tokio::sync::Mutex<()>,
    pub(crate) copying: tokio::sync::Mutex<()>,
    pub(crate) tracing: AtomicBool,
    /// Held by what changes or reads the network.
    pub(crate) network: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    sandbox: Option<Sandbox>,
    containers: HashMap<String, Arc<Container>>,
}

#[derive(Clone)]
struct Sandbox {
    shared: Option<Shared>,
    storages: Vec<PathBuf>,
    identity: Option<Arc<Identity>>,
}

impl Agent {
    pub fn new(config: Config, boot: watch::Receiver<BootResult>) -> std::io::Result<Agent> {
        let runtime = Runtime::new(&config)?;
        Ok(Agent {
            context: Arc::new(Context {
                config,
                runtime,
                storages: Storages::default(),
                oom: Arc::new(Oom::default()),
                hooks: Default::default(),
            }),
            boot,
            gate: RwLock::new(()),
            pids: Default::default(),
            plugging: Default::default(),
            copying: Default::default(),
            tracing: AtomicBool::new(false),
            network: Default::default(),
            state: Mutex::default(),
        })
    }

    pub(crate) fn config(&self) -> &Config {
        &self.context.config
    }

    pub(crate) async fn booted(&self) -> Result<()> {
        let mut boot = self.boot.clone();
        loop {
            if let Some(result) = &*boot.borrow_and_update() {
                return result.clone().map_err(|text| {
                    Status::internal(format!("the guest did not boot fully: {text}"))
                });
            }
            if boot.changed().await.is_err() {
                return Err(Status::internal("the boot ended without a result"));
            }
        }
    }

    pub async fn create_sandbox(&self, request: grpc::CreateSandboxRequest) -> Result<()> {
        check_hostname(&request.hostname)?;
        let _gate = self.gate.write().await;
        if sys::lock(&self.state).sandbox.is_some() {
            return Err(Status::exists("the sandbox exists already"));
        }
        self.booted().await?;
        let context = self.context.clone();
        let share_pids = request.sandbox_pidns;
        let sandbox = blocking(move || make_sandbox(&context, &request)).await?;
        if share_pids && self.config().guest {
            if let Err(status) = self.pids.path(&self.context).await {
                let context = self.context.clone();
                blocking(move || unmake_sandbox(&context, &sandbox)).await?;
                return Err(status);
            }
        }
        sys::lock(&self.state).sandbox = Some(sandbox);
        Ok(())
    }

    /// The host name of all containers changes at once, as they share a namespace, and so do the
    /// numbers of machine and boot. All of it without a thread: for a clone these are the first
    /// steps, and its QEMU has to translate the code of each.
    pub async fn renew_sandbox(&self, request: virtcontainers::RenewSandboxRequest) -> Result<()> {
        check_hostname(&request.hostname)?;
        let _gate = self.gate.write().await;
        let sandbox = self.sandbox()?;
        if self.config().guest {
            rng::reseed(&request.random)?;
            clock::set(request.sec, request.usec)?;
        }
        if let Some(shared) = &sandbox.shared {
            namespace::set_hostname(shared, &request.hostname)?;
        }
        if let Some(identity) = &sandbox.identity {
            identity.renew()?;
        }
        info!("the sandbox is {} now", request.sandbox_id);
        for id in &request.resumed_containers {
            self.container(id)?.resume().await?;
        }
        Ok(())
    }

    /// Nothing of the sandbox is left; without a sandbox there is nothing to do.
    pub async fn destroy_sandbox(&self) -> Result<()> {
        let _gate = self.gate.write().await;
        let containers: Vec<_> = sys::lock(&self.state)
            .containers
            .values()
            .cloned()
            .collect();
        for container in containers {
            container.remove().await?;
            sys::lock(&self.state).containers.remove(&container.id);
        }
        self.pids.remove(&self.context).await;
        let sandbox = sys::lock(&self.state).sandbox.clone();
        let context = self.context.clone();
        blocking(move || {
            if let Some(sandbox) = sandbox {
                unmake_sandbox(&context, &sandbox)?;
            }
            // Whatever disk the host takes away next is written.
            nix::unistd::sync();
            Ok(())
        })
        .await?;
        sys::lock(&self.state).sandbox = None;
        self.context.oom.clear();
        Ok(())
    }

    pub async fn create_container(&self, request: grpc::CreateContainerRequest) -> Result<()> {
        if request.agent_pidns {
            return Err(Status::unimplemented(
                "agent_pidns: containers do not see the agent",
            ));
        }
        let container = Arc::new(Container::new(self.context.clone(), &request)?);
        let _gate = self.gate.read().await;
        let mut shared = self.sandbox()?.shared;
        self.booted().await?;
        if let Some(shared) = shared.as_mut().filter(|_| request.sandbox_pidns) {
            shared.pid = Some(self.pids.path(&self.context).await?);
        }
        let id = container.id.clone();
        {
            let mut state = sys::lock(&self.state);
            if state.containers.contains_key(&id) {
                return Err(Status::exists(format!("container {id} exists already")));
            }
            state.containers.insert(id.clone(), container.clone());
        }
        let result = container.create(request, shared).await;
        if result.is_err() {
            sys::lock(&self.state).containers.remove(&id);
        }
        result
    }

    pub async fn remove_container(&self, request: grpc::RemoveContainerRequest) -> Result<()> {
        let container = self.container(&request.container_id)?;
        match request.timeout {
            0 => container.remove().await?,
            seconds => {
                let limit = Duration::from_secs(seconds.into());
                tokio::time::timeout(limit, container.remove())
                    .await
                    .unwrap_or_else(|_| {
                        Err(Status::deadline(format!(
                            "container {} is not removed after {seconds} s",
                            container.id
                        )))
                    })?
            }
        }
        sys::lock(&self.state).containers.remove(&container.id);
        Ok(())
    }

    pub async fn oom_event(&self) -> Result<oom::Event> {
        self.context.oom.next().await
    }

    fn sandbox(&self) -> Result<Sandbox> {
        let state = sys::lock(&self.state);
        let sandbox = state.sandbox.clone();
        sandbox.ok_or_else(|| Status::precondition("the sandbox has not been created"))
    }

    pub fn container(&self, id: &str) -> Result<Arc<Container>> {
        self.sandbox()?;
        let container = sys::lock(&self.state).containers.get(id).cloned();
        container.ok_or_else(|| Status::not_found(format!("container {id:?} does not exist")))
    }
}

fn check_hostname(hostname: &str) -> Result<()> {
    let bad = |c: char| c.is_control() || c.is_whitespace();
    if hostname.len() > 64 || hostname.contains(bad) {
        return Err(Status::invalid(format!(
            "hostname {hostname:?} must have up to 64 printable characters"
        )));
    }
    Ok(())
}

fn make_sandbox(context: &Context, request: &grpc::CreateSandboxRequest) -> Result<Sandbox> {
    let config = &context.config;
    for module in &request.kernel_modules {
        modules::load_by_name(&module.name, &module.parameters)?;
    }
    let mut sandbox = Sandbox {
        shared: None,
        storages: Vec::new(),
        identity: None,
    };
    let result = fill_sandbox(&mut sandbox, context, request);
    if let Err(status) = result {
        if let Err(second) = unmake_sandbox(context, &sandbox) {
            warning!("sandbox: after a failed creation: {second}");
        }
        return Err(status);
    }
    info!(
        "sandbox {} created in {}",
        request.sandbox_id,
        config.root.display()
    );
    Ok(sandbox)
}

fn fill_sandbox(
    sandbox: &mut Sandbox,
    context: &Context,
    request: &grpc::CreateSandboxRequest,
) -> Result<()> {
    let config = &context.config;
    paths::make_private_dir(&config.sandbox())
        .map_err(|error| Status::io("make the sandbox directory", &error))?;
    if config.guest {
        let directory = config.private.join("ns");
        sandbox.shared = Some(namespace::create(&directory, &request.hostname)?);
        sandbox.identity = Some(Arc::new(Identity::create(&config.sandbox())?));
    }
    if !request.guest_hook_path.is_empty() {
        *sys::lock(&context.hooks) = Arc::new(Hooks::find(&request.guest_hook_path)?);
    }
    for storage in &request.storages {
        sandbox
            .storages
            .push(context.storages.add(config, storage)?);
    }
    if !request.dns.is_empty() {
        let mut text = request.dns.join("\n");
        text.push('\n');
        fs::write(config.sandbox().join(resolver::FILE), text)
            .map_err(|error| Status::io("write resolv.conf", &error))?;
    }
    Ok(())
}

fn unmake_sandbox(context: &Context, sandbox: &Sandbox) -> Result<()> {
    let config = &context.config;
    *sys::lock(&context.hooks) = Default::default();
    context.storages.release_all(config)?;
    if let Some(shared) = &sandbox.shared {
        namespace::remove(shared);
    }
    paths::remove_tree(&config.root, &config.sandbox())
        .map_err(|error| Status::io("remove the sandbox directory", &error))
}
