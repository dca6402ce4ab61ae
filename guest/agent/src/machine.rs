// SPDX-License-Identifier: Apache-2.0
//! The calls about the guest as a whole: plugged hardware, files, tracing. They need no sandbox.

use crate::container::blocking;
use crate::proto::grpc;
use crate::sandbox::Agent;
use crate::status::{Result, Status};
use crate::{copy, log, online};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::Instant;

impl Agent {
    /// Without `wait` the work goes on behind the answer, and failures go to the log.
    pub async fn online_cpu_mem(
        self: &Arc<Self>,
        request: grpc::OnlineCpuMemRequest,
    ) -> Result<()> {
        let wait = request.wait;
        let this = self.clone();
        let work = async move {
            // Each processor is counted by one call only.
            let _guard = this.plugging.lock().await;
            let limit = this.config().hotplug_timeout;
            let (count, cpu_only) = (request.nb_cpus, request.cpu_only);
            blocking(move || online::everything(Path::new(online::SYSTEM), count, cpu_only, limit))
                .await
        };
        if wait {
            return work.await;
        }
        tokio::spawn(async move {
            if let Err(status) = work.await {
                warning!("plugged hardware: {status}");
            }
        });
        Ok(())
    }

    pub async fn probe_memory(&self, request: grpc::MemHotplugByProbeRequest) -> Result<()> {
        let addresses = request.mem_hotplug_probe_addr;
        blocking(move || online::probe(Path::new(online::SYSTEM), &addresses)).await
    }

    pub async fn copy_file(&self, request: grpc::CopyFileRequest) -> Result<()> {
        self.booted().await?;
        let config = self.config().clone();
        let _guard = self.copying.lock().await;
        blocking(move || copy::receive(&config, &request)).await
    }

    /// While it is on, each call is written to the console: its name, how long it took, how it ended.
    pub fn set_tracing(&self, on: bool) {
        if self.tracing.swap(on, Ordering::Relaxed) != on {
            let state = if on { "on" } else { "off" };
            log::write(log::Level::Trace, &format!("tracing is {state}"));
        }
    }

    pub fn begin_trace(&self) -> Option<Instant> {
        self.tracing.load(Ordering::Relaxed).then(Instant::now)
    }
}

pub fn end_trace<T>(begin: Option<Instant>, path: &str, result: &Result<T>) {
    let begin = match begin {
        Some(begin) => begin,
        None => return,
    };
    let end = match result {
        Ok(_) => "OK".to_string(),
        Err(Status { code, .. }) => format!("{code:?}"),
    };
    let text = format!("{path} took {:?}: {end}", begin.elapsed());
    log::write(log::Level::Trace, &text);
}
