// SPDX-License-Identifier: Apache-2.0
//! The guest agent of virtcontainers: PID 1 of the sandbox VM, serving `grpc.AgentService` and
//! `grpc.Health` on a virtio-serial port.
//!
//! Layers, each knowing only those below it:
//! `boot` -> `service` -> `sandbox`, `container`, `process` -> `runtime`, `storage`, `reaper`;
//! `server` -> `grpc` -> `channel` -> `port`.
//!
//! A panic ends the VM, therefore nothing that comes from the peer, a container or the kernel is
//! ever unwrapped.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used))]
#![deny(unsafe_op_in_unsafe_fn)]

#[macro_use]
pub mod log;

pub mod boot;
pub mod channel;
pub mod clock;
pub mod config;
pub mod console;
pub mod container;
pub mod details;
pub mod exec;
pub mod grpc;
pub mod hotplug;
pub mod ids;
pub mod modules;
pub mod mount;
pub mod namespace;
pub mod oci;
pub mod oci_linux;
pub mod oci_resources;
pub mod paths;
pub mod port;
pub mod process;
pub mod proto;
pub mod reaper;
pub mod rng;
pub mod runtime;
pub mod sandbox;
pub mod server;
pub mod service;
pub mod signal;
pub mod status;
pub mod storage;
pub mod stream;
pub mod sys;
pub mod sysctl;
pub mod uevent;

#[cfg(test)]
mod testing;
