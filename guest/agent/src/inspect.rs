// SPDX-License-Identifier: Apache-2.0
//! What runs in a container and what it uses, and changing what it may use.

use crate::container::{blocking, Container, Phase};
use crate::proto::grpc;
use crate::status::{Result, Status};
use crate::{cgroup, ps, stats, update};
use std::path::Path;

impl Container {
    /// The processes in one of the formats; none after the end of the container.
    pub async fn list_processes(&self, format: &str, arguments: &[String]) -> Result<String> {
        let table = match format {
            "json" => false,
            "table" => true,
            other => {
                return Err(Status::invalid(format!(
                    "format {other:?} of a list of processes is neither \"json\" nor \"table\""
                )))
            }
        };
        if table && !matches!(arguments, [] | [_]) || arguments.iter().any(|word| word != "-ef") {
            return Err(Status::invalid(format!(
                "options {arguments:?} of ps are not supported, only none or \"-ef\""
            )));
        }
        self.find("")?;
        let mut pids = match self.phase() {
            Phase::Stopped | Phase::Removing => Vec::new(),
            _ => cgroup::pids(&self.cgroup),
        };
        pids.sort_unstable();
        pids.dedup();
        if !table {
            return Ok(serde_json::json!(pids).to_string());
        }
        blocking(move || ps::table(&ps::Guest::read(), &pids)).await
    }

    pub async fn stats(&self) -> Result<grpc::StatsContainerResponse> {
        self.find("")?;
        let cgroup = self.cgroup.clone();
        blocking(move || {
            if !cgroup.is_dir() {
                return Err(Status::precondition(format!(
                    "cgroup {} does not exist any more",
                    cgroup.display()
                )));
            }
            Ok(grpc::StatsContainerResponse {
                cgroup_stats: Some(stats::of_cgroup(&cgroup)),
                network_stats: stats::of_network(Path::new("/sys/class/net")),
            })
        })
        .await
    }

    pub async fn update(&self, resources: grpc::LinuxResources) -> Result<()> {
        // Two updates at once would mix, and a removal would take the cgroup away.
        let _operation = self.operation.write().await;
        match self.phase() {
            Phase::Created | Phase::Running | Phase::Paused => (),
            phase => {
                return Err(Status::precondition(format!(
                    "update: container {} is {}",
                    self.id,
                    phase.name()
                )))
            }
        }
        let cgroup = self.cgroup.clone();
        blocking(move || update::update(&cgroup, &resources)).await
    }
}
