// SPDX-License-Identifier: Apache-2.0
//! Files as a container sees them, for the agent. No path leads out of the container's root, and
//! nothing is opened before it is known to be what was asked for.

use crate::reaper::Exit;
use crate::sys;
use nix::errno::Errno;
use std::ffi::{CStr, CString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::os::unix::io::{AsRawFd, OwnedFd};

const MAX_PASSWD: u64 = 1 << 20;
/// The device number of `ptmx` (linux/major.h).
const PTMX: (u32, u32) = (5, 2);

/// The root directory of a container.
pub struct Root(File);

impl Root {
    /// That of the container's first process, which must not have ended.
    pub fn of(pid: i32, exit: &Exit) -> io::Result<Root> {
        let root = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_PATH | libc::O_DIRECTORY)
            .open(format!("/proc/{pid}/root"))?;
        // As long as it is not reaped nobody else has its number.
        match exit.status() {
            None => Ok(Root(root)),
            Some(_) => Err(Errno::ESRCH.into()),
        }
    }

    /// The home directory of a user; `/` if the container does not know one.
    pub fn home(&self, uid: u32) -> String {
        let text = self.passwd().unwrap_or_default();
        home(&text, uid).unwrap_or("/").to_string()
    }

    fn passwd(&self) -> io::Result<String> {
        const PASSWD: &[u8] = b"etc/passwd\0";
        let (path, kind) = self.find(PASSWD)?;
        if !kind.is_file() {
            return Err(Errno::EINVAL.into());
        }
        let mut text = Vec::new();
        let file = reopen(&path, libc::O_RDONLY)?;
        file.take(MAX_PASSWD).read_to_end(&mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// A new terminal of the container, as (the agent's side, the process's side).
    pub fn terminal(&self) -> io::Result<(OwnedFd, OwnedFd)> {
        const PATH: &[u8] = b"dev/ptmx\0";
        let (path, kind) = self.find(PATH)?;
        let metadata = path.metadata()?;
        let device = (
            nix::sys::stat::major(metadata.rdev()) as u32,
            nix::sys::stat::minor(metadata.rdev()) as u32,
        );
        if !kind.is_char_device() || device != PTMX {
            return Err(Errno::ENODEV.into());
        }
        let master = OwnedFd::from(reopen(&path, libc::O_RDWR | libc::O_NOCTTY)?);
        let process = sys::terminal_peer(&master)?;
        Ok((master, process))
    }

    /// A regular file of the container, for reading.
    pub fn open(&self, path: &str) -> io::Result<File> {
        let (path, kind) = self.find_text(path)?;
        if kind.is_dir() {
            return Err(Errno::EISDIR.into());
        }
        if !kind.is_file() {
            return Err(Errno::EINVAL.into());
        }
        reopen(&path, libc::O_RDONLY | libc::O_NONBLOCK)
    }

    /// A directory of the container, to make files in.
    pub fn directory(&self, path: &str) -> io::Result<File> {
        let path = if path.is_empty() { "/" } else { path };
        let (directory, kind) = self.find_text(path)?;
        if !kind.is_dir() {
            return Err(Errno::ENOTDIR.into());
        }
        Ok(directory)
    }

    fn find_text(&self, path: &str) -> io::Result<(File, fs::FileType)> {
        let path = CString::new(path).map_err(|_| Errno::EINVAL)?;
        self.find(path.as_bytes_with_nul())
    }

    fn find(&self, path: &[u8]) -> io::Result<(File, fs::FileType)> {
        let path = CStr::from_bytes_with_nul(path).map_err(|_| Errno::EINVAL)?;
        let file = File::from(sys::open_in_root(self.0.as_raw_fd(), path)?);
        let kind = file.metadata()?.file_type();
        Ok((file, kind))
    }
}

/// Opens in earnest what is so far only known.
fn reopen(path: &File, flags: i32) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(flags & libc::O_ACCMODE == libc::O_RDWR)
        .custom_flags(flags & !libc::O_ACCMODE)
        .open(format!("/proc/self/fd/{}", path.as_raw_fd()))
}

/// The sixth field of the user's line (passwd(5)).
fn home(passwd: &str, uid: u32) -> Option<&str> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':').skip(2);
        let found = fields.next()?.parse() == Ok(uid);
        let home = fields.nth(2)?;
        (found && !home.is_empty() && !home.contains('\0')).then_some(home)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_home_directory_is_that_of_the_first_line_of_the_user() {
        let passwd =
            "root:x:0:0:root:/root:/bin/sh\nbad\nx:y\na:x:7:7::/a:\nb:x:7:7::/b:\nc:x:8:8:::\n";
        assert_eq!(home(passwd, 0), Some("/root"));
        assert_eq!(home(passwd, 7), Some("/a"));
        assert_eq!(home(passwd, 8), None);
        assert_eq!(home(passwd, 9), None);
        assert_eq!(home("", 0), None);
    }
}
