// SPDX-License-Identifier: Apache-2.0
//! Ids of containers and processes. They become file names, so only harmless ones are let in.

use crate::status::{Result, Status};

const MAX_LENGTH: usize = 128;

/// Accepts `[A-Za-z0-9][A-Za-z0-9_.-]*` up to 128 characters.
pub fn validate(kind: &str, id: &str) -> Result<()> {
    if id.is_empty() {
        return Err(Status::invalid(format!("{kind} is empty")));
    }
    if id.len() > MAX_LENGTH {
        return Err(Status::invalid(format!(
            "{kind} has {} bytes, the limit is {MAX_LENGTH}",
            id.len()
        )));
    }
    let first = id.as_bytes()[0].is_ascii_alphanumeric();
    let rest = id
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
    if first && rest {
        Ok(())
    } else {
        Err(Status::invalid(format!(
            "{kind} {id:?} must match [A-Za-z0-9][A-Za-z0-9_.-]*"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::validate;
    use crate::status::Code;

    #[test]
    fn usual_ids_pass() {
        for id in ["a", "0", "web-1", "A.b_c", &"x".repeat(128)] {
            assert_eq!(validate("id", id), Ok(()));
        }
    }

    #[test]
    fn ids_that_are_unsafe_as_file_names_are_refused() {
        for id in [
            "",
            ".",
            "..",
            "-a",
            "_a",
            "a/b",
            "a b",
            "a\0",
            "é",
            "a\n",
            &"x".repeat(129),
        ] {
            assert_eq!(validate("id", id).unwrap_err().code, Code::InvalidArgument);
        }
    }
}
