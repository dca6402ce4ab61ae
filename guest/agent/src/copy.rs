// SPDX-License-Identifier: Apache-2.0
//! Files that the host sends in parts. They grow under a name of their own and appear under the
//! wanted one when they are complete. Blocks the thread.

use crate::config::Config;
use crate::paths;
use crate::proto::grpc::CopyFileRequest;
use crate::status::{Result, Status};
use crate::sys;
use nix::fcntl::{openat, renameat, OFlag};
use nix::sys::stat::{fchmod, Mode};
use nix::unistd::{fchown, Gid, Uid};
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::os::unix::io::AsRawFd;

const DEFAULT_DIRECTORY_MODE: u32 = 0o750;
/// The type bits that hosts send are Go's, not the kernel's.
const MODE_BITS: u32 = 0o7777;

/// Takes one part. Parts come in order; the one at offset 0 begins anew, and one that is sent
/// again does no harm.
pub fn receive(config: &Config, request: &CopyFileRequest) -> Result<()> {
    let path = paths::confined("path", &config.root, &request.path)?;
    let part = Part::check(request)?;
    let (directory, name) = match (path.parent(), path.file_name()) {
        (Some(directory), Some(name)) => (directory, name),
        _ => {
            return Err(Status::invalid(format!(
                "path {:?} names no file",
                request.path
            )))
        }
    };
    let mode = match request.dir_mode & MODE_BITS {
        0 => DEFAULT_DIRECTORY_MODE,
        mode => mode,
    };
    let directory = paths::make_dir(&config.root, directory, mode)?;
    part.write(&directory.file, name, &format!("write {}", path.display()))
}

/// One part of a file.
pub struct Part<'a> {
    request: &'a CopyFileRequest,
    offset: u64,
    size: u64,
    uid: u32,
    gid: u32,
}

impl Part<'_> {
    pub fn check(request: &CopyFileRequest) -> Result<Part<'_>> {
        let positive = |name: &str, value: i64| {
            u64::try_from(value).map_err(|_| Status::invalid(format!("{name} is {value}")))
        };
        let part = Part {
            request,
            offset: positive("offset", request.offset)?,
            size: positive("file_size", request.file_size)?,
            uid: positive("uid", request.uid.into())? as u32,
            gid: positive("gid", request.gid.into())? as u32,
        };
        let end = part.offset.checked_add(request.data.len() as u64);
        if end.map_or(true, |end| end > part.size) {
            return Err(Status::invalid(format!(
                "a part of {} bytes at {} exceeds the file's {} bytes",
                request.data.len(),
                part.offset,
                part.size
            )));
        }
        Ok(part)
    }

    /// The last part gives the file its owner, mode and name.
    pub fn write(&self, directory: &impl AsRawFd, name: &OsStr, action: &str) -> Result<()> {
        let mut partial = name.to_os_string();
        partial.push(".tmp");
        let fail = |errno| Status::errno(action, errno);
        let fail_io = |error| Status::io(action, &error);
        let mut flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_NOFOLLOW;
        // A container could have put something else there, which must neither block nor be written.
        flags |= OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let at = directory.as_raw_fd();
        let fd = openat(
            at,
            partial.as_os_str(),
            flags,
            Mode::from_bits_truncate(0o600),
        )
        .map_err(fail)?;
        let file = File::from(sys::owned(fd));
        let status = file.metadata().map_err(fail_io)?;
        if !status.is_file() {
            return Err(Status::precondition(format!(
                "{action}: its partial file is no file, it is in the way"
            )));
        }
        if self.offset == 0 {
            file.set_len(0).map_err(fail_io)?;
        } else if self.offset > status.len() {
            return Err(Status::precondition(format!(
                "{action}: a part at {} does not follow, the file has {} bytes",
                self.offset,
                status.len()
            )));
        }
        file.write_all_at(&self.request.data, self.offset)
            .map_err(fail_io)?;
        if file.metadata().map_err(fail_io)?.len() < self.size {
            return Ok(());
        }
        fchown(
            file.as_raw_fd(),
            Some(Uid::from_raw(self.uid)),
            Some(Gid::from_raw(self.gid)),
        )
        .map_err(fail)?;
        // After the owner, whose change takes the bits for setuid away.
        let mode = Mode::from_bits_truncate(self.request.file_mode & MODE_BITS);
        fchmod(file.as_raw_fd(), mode).map_err(fail)?;
        renameat(Some(at), partial.as_os_str(), Some(at), name).map_err(fail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Code;
    use crate::testing::TempDir;
    use std::fs;
    use std::os::unix::fs::{symlink, MetadataExt, PermissionsExt};

    struct Target {
        root: TempDir,
        config: Config,
        base: CopyFileRequest,
    }

    fn target() -> Target {
        let root = TempDir::new();
        let own = fs::metadata(root.path()).unwrap();
        let base = CopyFileRequest {
            path: root.path().join("a/b/file").to_str().unwrap().into(),
            file_size: 6,
            file_mode: 0o10_0640,
            dir_mode: 0o20_000_000_750,
            uid: own.uid() as i32,
            gid: own.gid() as i32,
            ..Default::default()
        };
        let config = Config {
            root: root.path().to_path_buf(),
            ..Config::guest()
        };
        Target { root, config, base }
    }

    impl Target {
        fn send(&self, offset: i64, data: &'static [u8]) -> Result<()> {
            let mut request = self.base.clone();
            request.offset = offset;
            request.data = data.into();
            receive(&self.config, &request)
        }
    }

    #[test]
    fn a_file_appears_when_it_is_complete() {
        let target = target();
        let file = target.root.path().join("a/b/file");
        target.send(0, b"old").unwrap();
        target.send(0, b"abc").unwrap();
        assert!(!file.exists());
        target.send(1, b"bc").unwrap();
        target.send(3, b"def").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"abcdef");
        assert_eq!(
            fs::metadata(&file).unwrap().permissions().mode() & 0o7777,
            0o640
        );
        let directory = fs::metadata(file.parent().unwrap()).unwrap();
        assert_eq!(directory.permissions().mode() & 0o7777, 0o750);
        assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn an_empty_file_is_complete_at_once() {
        let mut target = target();
        target.base.file_size = 0;
        target.send(0, b"").unwrap();
        assert_eq!(fs::read(target.root.path().join("a/b/file")).unwrap(), b"");
    }

    #[test]
    fn parts_must_fit_and_follow() {
        let target = target();
        for (offset, data) in [(4, &b"abc"[..]), (-1, b""), (i64::MAX, b"x")] {
            let error = target.send(offset, data).unwrap_err();
            assert_eq!(error.code, Code::InvalidArgument);
        }
        target.send(0, b"ab").unwrap();
        let error = target.send(3, b"d").unwrap_err();
        assert_eq!(error.code, Code::FailedPrecondition);
    }

    #[test]
    fn negative_owners_and_foreign_paths_are_refused() {
        let good = target();
        let outside = |path: String| {
            let mut request = good.base.clone();
            request.path = path;
            receive(&good.config, &request).unwrap_err().code
        };
        let root = good.root.path().display();
        for path in [
            "/etc/file".into(),
            format!("{root}/../x"),
            format!("{root}"),
            "x".into(),
        ] {
            assert_eq!(outside(path), Code::InvalidArgument);
        }
        let mut request = good.base.clone();
        request.uid = -1;
        assert_eq!(
            receive(&good.config, &request).unwrap_err().code,
            Code::InvalidArgument
        );
    }

    #[test]
    fn symbolic_links_are_not_followed() {
        let target = target();
        let elsewhere = TempDir::new();
        symlink(elsewhere.path(), target.root.path().join("a")).unwrap();
        target.send(0, b"abcdef").unwrap_err();
        assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
        fs::remove_file(target.root.path().join("a")).unwrap();
        fs::create_dir_all(target.root.path().join("a/b")).unwrap();
        let victim = elsewhere.path().join("victim");
        fs::write(&victim, "x").unwrap();
        symlink(&victim, target.root.path().join("a/b/file.tmp")).unwrap();
        target.send(0, b"abcdef").unwrap_err();
        assert_eq!(fs::read(&victim).unwrap(), b"x");
        // A link at the place of the file itself is replaced.
        fs::remove_file(target.root.path().join("a/b/file.tmp")).unwrap();
        symlink(&victim, target.root.path().join("a/b/file")).unwrap();
        target.send(0, b"abcdef").unwrap();
        assert_eq!(fs::read(&victim).unwrap(), b"x");
        assert_eq!(
            fs::read(target.root.path().join("a/b/file")).unwrap(),
            b"abcdef"
        );
    }
}
