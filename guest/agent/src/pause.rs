// SPDX-License-Identifier: Apache-2.0
//! Pausing a container: all its processes are frozen, and none can be added. A paused container can
//! be killed and removed; other signals reach it when it is resumed.

use crate::cgroup;
use crate::container::{Container, Phase};
use crate::status::{Result, Status};
use std::time::Duration;

/// Freezing waits for processes that the kernel cannot interrupt.
const LIMIT: Duration = Duration::from_secs(10);

impl Container {
    pub async fn pause(&self) -> Result<()> {
        let _operation = self.operation.write().await;
        self.require("pause", Phase::Running)?;
        cgroup::freeze(&self.cgroup, LIMIT)
            .await
            .map_err(|status| self.in_context(status))?;
        self.set_phase(Phase::Paused);
        Ok(())
    }

    pub async fn resume(&self) -> Result<()> {
        let _operation = self.operation.write().await;
        self.require("resume", Phase::Paused)?;
        cgroup::thaw(&self.cgroup).map_err(|status| self.in_context(status))?;
        self.set_phase(Phase::Running);
        Ok(())
    }

    fn in_context(&self, status: Status) -> Status {
        status.context(format!("container {}", self.id))
    }
}
