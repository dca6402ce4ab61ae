// SPDX-License-Identifier: Apache-2.0
//! The methods of `grpc.AgentService`, `grpc.Health` and `virtcontainers.GuestService`.
//!
//! A call that changes something runs to its end even if its caller is gone: half a container helps
//! nobody. A call that waits (streams, exit) ends with its caller.

use crate::grpc::Frame;
use crate::proto::grpc::{self, health_check_response::ServingStatus};
use crate::proto::virtcontainers;
use crate::sandbox::Agent;
use crate::server::{Answer, Service};
use crate::status::{Result, Status};
use crate::{clock, details, machine, rng};
use bytes::Bytes;
use prost::Message;
use std::future::Future;
use std::sync::Arc;

impl Service for Agent {
    fn call(self: Arc<Self>, path: &str, message: Bytes) -> Answer {
        let path = path.to_string();
        Box::pin(async move {
            let begin = self.begin_trace();
            let result = dispatch(self, &path, message).await;
            machine::end_trace(begin, &path, &result);
            result
        })
    }
}

async fn dispatch(agent: Arc<Agent>, path: &str, message: Bytes) -> Result<Frame> {
    if let Some(method) = path.strip_prefix("/grpc.AgentService/") {
        return call(agent, method, message).await;
    }
    match path {
        "/virtcontainers.GuestService/RenewSandbox" => {
            let request = decode(message)?;
            done(async move { agent.renew_sandbox(request).await }).await
        }
        "/virtcontainers.GuestService/ReadFile" => {
            let request: virtcontainers::ReadFileRequest = decode(message)?;
            let container = agent.container(&request.container_id)?;
            Frame::message(&container.read_file(request).await?)
        }
        "/virtcontainers.GuestService/WriteFile" => {
            let request: virtcontainers::WriteFileRequest = decode(message)?;
            let container = agent.container(&request.container_id)?;
            done(async move { container.write_file(request.part.unwrap_or_default()).await }).await
        }
        "/grpc.Health/Check" => {
            decode::<grpc::CheckRequest>(message)?;
            // Requests that came before this one, and can be answered, are answered before it.
            tokio::task::yield_now().await;
            Frame::message(&grpc::HealthCheckResponse {
                status: ServingStatus::Serving as i32,
            })
        }
        "/grpc.Health/Version" => {
            decode::<grpc::CheckRequest>(message)?;
            Frame::message(&grpc::VersionCheckResponse {
                grpc_version: details::API_VERSION.into(),
                agent_version: details::VERSION.into(),
            })
        }
        _ => Err(Status::unimplemented(format!("unknown method {path}"))),
    }
}

async fn call(agent: Arc<Agent>, method: &str, message: Bytes) -> Result<Frame> {
    match method {
        "CreateSandbox" => {
            let request = decode(message)?;
            done(async move { agent.create_sandbox(request).await }).await
        }
        "DestroySandbox" => {
            decode::<grpc::DestroySandboxRequest>(message)?;
            done(async move { agent.destroy_sandbox().await }).await
        }
        "CreateContainer" => {
            let request = decode(message)?;
            done(async move { agent.create_container(request).await }).await
        }
        "StartContainer" => {
            let request: grpc::StartContainerRequest = decode(message)?;
            let container = agent.container(&request.container_id)?;
            done(async move { container.start().await }).await
        }
        "RemoveContainer" => {
            let request = decode(message)?;
            done(async move { agent.remove_container(request).await }).await
        }
        "ExecProcess" => {
            let request: grpc::ExecProcessRequest = decode(message)?;
            let container = agent.container(&request.container_id)?;
            done(async move { container.exec(request).await }).await
        }
        "SignalProcess" => {
            let request: grpc::SignalProcessRequest = decode(message)?;
            let container = agent.container(&request.container_id)?;
            container.signal(&request.exec_id, request.signal)?;
            empty()
        }
        "WaitProcess" => {
            let request: grpc::WaitProcessRequest = decode(message)?;
            let container = agent.container(&request.container_id)?;
            let process = container.find(&request.exec_id)?;
            let status = process.exit.wait().await;
            container.reported(&request.exec_id);
            Frame::message(&grpc::WaitProcessResponse { status })
        }
        "PauseContainer" => {
            let request: grpc::PauseContainerRequest = decode(message)?;
            let container = agent.container(&request.container_id)?;
            done(async move { container.pause().await }).await
        }
        "ResumeContainer" => {
            let request: grpc::ResumeContainerRequest = decode(message)?;
            let container = agent.container(&request.container_id)?;
            done(async move { container.resume().await }).await
        }
        "UpdateContainer" => {
            let request: grpc::UpdateContainerRequest = decode(message)?;
            let container = agent.container(&request.container_id)?;
            let resources = request.resources.unwrap_or_default();
            done(async move { container.update(resources).await }).await
        }
        "StatsContainer" => {
            let request: grpc::StatsContainerRequest = decode(message)?;
            let container = agent.container(&request.container_id)?;
            Frame::message(&container.stats().await?)
        }
        "ListProcesses" => {
            let request: grpc::ListProcessesRequest = decode(message)?;
            let container = agent.container(&request.container_id)?;
            let list = container.list_processes(&request.format, &request.args);
            Frame::message(&grpc::ListProcessesResponse {
                process_list: list.await?.into(),
            })
        }
        "GetOOMEvent" => {
            decode::<grpc::GetOomEventRequest>(message)?;
            agent.oom_event().await?.into_frame()
        }
        "WriteStdin" => {
            let request: grpc::WriteStreamRequest = decode(message)?;
            let container = agent.container(&request.container_id)?;
            let process = container.find(&request.exec_id)?;
            let length = process.stdin.write(&request.data).await?;
            Frame::message(&grpc::WriteStreamResponse { len: length as u32 })
        }
        "CloseStdin" => {
            let request: grpc::CloseStdinRequest = decode(message)?;
            let container = agent.container(&request.container_id)?;
            container.find(&request.exec_id)?.close_stdin();
            empty()
        }
        "ReadStdout" => {
            let request: grpc::ReadStreamRequest = decode(message)?;
            let container = agent.container(&request.container_id)?;
            let process = container.find(&request.exec_id)?;
            process.stdout.read(request.len).await
        }
        "ReadStderr" => {
            let request: grpc::ReadStreamRequest = decode(message)?;
            let container = agent.container(&request.container_id)?;
            let process = container.find(&request.exec_id)?;
            process.stderr.read(request.len).await
        }
        "TtyWinResize" => {
            let request: grpc::TtyWinResizeRequest = decode(message)?;
            let container = agent.container(&request.container_id)?;
            let process = container.find(&request.exec_id)?;
            process.resize(request.row, request.column)?;
            empty()
        }
        "UpdateInterface" => {
            let request = decode(message)?;
            done(async move { agent.update_interface(request).await }).await
        }
        "UpdateRoutes" => {
            let request = decode(message)?;
            done(async move { agent.update_routes(request).await }).await
        }
        "ListInterfaces" => {
            decode::<grpc::ListInterfacesRequest>(message)?;
            Frame::message(&agent.list_interfaces().await?)
        }
        "ListRoutes" => {
            decode::<grpc::ListRoutesRequest>(message)?;
            Frame::message(&agent.list_routes().await?)
        }
        "AddARPNeighbors" => {
            let request = decode(message)?;
            done(async move { agent.add_neighbors(request).await }).await
        }
        "OnlineCPUMem" => {
            let request = decode(message)?;
            done(async move { agent.online_cpu_mem(request).await }).await
        }
        "MemHotplugByProbe" => {
            let request = decode(message)?;
            done(async move { agent.probe_memory(request).await }).await
        }
        "CopyFile" => {
            let request = decode(message)?;
            done(async move { agent.copy_file(request).await }).await
        }
        "StartTracing" => {
            decode::<grpc::StartTracingRequest>(message)?;
            agent.set_tracing(true);
            empty()
        }
        "StopTracing" => {
            decode::<grpc::StopTracingRequest>(message)?;
            agent.set_tracing(false);
            empty()
        }
        "GetGuestDetails" => Frame::message(&details::of_guest(&decode(message)?)),
        "ReseedRandomDev" => {
            let request: grpc::ReseedRandomDevRequest = decode(message)?;
            rng::reseed(&request.data)?;
            empty()
        }
        "SetGuestDateTime" => {
            let request: grpc::SetGuestDateTimeRequest = decode(message)?;
            clock::set(request.sec, request.usec)?;
            empty()
        }
        _ => Err(Status::unimplemented(format!(
            "method {method} is not implemented"
        ))),
    }
}

fn decode<M: Message + Default>(message: Bytes) -> Result<M> {
    M::decode(message).map_err(|error| Status::invalid(format!("malformed request: {error}")))
}

fn empty() -> Result<Frame> {
    Frame::message(&())
}

/// Completes in a task of its own, whatever happens to the caller.
async fn done<M: Message + 'static>(
    work: impl Future<Output = Result<M>> + Send + 'static,
) -> Result<Frame> {
    match tokio::spawn(work).await {
        Ok(result) => result.and_then(|message| Frame::message(&message)),
        Err(error) => Err(Status::internal(format!("lost work: {error}"))),
    }
}
