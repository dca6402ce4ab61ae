// SPDX-License-Identifier: Apache-2.0
//! Helpers of the unit tests.

use futures_util::future::poll_fn;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;

/// A directory that is removed with the value.
pub struct TempDir(PathBuf);

impl TempDir {
    pub fn new() -> TempDir {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "virtcontainers-agent-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        TempDir(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Polls once.
pub async fn is_pending<F: Future>(mut future: Pin<&mut F>) -> bool {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending())).await
}

/// Calls `test` with damaged forms of the samples, the same ones in each run.
pub fn scrambled(samples: &[&[u8]], mut test: impl FnMut(&[u8])) {
    const EXTREMES: [&[u8]; 4] = [
        b"-9223372036854775808",
        b"9223372036854775807",
        b"18446744073709551615",
        b"\xff\xff\xff\xff",
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |limit: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % limit as u64) as usize
    };
    for _ in 0..20_000 {
        let mut bytes = samples[next(samples.len())].to_vec();
        for _ in 0..=next(4) {
            let at = next(bytes.len() + 1);
            let end = at + next(bytes.len() - at + 1);
            match next(5) {
                0 => bytes.truncate(at),
                1 => drop(bytes.drain(at..end)),
                2 => bytes.insert(at, next(256) as u8),
                3 => drop(bytes.splice(at..end, EXTREMES[next(EXTREMES.len())].to_vec())),
                _ => drop(bytes.splice(at..end, samples[next(samples.len())].to_vec())),
            }
        }
        test(&bytes);
    }
}
