// SPDX-License-Identifier: Apache-2.0
//! One-line log messages on standard error, which is the console when the agent is PID 1.
//! The level is set once at boot (`agent.log=LEVEL`); the default `warn` keeps the boot quiet.

use std::io::Write;
use std::sync::atomic::{AtomicU8, Ordering};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    Error,
    Warn,
    Info,
    Debug,
    /// Written whatever the level, while tracing is on.
    Trace,
}

static LEVEL: AtomicU8 = AtomicU8::new(Level::Warn as u8);

impl Level {
    /// Accepts the level names of logrus too, because Kata's configuration writes them.
    pub fn parse(name: &str) -> Option<Level> {
        match name {
            "error" | "fatal" | "panic" => Some(Level::Error),
            "warn" | "warning" => Some(Level::Warn),
            "info" => Some(Level::Info),
            "debug" | "trace" => Some(Level::Debug),
            _ => None,
        }
    }
}

pub fn set_level(level: Level) {
    LEVEL.store(level as u8, Ordering::Relaxed);
}

pub fn enabled(level: Level) -> bool {
    level as u8 <= LEVEL.load(Ordering::Relaxed)
}

/// Writes the line in one call, so that lines of different threads do not mix.
pub fn write(level: Level, text: &str) {
    let mut line = String::with_capacity(text.len() + 32);
    line.push_str(match level {
        Level::Error => "agent error: ",
        Level::Warn => "agent warning: ",
        Level::Info => "agent info: ",
        Level::Debug => "agent debug: ",
        Level::Trace => "agent trace: ",
    });
    for c in text.chars() {
        // A line break in a message would look like a line of somebody else on the console.
        line.push(if c.is_control() { ' ' } else { c });
    }
    line.push('\n');
    let _ = std::io::stderr().write_all(line.as_bytes());
}

macro_rules! log_at {
    ($level:expr, $($arg:tt)*) => {
        if $crate::log::enabled($level) {
            $crate::log::write($level, &format!($($arg)*));
        }
    };
}
macro_rules! error { ($($arg:tt)*) => { log_at!($crate::log::Level::Error, $($arg)*) }; }
macro_rules! warning { ($($arg:tt)*) => { log_at!($crate::log::Level::Warn, $($arg)*) }; }
macro_rules! info { ($($arg:tt)*) => { log_at!($crate::log::Level::Info, $($arg)*) }; }
macro_rules! debug { ($($arg:tt)*) => { log_at!($crate::log::Level::Debug, $($arg)*) }; }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_ordered_and_parsed() {
        assert!(Level::Error < Level::Debug);
        assert_eq!(Level::parse("warning"), Some(Level::Warn));
        assert_eq!(Level::parse("loud"), None);
    }
}
