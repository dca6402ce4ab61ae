// SPDX-License-Identifier: Apache-2.0
//! Sets the wall clock, which is wrong after a clone or a long pause.

use crate::status::{Result, Status};
use crate::sys;

pub fn set(seconds: i64, microseconds: i64) -> Result<()> {
    check(seconds, microseconds)?;
    sys::set_time(seconds, microseconds).map_err(|error| Status::io("set the clock", &error))
}

fn check(seconds: i64, microseconds: i64) -> Result<()> {
    if seconds >= 0 && (0..1_000_000).contains(&microseconds) {
        return Ok(());
    }
    Err(Status::invalid(format!(
        "time of {seconds} s and {microseconds} us is out of range"
    )))
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn impossible_times_are_refused() {
        assert!(check(0, 999_999).is_ok());
        assert!(check(-1, 0).is_err());
        assert!(check(1, 1_000_000).is_err());
        assert!(check(1, -1).is_err());
    }
}
