// SPDX-License-Identifier: Apache-2.0
//! What a container uses. The message has the shape of cgroup version 1, the guest has version 2;
//! the numbers are mapped as runc and containerd do it. What the kernel does not count is 0.

use crate::cgroup::{field, fields, number, read};
use crate::proto::grpc::*;
use std::collections::HashMap;
use std::fs;
use std::path::Path;

/// Blocks the thread.
pub fn of_cgroup(cgroup: &Path) -> CgroupStats {
    CgroupStats {
        cpu_stats: Some(cpu(cgroup)),
        memory_stats: Some(memory(cgroup)),
        pids_stats: Some(PidsStats {
            current: number(cgroup, "pids.current").unwrap_or(0),
            // No limit is 0 here, as in version 1.
            limit: number(cgroup, "pids.max")
                .filter(|limit| *limit != u64::MAX)
                .unwrap_or(0),
        }),
        blkio_stats: Some(block(&read(cgroup, "io.stat").unwrap_or_default())),
        hugetlb_stats: huge_pages(cgroup),
    }
}

fn cpu(cgroup: &Path) -> CpuStats {
    let text = read(cgroup, "cpu.stat").unwrap_or_default();
    let get = |name| field(&text, name).unwrap_or(0);
    let nanos = |name| get(name).saturating_mul(1000);
    CpuStats {
        cpu_usage: Some(CpuUsage {
            total_usage: nanos("usage_usec"),
            percpu_usage: Vec::new(),
            usage_in_kernelmode: nanos("system_usec"),
            usage_in_usermode: nanos("user_usec"),
        }),
        throttling_data: Some(ThrottlingData {
            periods: get("nr_periods"),
            throttled_periods: get("nr_throttled"),
            throttled_time: nanos("throttled_usec"),
        }),
    }
}

/// Names of version 1 and what they are in version 2.
const OLD_NAMES: [(&str, &str); 7] = [
    ("cache", "file"),
    ("rss", "anon"),
    ("rss_huge", "anon_thp"),
    ("mapped_file", "file_mapped"),
    ("dirty", "file_dirty"),
    ("writeback", "file_writeback"),
    ("swap", "swap"),
];
/// Those that are the same in both; version 1 has them with the prefix `total_` too, which says
/// that the cgroups below are included. Version 2 always includes them.
const SAME_NAMES: [&str; 7] = [
    "pgfault",
    "pgmajfault",
    "inactive_anon",
    "active_anon",
    "inactive_file",
    "active_file",
    "unevictable",
];

fn memory(cgroup: &Path) -> MemoryStats {
    let get = |name| number(cgroup, name);
    let text = read(cgroup, "memory.stat").unwrap_or_default();
    let mut stats: HashMap<String, u64> = fields(&text)
        .map(|(key, value)| (key.to_string(), value))
        .collect();
    let usage = MemoryData {
        usage: get("memory.current").unwrap_or(0),
        max_usage: get("memory.peak").unwrap_or(0),
        failcnt: field(&read(cgroup, "memory.events").unwrap_or_default(), "max").unwrap_or(0),
        limit: get("memory.max").unwrap_or(u64::MAX),
    };
    let swap = get("memory.swap.current").unwrap_or(0);
    for (old, new) in OLD_NAMES {
        let value = match old {
            "swap" => swap,
            _ => stats.get(new).copied().unwrap_or(0),
        };
        stats.insert(old.into(), value);
        stats.insert(format!("total_{old}"), value);
    }
    for name in SAME_NAMES {
        let value = stats.get(name).copied().unwrap_or(0);
        stats.insert(format!("total_{name}"), value);
    }
    stats.insert("hierarchical_memory_limit".into(), usage.limit);
    let cache = stats.get("cache").copied().unwrap_or(0);
    let kernel = stats.get("kernel").copied().unwrap_or(0);
    MemoryStats {
        cache,
        // In version 1 swap is counted together with memory.
        swap_usage: Some(MemoryData {
            usage: usage.usage.saturating_add(swap),
            max_usage: 0,
            failcnt: field(
                &read(cgroup, "memory.swap.events").unwrap_or_default(),
                "max",
            )
            .unwrap_or(0),
            limit: get("memory.swap.max")
                .unwrap_or(u64::MAX)
                .saturating_add(usage.limit),
        }),
        usage: Some(usage),
        kernel_usage: Some(MemoryData {
            usage: kernel,
            limit: u64::MAX,
            ..Default::default()
        }),
        use_hierarchy: true,
        stats,
    }
}

/// One line per device: `8:16 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6`.
fn block(text: &str) -> BlkioStats {
    let mut stats = BlkioStats::default();
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        let device = words.next().and_then(|word| word.split_once(':'));
        let numbers = device.and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
        let (major, minor) = match numbers {
            Some(pair) => pair,
            None => continue,
        };
        for (key, value) in words.filter_map(|word| word.split_once('=')) {
            let (list, op) = match key {
                "rbytes" => (&mut stats.io_service_bytes_recursive, "Read"),
                "wbytes" => (&mut stats.io_service_bytes_recursive, "Write"),
                "dbytes" => (&mut stats.io_service_bytes_recursive, "Discard"),
                "rios" => (&mut stats.io_serviced_recursive, "Read"),
                "wios" => (&mut stats.io_serviced_recursive, "Write"),
                "dios" => (&mut stats.io_serviced_recursive, "Discard"),
                _ => continue,
            };
            list.push(BlkioStatsEntry {
                major,
                minor,
                op: op.into(),
                value: value.parse().unwrap_or(0),
            });
        }
    }
    stats
}

/// By page size, such as `2MB`.
fn huge_pages(cgroup: &Path) -> HashMap<String, HugetlbStats> {
    let entries = fs::read_dir(cgroup).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let size = name.strip_prefix("hugetlb.")?.strip_suffix(".current")?;
            if size.ends_with(".rsvd") {
                return None;
            }
            let events = read(cgroup, &format!("hugetlb.{size}.events")).unwrap_or_default();
            let stats = HugetlbStats {
                usage: number(cgroup, &name)?,
                max_usage: 0,
                failcnt: field(&events, "max").unwrap_or(0),
            };
            Some((size.to_string(), stats))
        })
        .collect()
}

/// The interfaces below `class`, which is `/sys/class/net`, in the order of their names, without
/// the loopback. All containers share them.
pub fn of_network(class: &Path) -> Vec<NetworkStats> {
    let entries = fs::read_dir(class).into_iter().flatten().flatten();
    let mut list: Vec<_> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let directory = entry.path().join("statistics");
            let get = |name| number(&directory, name).unwrap_or(0);
            (name != "lo" && directory.is_dir()).then(|| NetworkStats {
                rx_bytes: get("rx_bytes"),
                rx_packets: get("rx_packets"),
                rx_errors: get("rx_errors"),
                rx_dropped: get("rx_dropped"),
                tx_bytes: get("tx_bytes"),
                tx_packets: get("tx_packets"),
                tx_errors: get("tx_errors"),
                tx_dropped: get("tx_dropped"),
                name,
            })
        })
        .collect();
    list.sort_by(|a, b| a.name.cmp(&b.name));
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TempDir;

    fn directory(files: &[(&str, &str)]) -> TempDir {
        let directory = TempDir::new();
        for (name, text) in files {
            fs::write(directory.path().join(name), text).unwrap();
        }
        directory
    }

    #[test]
    fn times_are_nanoseconds() {
        let cgroup = directory(&[(
            "cpu.stat",
            "usage_usec 7\nuser_usec 4\nsystem_usec 3\nnr_periods 9\nnr_throttled 2\nthrottled_usec 5\n",
        )]);
        let cpu = of_cgroup(cgroup.path()).cpu_stats.unwrap();
        let usage = cpu.cpu_usage.unwrap();
        assert_eq!(
            (
                usage.total_usage,
                usage.usage_in_usermode,
                usage.usage_in_kernelmode
            ),
            (7000, 4000, 3000)
        );
        let throttling = cpu.throttling_data.unwrap();
        assert_eq!(
            (
                throttling.periods,
                throttling.throttled_periods,
                throttling.throttled_time
            ),
            (9, 2, 5000)
        );
    }

    #[test]
    fn memory_has_the_names_of_version_1_too() {
        let cgroup = directory(&[
            ("memory.current", "100\n"),
            ("memory.peak", "150\n"),
            ("memory.max", "200\n"),
            ("memory.events", "low 0\nmax 6\noom_kill 0\n"),
            ("memory.swap.current", "10\n"),
            ("memory.swap.max", "max\n"),
            (
                "memory.stat",
                "anon 30\nfile 40\nkernel 5\ninactive_file 7\nfile_mapped 3\n",
            ),
        ]);
        let memory = of_cgroup(cgroup.path()).memory_stats.unwrap();
        let usage = memory.usage.unwrap();
        assert_eq!(
            (usage.usage, usage.max_usage, usage.failcnt, usage.limit),
            (100, 150, 6, 200)
        );
        let swap = memory.swap_usage.unwrap();
        assert_eq!((swap.usage, swap.limit), (110, u64::MAX));
        assert_eq!((memory.cache, memory.kernel_usage.unwrap().usage), (40, 5));
        assert!(memory.use_hierarchy);
        for (name, value) in [
            ("anon", 30),
            ("rss", 30),
            ("total_rss", 30),
            ("total_cache", 40),
            ("total_inactive_file", 7),
            ("total_mapped_file", 3),
            ("total_pgfault", 0),
            ("hierarchical_memory_limit", 200),
        ] {
            assert_eq!(memory.stats.get(name), Some(&value), "{name}");
        }
    }

    #[test]
    fn no_limit_of_processes_is_zero() {
        let cgroup = directory(&[("pids.current", "3\n"), ("pids.max", "max\n")]);
        let pids = of_cgroup(cgroup.path()).pids_stats.unwrap();
        assert_eq!((pids.current, pids.limit), (3, 0));
    }

    #[test]
    fn devices_and_huge_pages() {
        let cgroup = directory(&[
            (
                "io.stat",
                "8:16 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n254:0\nodd\n",
            ),
            ("hugetlb.2MB.current", "4096\n"),
            ("hugetlb.2MB.rsvd.current", "1\n"),
            ("hugetlb.2MB.events", "max 2\n"),
        ]);
        let stats = of_cgroup(cgroup.path());
        let block = stats.blkio_stats.unwrap();
        let list = |list: &[BlkioStatsEntry]| -> Vec<(u64, u64, String, u64)> {
            list.iter()
                .map(|entry| (entry.major, entry.minor, entry.op.clone(), entry.value))
                .collect()
        };
        let expected = |a, b, c| {
            [("Read", a), ("Write", b), ("Discard", c)].map(|(op, n)| (8, 16, op.to_string(), n))
        };
        assert_eq!(list(&block.io_service_bytes_recursive), expected(1, 2, 5));
        assert_eq!(list(&block.io_serviced_recursive), expected(3, 4, 6));
        let huge = &stats.hugetlb_stats["2MB"];
        assert_eq!(
            (stats.hugetlb_stats.len(), huge.usage, huge.failcnt),
            (1, 4096, 2)
        );
    }

    #[test]
    fn odd_statistics_are_left_out() {
        let samples: [&[u8]; 2] = [
            b"8:16 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n254:0\nodd\n",
            b"low 0\nmax 7\nusage_usec 7\nlimit max\n",
        ];
        crate::testing::scrambled(&samples, |bytes| {
            let text = String::from_utf8_lossy(bytes);
            let stats = block(&text);
            let most = text.lines().count() * 6 + text.matches('=').count();
            assert!(stats.io_serviced_recursive.len() <= most);
            assert!(fields(&text).all(|(key, _)| text.contains(key)));
        });
    }

    #[test]
    fn interfaces_are_sorted_and_without_the_loopback() {
        let class = TempDir::new();
        for (name, bytes) in [("lo", "9"), ("eth1", "2\n"), ("eth0", "1\n")] {
            let statistics = class.path().join(name).join("statistics");
            fs::create_dir_all(&statistics).unwrap();
            fs::write(statistics.join("rx_bytes"), bytes).unwrap();
        }
        let list = of_network(class.path());
        let seen: Vec<_> = list.iter().map(|n| (n.name.as_str(), n.rx_bytes)).collect();
        assert_eq!(seen, [("eth0", 1), ("eth1", 2)]);
    }
}
