// SPDX-License-Identifier: Apache-2.0
//! Huge pages for a hugetlbfs storage: reserved when it is mounted, given back when it is released.
//! Blocks the thread.

use crate::status::{Code, Result, Status};
use std::fs;
use std::path::Path;

pub const POOLS: &str = "/sys/kernel/mm/hugepages";

/// Pages of one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pages {
    size: u64,
    count: u64,
}

impl Pages {
    /// From mount data such as `pagesize=2M,size=64M`.
    pub fn parse(data: &str) -> Result<Pages> {
        let number = |name: &str| {
            // The kernel takes the last one.
            let mut options = data.rsplit(',').filter_map(|option| option.split_once('='));
            let text = options.find(|(key, _)| *key == name);
            text.and_then(|(_, text)| bytes(text))
                .filter(|number| *number > 0)
                .ok_or_else(|| {
                    Status::invalid(format!("hugetlbfs needs {name}= as a size, in {data:?}"))
                })
        };
        let (page, size) = (number("pagesize")?, number("size")?);
        let count = size / page + u64::from(size % page != 0);
        Ok(Pages { size: page, count })
    }

    pub fn reserve(self, pools: &Path) -> Result<()> {
        let old = self.present(pools)?;
        let wanted = old.checked_add(self.count);
        let wanted = wanted.ok_or_else(|| Status::invalid("too many huge pages"))?;
        self.set(pools, wanted)?;
        let now = self.present(pools)?;
        if now < wanted {
            self.set(pools, old)?;
            return Err(Status::new(
                Code::ResourceExhausted,
                format!(
                    "only {} of {} huge pages of {} bytes could be had",
                    now.saturating_sub(old),
                    self.count,
                    self.size
                ),
            ));
        }
        Ok(())
    }

    pub fn give_back(self, pools: &Path) {
        let result = self.present(pools);
        let result = result.and_then(|now| self.set(pools, now.saturating_sub(self.count)));
        if let Err(status) = result {
            warning!("huge pages: {status}");
        }
    }

    fn file(self, pools: &Path) -> std::path::PathBuf {
        pools.join(format!("hugepages-{}kB/nr_hugepages", self.size >> 10))
    }

    fn present(self, pools: &Path) -> Result<u64> {
        let text = fs::read_to_string(self.file(pools)).map_err(|_| {
            Status::precondition(format!(
                "the guest has no huge pages of {} bytes",
                self.size
            ))
        })?;
        let number = text.trim().parse();
        number.map_err(|_| Status::internal(format!("number of huge pages {text:?}")))
    }

    fn set(self, pools: &Path, count: u64) -> Result<()> {
        fs::write(self.file(pools), count.to_string())
            .map_err(|error| Status::io(format!("reserve {count} huge pages"), &error))
    }
}

/// A number with a unit: `2M`, `2Mi`, `2MB`, `2097152`.
fn bytes(text: &str) -> Option<u64> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let number: u64 = text[..digits].parse().ok()?;
    let shift = match &text[digits..] {
        "" => 0,
        "k" | "K" | "Ki" | "KB" | "kB" => 10,
        "m" | "M" | "Mi" | "MB" => 20,
        "g" | "G" | "Gi" | "GB" => 30,
        _ => return None,
    };
    number.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TempDir;

    #[test]
    fn counts_are_rounded_up() {
        let pages = Pages::parse("mode=0700,pagesize=2Mi,size=5M").unwrap();
        assert_eq!((pages.size, pages.count), (2 << 20, 3));
        for bad in [
            "",
            "pagesize=2M",
            "size=2M",
            "pagesize=0,size=1",
            "pagesize=2T,size=1",
            "pagesize=x,size=1",
        ] {
            assert!(Pages::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn pages_are_added_and_given_back() {
        let pools = TempDir::new();
        let directory = pools.path().join("hugepages-2048kB");
        let pages = Pages::parse("pagesize=2M,size=8M").unwrap();
        assert_eq!(
            pages.reserve(pools.path()).unwrap_err().code,
            Code::FailedPrecondition
        );
        fs::create_dir(&directory).unwrap();
        let file = directory.join("nr_hugepages");
        fs::write(&file, "3\n").unwrap();
        pages.reserve(pools.path()).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "7");
        pages.give_back(pools.path());
        assert_eq!(fs::read_to_string(&file).unwrap(), "3");
    }
}
