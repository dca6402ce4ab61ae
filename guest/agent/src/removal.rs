// SPDX-License-Identifier: Apache-2.0
//! The end of a container: its processes are killed, and what was made for it goes.

use crate::container::{blocking, Container, Phase};
use crate::hooks::Point;
use crate::paths;
use crate::status::{Result, Status};
use crate::sys;
use std::sync::Arc;

impl Container {
    /// Ends and forgets the container; can be repeated after a failure.
    pub async fn remove(self: &Arc<Self>) -> Result<()> {
        if self.phase() == Phase::Creating {
            // A creation runs to its end, also when its caller has gone: then there is what to remove.
            drop(self.operation.write().await);
        }
        if self.phase() == Phase::Creating {
            return Err(Status::precondition(format!(
                "container {} is being created",
                self.id
            )));
        }
        // Before the lock: an exec that holds it may wait for a process that is to die.
        let init = self.find("").ok();
        if init.is_some() && self.phase() != Phase::Stopped {
            self.signal_all(libc::SIGKILL)?;
        }
        let _operation = self.operation.write().await;
        if sys::lock(&self.state).removed {
            return Err(Status::not_found(format!(
                "container {} has just been removed",
                self.id
            )));
        }
        self.set_phase(Phase::Removing);
        if let Some(init) = init {
            init.exit.wait().await;
        }
        self.clear(false).await?;
        if let Err(status) = self.run_hooks(Point::Poststop, "stopped", 0).await {
            warning!("container {}: {status}", self.id);
        }
        Ok(())
    }

    pub(crate) async fn clear(self: &Arc<Self>, failed: bool) -> Result<()> {
        self.context.oom.forget(&self.id);
        let arguments = vec!["delete".into(), "--force".into(), self.id.clone().into()];
        // After a failed creation there may be nothing to delete, which the runtime calls an error.
        match self.context.runtime.run(arguments).await {
            Err(status) if !failed => return Err(status),
            _ => (),
        }
        let this = self.clone();
        blocking(move || this.release()).await?;
        let mut state = sys::lock(&self.state);
        state.processes.clear();
        state.removed = true;
        Ok(())
    }

    fn release(&self) -> Result<()> {
        let config = &self.context.config;
        loop {
            // In reverse order: a storage may lie on the one before it.
            let point = match sys::lock(&self.state).storages.last() {
                Some(point) => point.clone(),
                None => break,
            };
            self.context.storages.release(config, &point)?;
            sys::lock(&self.state).storages.pop();
        }
        paths::remove_tree(&config.root, &self.bundle)
            .map_err(|error| Status::io("remove the bundle", &error))
    }
}
