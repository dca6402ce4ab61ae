// SPDX-License-Identifier: Apache-2.0
//! Processes as `ps -ef` shows them, from /proc: the guest has no ps.

use crate::status::{Code, Result, Status};
use std::collections::HashMap;
use std::fmt::Write;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;

const MAX_COMMAND: u64 = 4096;
/// Leaves room in the largest message.
const MAX_TABLE: usize = 3 << 20;
const HEADER: &str = "UID          PID    PPID  C STIME TTY          TIME CMD\n";

/// What is the same for all rows.
pub struct Guest {
    ticks: u64,
    boot: i64,
    now: i64,
    users: HashMap<u32, String>,
}

impl Guest {
    pub fn read() -> Guest {
        let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
        let boot = stat.lines().find_map(|line| line.strip_prefix("btime "));
        let ticks = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK);
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Guest {
            ticks: ticks
                .ok()
                .flatten()
                .map_or(100, |ticks| ticks.max(1) as u64),
            boot: boot.and_then(|text| text.trim().parse().ok()).unwrap_or(0),
            now: now.map_or(0, |time| time.as_secs() as i64),
            users: users(&fs::read_to_string("/etc/passwd").unwrap_or_default()),
        }
    }
}

fn users(passwd: &str) -> HashMap<u32, String> {
    let entry = |line: &str| {
        let mut parts = line.split(':');
        let name = parts.next()?.to_string();
        Some((parts.nth(1)?.parse().ok()?, name))
    };
    passwd.lines().filter_map(entry).collect()
}

/// A process that has ended meanwhile has no row.
pub fn table(guest: &Guest, pids: &[i32]) -> Result<String> {
    let mut text = HEADER.to_string();
    for pid in pids {
        if let Some(process) = Process::read(*pid) {
            process.put_row(guest, &mut text);
        }
        if text.len() > MAX_TABLE {
            return Err(Status::new(
                Code::ResourceExhausted,
                format!("the table of {} processes is too long", pids.len()),
            ));
        }
    }
    Ok(text)
}

struct Process {
    pid: i32,
    uid: u32,
    parent: i32,
    terminal: i64,
    /// In ticks: of processor time used, and from the boot to the start.
    used: u64,
    started: u64,
    command: String,
}

impl Process {
    fn read(pid: i32) -> Option<Process> {
        let directory = format!("/proc/{pid}");
        let uid = fs::metadata(&directory).ok()?.uid();
        let stat = bounded(&format!("{directory}/stat"))?;
        let arguments = bounded(&format!("{directory}/cmdline")).unwrap_or_default();
        Process::parse(pid, uid, &stat, &arguments)
    }

    /// The name in the second field may contain anything, so the rest begins at the last `)`.
    fn parse(pid: i32, uid: u32, stat: &[u8], arguments: &[u8]) -> Option<Process> {
        let stat = String::from_utf8_lossy(stat);
        let (head, rest) = stat.rsplit_once(')')?;
        let name = head.split_once('(')?.1;
        let rest: Vec<&str> = rest.split_ascii_whitespace().collect();
        // From the third field on, which is the state.
        let number = |field: usize| rest.get(field - 3)?.parse::<i64>().ok();
        let ticks = |field| number(field).and_then(|n| u64::try_from(n).ok());
        let words = String::from_utf8_lossy(arguments);
        let mut command = words.trim_end_matches('\0').replace('\0', " ");
        if command.is_empty() {
            command = format!("[{name}]");
        }
        if rest.first() == Some(&"Z") {
            command.push_str(" <defunct>");
        }
        Some(Process {
            pid,
            uid,
            parent: number(4)? as i32,
            terminal: number(7)?,
            used: ticks(14)?.saturating_add(ticks(15)?),
            started: ticks(22)?,
            command: command.replace(|c: char| c.is_control(), "?"),
        })
    }

    fn put_row(&self, guest: &Guest, text: &mut String) {
        let user = match guest.users.get(&self.uid) {
            Some(name) if name.len() <= 8 => name.clone(),
            _ => self.uid.to_string(),
        };
        let seconds = self.used / guest.ticks;
        let start = guest
            .boot
            .saturating_add((self.started / guest.ticks) as i64);
        let lifetime = u64::try_from(guest.now.saturating_sub(start)).unwrap_or(0);
        let share = seconds
            .saturating_mul(100)
            .checked_div(lifetime)
            .unwrap_or(0)
            .min(99);
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{user:<8} {:>7} {:>7} {share:>2} {} {:<8} {} {}",
            self.pid,
            self.parent,
            start_time(start, guest.now),
            terminal(self.terminal),
            duration(seconds),
            self.command,
        );
    }
}

fn bounded(path: &str) -> Option<Vec<u8>> {
    let mut content = Vec::new();
    let file = File::open(path).ok()?;
    file.take(MAX_COMMAND).read_to_end(&mut content).ok()?;
    Some(content)
}

fn terminal(device: i64) -> String {
    let major = device >> 8 & 0xfff;
    let minor = device & 0xff | device >> 12 & 0xfff00;
    match (major, minor) {
        (136..=143, minor) => format!("pts/{}", (major - 136) * 256 + minor),
        (4, minor @ 64..) => format!("ttyS{}", minor - 64),
        (4, minor) => format!("tty{minor}"),
        (5, 1) => "console".into(),
        _ => "?".into(),
    }
}

fn duration(seconds: u64) -> String {
    let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
    let (minutes, seconds) = (seconds / 60 % 60, seconds % 60);
    match days {
        0 => format!("{hours:02}:{minutes:02}:{seconds:02}"),
        _ => format!("{days}-{hours:02}:{minutes:02}:{seconds:02}"),
    }
}

/// The time for a start of today, the day for one of this year, else the year; UTC.
fn start_time(start: i64, now: i64) -> String {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let (year, month, day) = date(start);
    if start.div_euclid(86_400) == now.div_euclid(86_400) {
        let minute = start.rem_euclid(86_400) / 60;
        format!("{:02}:{:02}", minute / 60, minute % 60)
    } else if year == date(now).0 {
        format!("{}{day:02}", MONTHS[month])
    } else {
        format!("{year:>5}")
    }
}

/// Year, month from 0 and day from 1 of a Unix time.
fn date(seconds: i64) -> (i64, usize, i64) {
    // Years begin in March here, so that a leap day is the last one.
    let days = seconds.div_euclid(86_400) + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let year = era * 400 + year_of_era + i64::from(month >= 10);
    (year, ((month + 2) % 12) as usize, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000; // 2023-11-14 22:13:20

    fn guest() -> Guest {
        Guest {
            ticks: 100,
            boot: NOW - 1000,
            now: NOW,
            users: users("root:x:0:0:root:/root:/bin/sh\nodd\nlongername:x:7:7::/:\n"),
        }
    }

    fn row(uid: u32, stat: &[u8], arguments: &[u8]) -> String {
        let mut text = String::new();
        let process = Process::parse(42, uid, stat, arguments).unwrap();
        process.put_row(&guest(), &mut text);
        text
    }

    #[test]
    fn a_row_has_the_columns_of_ps() {
        let stat = b"42 (a) b) S 7 42 42 34816 42 0 0 0 0 0 6000 4000 0 0 20 0 1 0 50000 0";
        assert_eq!(
            HEADER.to_string() + &row(0, stat, b"sh\0-c\0x\ny\0"),
            "UID          PID    PPID  C STIME TTY          TIME CMD\n\
             root          42       7 20 22:05 pts/0    00:01:40 sh -c x?y\n"
        );
    }

    #[test]
    fn names_stand_for_missing_arguments_and_zombies_are_marked() {
        let stat = b"42 (worker) Z 7 42 42 0 42 0 0 0 0 0 0 0 0 0 20 0 1 0 0 0";
        let text = row(7, stat, b"");
        assert!(text.starts_with("7             42       7  0 "), "{text}");
        assert!(
            text.ends_with(" ?        00:00:00 [worker] <defunct>\n"),
            "{text}"
        );
    }

    #[test]
    fn odd_files_are_no_processes() {
        for stat in [&b""[..], b"42 (a", b"42 (a) S", b"42 (a) S x y z"] {
            assert!(Process::parse(42, 0, stat, b"").is_none());
        }
    }

    /// A process names itself as it likes, and its container chooses its arguments.
    #[test]
    fn whatever_the_files_say_a_row_is_one_line() {
        let stat = b"42 (a) b) S 7 42 42 34816 42 0 0 0 0 0 6000 4000 0 0 20 0 1 0 50000 0";
        let arguments = b"sh\0-c\0\x1b[2J\n\xe2\x80\xae\0";
        for (ticks, boot, now) in [(100, NOW, NOW), (1, i64::MAX, 0), (1, i64::MIN, i64::MAX)] {
            let users = users("root:x:0:0::/:/bin/sh\n");
            let guest = Guest {
                ticks,
                boot,
                now,
                users,
            };
            crate::testing::scrambled(&[stat, arguments], |bytes| {
                let mut text = String::new();
                for process in [
                    Process::parse(1, 0, bytes, arguments),
                    Process::parse(1, 0, stat, bytes),
                ] {
                    if let Some(process) = process {
                        process.put_row(&guest, &mut text);
                        assert_eq!(text.pop(), Some('\n'));
                    }
                }
                assert!(!text.contains(|c: char| c.is_control()), "{text:?}");
            });
        }
    }

    #[test]
    fn dates() {
        assert_eq!(date(0), (1970, 0, 1));
        assert_eq!(date(951_782_400), (2000, 1, 29));
        assert_eq!(date(NOW), (2023, 10, 14));
        assert_eq!(start_time(NOW, NOW), "22:13");
        assert_eq!(start_time(NOW - 86_400, NOW), "Nov13");
        assert_eq!(start_time(0, NOW), " 1970");
    }

    #[test]
    fn times_and_terminals() {
        assert_eq!(duration(3_661), "01:01:01");
        assert_eq!(duration(90_061), "1-01:01:01");
        assert_eq!(terminal(136 << 8 | 3), "pts/3");
        assert_eq!(terminal(4 << 8 | 64), "ttyS0");
        assert_eq!(terminal(0), "?");
    }

    #[test]
    fn this_process_is_in_its_table() {
        let own = std::process::id() as i32;
        let text = table(&Guest::read(), &[own, i32::MAX]).unwrap();
        assert_eq!(text.lines().count(), 2);
        assert_eq!(
            text.split_ascii_whitespace().nth(9),
            Some(own.to_string().as_str())
        );
    }
}
