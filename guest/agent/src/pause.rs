// SPDX-License-Identifier: Apache-2.0
//! Pausing a container: all its processes are frozen, and none can be added. A paused container can
//! be killed and removed; other signals reach it when it is resumed.

use crate::cgroup;
use crate::container::{Container, Phase};
use crate::status::Result;
use std::time::Duration;

/// Freezing waits for processes that the kernel cannot interrupt.
const LIMIT: Duration = Duration::from_secs(10);

impl Container {
    pub async fn pause(&self) -> Result<()> {
        let _operation = self.operation.write().await;
        self.require("pause", Phase::Running)?;
        self.freeze(true).await?;
        self.set_phase(Phase::Paused);
        Ok(())
    }

    pub async fn resume(&self) -> Result<()> {
        let _operation = self.operation.write().await;
        self.require("resume", Phase::Paused)?;
        self.freeze(false).await?;
        self.set_phase(Phase::Running);
        Ok(())
    }

    async fn freeze(&self, frozen: bool) -> Result<()> {
        cgroup::set_frozen(&self.cgroup, frozen, LIMIT)
            .await
            .map_err(|status| status.context(format!("container {}", self.id)))
    }
}
