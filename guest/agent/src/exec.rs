// SPDX-License-Identifier: Apache-2.0
//! Additional processes in a running container.

use crate::container::{Container, Phase};
use crate::process::Wiring;
use crate::proto::grpc;
use crate::status::{Result, Status};
use crate::{ids, oci, sys};
use std::fs;
use std::sync::Arc;

impl Container {
    pub async fn exec(&self, request: grpc::ExecProcessRequest) -> Result<()> {
        let id = request.exec_id;
        ids::validate("exec_id", &id)?;
        let process = request
            .process
            .ok_or_else(|| Status::invalid("the request has no process"))?;
        let json = oci::process(&process, Some(&self.process))?;
        let _operation = self.operation.read().await;
        self.require("exec", Phase::Running)?;
        let _reservation = Reservation::take(self, &id)?;
        let result = self.launch(&id, &process, &json).await;
        // The runtime cannot enter a container that ends meanwhile; say so rather than its guess.
        if result.is_err() {
            self.require("exec", Phase::Running)?;
        }
        result
    }

    async fn launch(
        &self,
        id: &str,
        process: &grpc::Process,
        json: &serde_json::Value,
    ) -> Result<()> {
        let runtime = &self.context.runtime;
        let mut wiring = Wiring::new(process, runtime, self.context.config.pipe_size)?;
        let file = runtime.private_file("json");
        fs::write(&file, json.to_string())
            .map_err(|error| Status::io("write the process file", &error))?;
        let (extra, streams) = wiring.for_runtime();
        let mut arguments = vec![
            "exec".into(),
            "--detach".into(),
            "--process".into(),
            file.clone().into(),
        ];
        arguments.extend(extra);
        let oom_score_adj = json["oomScoreAdj"].as_i64().unwrap_or(0);
        let result = runtime
            .launch(arguments, &self.id, streams, oom_score_adj)
            .await;
        let _ = fs::remove_file(&file);
        let (pid, exit) = result?;
        let process = match wiring.connect(pid, exit.clone()) {
            Ok(process) => process,
            Err(status) => {
                let _ = runtime.reaper.kill(pid, &exit, libc::SIGKILL);
                return Err(status);
            }
        };
        let mut state = sys::lock(&self.state);
        state.processes.insert(id.to_string(), Arc::new(process));
        Ok(())
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
