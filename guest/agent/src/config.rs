// SPDX-License-Identifier: Apache-2.0
//! What the agent can be told: the kernel parameters `agent.*`, and the places it works in.
//! An unusable parameter is reported and the default kept; it must not keep the guest from booting.

use crate::log::Level;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    pub log: Level,
    pub hotplug_timeout: Duration,
    pub pipe_size: usize,
    /// The OCI runtime; an absolute path, else the spawn is not a vfork.
    pub runtime: PathBuf,
    /// Where the runtime keeps its state when it runs as root.
    pub runtime_state: PathBuf,
    /// What the host addresses: bundles, storages, shared files. On its own tmpfs in the guest,
    /// so that a container that fills its writable layer cannot stop the agent.
    pub root: PathBuf,
    /// Files only the agent uses.
    pub private: PathBuf,
    pub cgroup: PathBuf,
    /// Whether to listen on vsock; else the presence of the device decides.
    pub vsock: Option<bool>,
    /// False in host tests: no mounts, no namespaces.
    pub guest: bool,
}

const RUNTIME_NAMES: [&str; 3] = ["/usr/bin/crun", "/bin/crun", "/usr/local/bin/crun"];

impl Config {
    pub fn guest() -> Config {
        let runtime = RUNTIME_NAMES
            .iter()
            .find(|name| Path::new(name).exists())
            .unwrap_or(&RUNTIME_NAMES[0]);
        Config {
            log: Level::Warn,
            hotplug_timeout: Duration::from_secs(3),
            pipe_size: 1 << 20,
            runtime: PathBuf::from(runtime),
            runtime_state: PathBuf::from("/run/crun"),
            root: PathBuf::from("/run/kata-containers"),
            private: PathBuf::from("/run/virtcontainers"),
            cgroup: PathBuf::from("/sys/fs/cgroup"),
            vsock: None,
            guest: true,
        }
    }

    pub fn apply_command_line(&mut self, line: &str) {
        for word in line.split_ascii_whitespace() {
            let (key, value) = match word.split_once('=') {
                Some(pair) => pair,
                None => continue,
            };
            let understood = match key {
                "agent.log" => Level::parse(value).map(|level| self.log = level),
                "agent.hotplug_timeout" => {
                    parse_duration(value).map(|time| self.hotplug_timeout = time)
                }
                "agent.container_pipe_size" => value
                    .parse::<usize>()
                    .ok()
                    .filter(|size| (4096..=64 << 20).contains(size))
                    .map(|size| self.pipe_size = size),
                "agent.use_vsock" => parse_flag(value).map(|flag| self.vsock = Some(flag)),
                _ => Some(()),
            };
            if understood.is_none() {
                warning!("kernel parameter {word} is not understood");
            }
        }
    }

    pub fn containers(&self) -> PathBuf {
        self.root.join("containers")
    }

    pub fn sandbox(&self) -> PathBuf {
        self.root.join("sandbox")
    }
}

/// What Kata's agent takes for a truth value.
fn parse_flag(text: &str) -> Option<bool> {
    match text {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

/// Kata writes Go durations (`3s`, `500ms`, `1m`); a bare number means seconds.
fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let number: u64 = text[..digits].parse().ok()?;
    match &text[digits..] {
        "ms" => Some(Duration::from_millis(number)),
        "" | "s" => Some(Duration::from_secs(number)),
        "m" => number.checked_mul(60).map(Duration::from_secs),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_parameters_are_read() {
        let mut config = Config::guest();
        config.apply_command_line(
            "quiet agent.log=debug agent.hotplug_timeout=500ms agent.container_pipe_size=65536 x=y\n",
        );
        assert_eq!(config.log, Level::Debug);
        assert_eq!(config.hotplug_timeout, Duration::from_millis(500));
        assert_eq!(config.pipe_size, 65536);
        for (value, flag) in [("true", true), ("1", true), ("false", false), ("0", false)] {
            config.apply_command_line(&format!("agent.use_vsock={value}"));
            assert_eq!(config.vsock, Some(flag), "{value}");
        }
    }

    #[test]
    fn unusable_parameters_keep_the_defaults() {
        let mut config = Config::guest();
        config.apply_command_line(
            "agent.log=loud agent.hotplug_timeout=soon agent.container_pipe_size=-1 agent.use_vsock=yes agent.unknown=1",
        );
        assert_eq!(config, Config::guest());
    }

    #[test]
    fn durations() {
        assert_eq!(parse_duration("2m"), Some(Duration::from_secs(120)));
        assert_eq!(parse_duration("7"), Some(Duration::from_secs(7)));
        assert_eq!(parse_duration(""), None);
        assert_eq!(parse_duration("1h"), None);
    }
}
