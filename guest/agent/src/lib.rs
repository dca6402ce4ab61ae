// SPDX-License-Identifier: Apache-2.0
//! The guest agent of virtcontainers: PID 1 of the sandbox VM, serving `grpc.AgentService` and
//! `grpc.Health` on virtio-serial ports and on vsock.
//!
//! Layers, each knowing only those below it:
//! `boot` -> `service` -> `sandbox`, `network`, `machine` -> `container`, `process` -> `runtime`, `enter`,
//! `storage`, `reaper`, `cgroup`, `netlink`;
//! `ports` -> `vsock`, `socket` -> `server` -> `grpc` -> `channel` -> `port`.
//!
//! A panic ends the VM, therefore nothing that comes from the peer, a container or the kernel is
//! ever unwrapped.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used))]
#![deny(unsafe_op_in_unsafe_fn)]

#[macro_use]
pub mod log;

pub mod address;
pub mod boot;
pub mod cgroup;
pub mod channel;
pub mod child;
pub mod clock;
pub mod command;
pub mod config;
pub mod console;
pub mod container;
pub mod copy;
pub mod details;
pub mod device;
pub mod enter;
pub mod exec;
pub mod files;
pub mod grpc;
pub mod hooks;
pub mod hotplug;
pub mod hugepages;
pub mod identity;
pub mod ids;
pub mod image;
pub mod inotify;
pub mod inside;
pub mod inspect;
pub mod link;
pub mod link_update;
pub mod machine;
pub mod modules;
pub mod mount;
pub mod namespace;
pub mod neighbor;
pub mod netlink;
pub mod network;
pub mod oci;
pub mod oci_linux;
pub mod oci_resources;
pub mod online;
pub mod oom;
pub mod paths;
pub mod pause;
pub mod pidns;
pub mod port;
pub mod ports;
pub mod process;
pub mod proto;
pub mod ps;
pub mod reaper;
pub mod removal;
pub mod report;
pub mod resolver;
pub mod rights;
pub mod rng;
pub mod route;
pub mod runtime;
pub mod sandbox;
pub mod server;
pub mod service;
pub mod signal;
pub mod socket;
pub mod stats;
pub mod status;
pub mod storage;
pub mod stream;
pub mod sys;
pub mod sysctl;
pub mod uevent;
pub mod update;
pub mod vsock;
pub mod worker;

#[cfg(test)]
mod testing;
