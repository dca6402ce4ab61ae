// SPDX-License-Identifier: Apache-2.0
//! Paths that the host sends, confined to the agent's directory, and directories that a container
//! may have written to, handled without following its symbolic links and without recursion.

use crate::status::{Result, Status};
use crate::sys;
use nix::fcntl::{openat, OFlag};
use nix::sys::stat::{mkdirat, Mode};
use std::ffi::OsStr;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::io::{AsRawFd, OwnedFd};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// A path strictly below `root`, with no `.`, `..` or empty component.
pub fn confined(what: &str, root: &Path, path: &str) -> Result<PathBuf> {
    let clean = is_plain(path);
    let path = Path::new(path);
    match path.strip_prefix(root) {
        Ok(rest) if clean && rest.components().next().is_some() => Ok(path.to_path_buf()),
        _ => Err(Status::invalid(format!(
            "{what} {path:?} must be a plain absolute path below {}",
            root.display()
        ))),
    }
}

/// Absolute and already normalised.
pub fn is_plain(path: &str) -> bool {
    let plain = Path::new(path)
        .components()
        .all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    path.starts_with('/')
        && plain
        && !path.contains('\0')
        && !path.contains("//")
        && !path.contains("/./")
        && !path.ends_with("/.")
}

/// A directory that exists now, held open, and the part of it that had to be made.
pub struct Directory {
    pub file: OwnedFd,
    pub made: Vec<PathBuf>,
}

impl Directory {
    /// A name of the directory that no rename or link can redirect.
    pub fn stable_path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.file.as_raw_fd()))
    }

    pub fn remove_made(&self) {
        for path in self.made.iter().rev() {
            let _ = fs::remove_dir(path);
        }
    }
}

/// Makes `path`, which is below the trusted directory `root`, and refuses symbolic links in it.
pub fn make_dir(root: &Path, path: &Path, mode: u32) -> Result<Directory> {
    let fail = |action: &str, at: &Path, errno| {
        Status::errno(format!("{action} directory {}", at.display()), errno)
    };
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let rest = path
        .strip_prefix(root)
        .map_err(|_| Status::internal(format!("{path:?} is not below {root:?}")))?;
    let file = openat(libc::AT_FDCWD, root, flags, Mode::empty())
        .map_err(|errno| fail("open", root, errno))?;
    let mut directory = Directory {
        file: sys::owned(file),
        made: Vec::new(),
    };
    let mut at = root.to_path_buf();
    for name in rest {
        at.push(name);
        let step = || -> nix::Result<(bool, OwnedFd)> {
            let parent = directory.file.as_raw_fd();
            let made = match mkdirat(parent, name, Mode::from_bits_truncate(mode)) {
                Ok(()) => true,
                Err(nix::errno::Errno::EEXIST) => false,
                Err(errno) => return Err(errno),
            };
            Ok((
                made,
                sys::owned(openat(parent, name, flags, Mode::empty())?),
            ))
        };
        match step() {
            Ok((made, file)) => {
                directory.file = file;
                if made {
                    directory.made.push(at.clone());
                }
            }
            Err(errno) => {
                directory.remove_made();
                return Err(fail("make", &at, errno));
            }
        }
    }
    Ok(directory)
}

pub fn make_private_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Removes whatever is at `path`, which must be on the file system of `root`.
///
/// A container may have nested its directories deeper than any stack, so each directory is first
/// moved up into a private one, where only its own entries count.
pub fn remove_tree(root: &Path, path: &Path) -> io::Result<()> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let trash = root.join(".trash");
    make_private_dir(&trash)?;
    let discard = |from: &Path| -> io::Result<PathBuf> {
        let to = trash.join(NEXT.fetch_add(1, Ordering::Relaxed).to_string());
        fs::rename(from, &to).map(|()| to)
    };
    let mut queue = match discard(path) {
        Ok(moved) => vec![moved],
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    while let Some(entry) = queue.pop() {
        if !fs::symlink_metadata(&entry)?.is_dir() {
            fs::remove_file(&entry)?;
            continue;
        }
        for child in fs::read_dir(&entry)? {
            let child = child?.path();
            if fs::symlink_metadata(&child)?.is_dir() {
                queue.push(discard(&child)?);
            } else {
                fs::remove_file(&child)?;
            }
        }
        fs::remove_dir(&entry)?;
    }
    Ok(())
}

/// The last component, for names in messages.
pub fn file_name(path: &Path) -> &OsStr {
    path.file_name().unwrap_or(path.as_os_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TempDir;
    use std::os::unix::fs::symlink;

    #[test]
    fn only_plain_paths_below_the_root_pass() {
        let root = Path::new("/run/kata-containers");
        assert!(confined("p", root, "/run/kata-containers/a/b").is_ok());
        for bad in [
            "",
            "/",
            "/run/kata-containers",
            "/run/kata-containers/",
            "/run/kata-containers/../x",
            "/run/kata-containers/a/..",
            "/run/kata-containers/./a",
            "/run/kata-containers//a",
            "/run/kata-containersx/a",
            "run/kata-containers/a",
            "/run/kata-containers/a\0",
        ] {
            assert!(confined("p", root, bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn directories_are_made_and_unmade() {
        let temp = TempDir::new();
        fs::create_dir(temp.path().join("a")).unwrap();
        let directory = make_dir(temp.path(), &temp.path().join("a/b/c"), 0o755).unwrap();
        assert_eq!(directory.made.len(), 2);
        assert!(temp.path().join("a/b/c").is_dir());
        directory.remove_made();
        assert!(!temp.path().join("a/b").exists());
        assert!(temp.path().join("a").exists());
    }

    #[test]
    fn symbolic_links_are_not_followed() {
        let temp = TempDir::new();
        let outside = TempDir::new();
        symlink(outside.path(), temp.path().join("link")).unwrap();
        assert!(make_dir(temp.path(), &temp.path().join("link/x"), 0o755).is_err());
        assert!(!outside.path().join("x").exists());
    }

    #[test]
    fn removal_spares_the_targets_of_links_and_survives_deep_trees() {
        let temp = TempDir::new();
        let outside = TempDir::new();
        fs::write(outside.path().join("keep"), "x").unwrap();
        let tree = temp.path().join("tree");
        fs::create_dir(&tree).unwrap();
        symlink(outside.path(), tree.join("link")).unwrap();
        fs::write(tree.join("file"), "x").unwrap();
        // Far deeper than PATH_MAX allows a single path to name.
        let mut deep = make_dir(temp.path(), &tree, 0o755).unwrap().file;
        for _ in 0..5000 {
            mkdirat(deep.as_raw_fd(), "d", Mode::from_bits_truncate(0o700)).unwrap();
            let flags = OFlag::O_PATH | OFlag::O_DIRECTORY;
            deep = sys::owned(openat(deep.as_raw_fd(), "d", flags, Mode::empty()).unwrap());
        }
        remove_tree(temp.path(), &tree).unwrap();
        assert!(!tree.exists());
        assert!(outside.path().join("keep").exists());
        assert_eq!(fs::read_dir(temp.path().join(".trash")).unwrap().count(), 0);
        remove_tree(temp.path(), &tree).unwrap();
    }
}
