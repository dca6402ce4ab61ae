// SPDX-License-Identifier: Apache-2.0
//! The mounts that the host asks for, counted by mount point: the first user makes the mount, the
//! last one unmounts it and removes what had to be made for it. All functions block the thread.

use crate::config::Config;
use crate::hugepages::Pages;
use crate::mount::{self, Options};
use crate::paths::{self, Directory};
use crate::proto::grpc::Storage;
use crate::status::{Result, Status};
use crate::{hotplug, hugepages, modules, sys};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

pub const DRIVERS: [&str; 9] = [
    "blk",
    "mmioblk",
    "scsi",
    "nvdimm",
    "9p",
    "virtio-fs",
    "overlayfs",
    "ephemeral",
    "local",
];

struct Entry {
    storage: Storage,
    users: usize,
    mounted: bool,
    /// Directories made for the mount, parents first; `trees` may have been filled by a container.
    made: Vec<PathBuf>,
    trees: Vec<PathBuf>,
    huge_pages: Option<Pages>,
}

#[derive(Default)]
pub struct Storages {
    table: Mutex<HashMap<PathBuf, Entry>>,
}

impl Storages {
    /// Returns the mount point, which is to be released once.
    pub fn add(&self, config: &Config, storage: &Storage) -> Result<PathBuf> {
        let describe = |status: Status| {
            status.context(format!(
                "storage {} at {}",
                storage.driver, storage.mount_point
            ))
        };
        self.try_add(config, storage).map_err(describe)
    }

    fn try_add(&self, config: &Config, storage: &Storage) -> Result<PathBuf> {
        let point = paths::confined("mount point", &config.root, &storage.mount_point)?;
        let options = mount::parse(&storage.options)?;
        modules::load_for_driver(&storage.driver);
        modules::load_for_driver(&storage.fstype);
        let source = match storage.driver.as_str() {
            "nvdimm" if storage.source.starts_with("0x") => {
                let device = hotplug::await_pmem(&storage.source, config.hotplug_timeout)?;
                device.to_string_lossy().into_owned()
            }
            "blk" | "mmioblk" | "nvdimm" => {
                let device = hotplug::await_block_device(&storage.source, config.hotplug_timeout)?;
                device.to_string_lossy().into_owned()
            }
            "scsi" => {
                let device = hotplug::await_scsi_disk(&storage.source, config.hotplug_timeout)?;
                device.to_string_lossy().into_owned()
            }
            "9p" | "virtio-fs" | "overlayfs" | "ephemeral" | "local" => storage.source.clone(),
            other => {
                return Err(Status::unimplemented(format!(
                    "storage driver {other:?} is not supported, only {}",
                    DRIVERS.join(", ")
                )))
            }
        };
        let mut table = sys::lock(&self.table);
        if let Some(entry) = table.get_mut(&point) {
            if entry.storage != *storage {
                return Err(Status::precondition(
                    "another storage is mounted at the same mount point",
                ));
            }
            entry.users += 1;
            return Ok(point);
        }
        let entry = make(config, storage, &point, &source, options)?;
        table.insert(point.clone(), entry);
        Ok(point)
    }

    pub fn release(&self, config: &Config, point: &Path) -> Result<()> {
        let mut table = sys::lock(&self.table);
        let last = match table.get_mut(point) {
            None => return Ok(()),
            Some(entry) => {
                entry.users -= 1;
                entry.users == 0
            }
        };
        if !last {
            return Ok(());
        }
        match table.remove(point) {
            Some(entry) => entry.undo(config, point),
            None => Ok(()),
        }
    }

    /// Undoes every mount, whoever uses it.
    pub fn release_all(&self, config: &Config) -> Result<()> {
        let mut entries: Vec<_> = sys::lock(&self.table).drain().collect();
        // A mount below another one has the longer path.
        entries.sort_by_key(|(point, _)| std::cmp::Reverse(point.as_os_str().len()));
        let mut result = Ok(());
        for (point, entry) in entries {
            result = entry.undo(config, &point).and(result);
        }
        result
    }
}

impl Entry {
    fn undo(&self, config: &Config, point: &Path) -> Result<()> {
        if self.mounted {
            mount::unmount(point)?;
        }
        if let Some(pages) = self.huge_pages {
            pages.give_back(Path::new(hugepages::POOLS));
        }
        for tree in &self.trees {
            if let Err(error) = paths::remove_tree(&config.root, tree) {
                warning!("removal of {}: {error}", tree.display());
            }
        }
        for directory in self.made.iter().rev() {
            let _ = std::fs::remove_dir(directory);
        }
        Ok(())
    }
}

fn make(
    config: &Config,
    storage: &Storage,
    point: &Path,
    source: &str,
    options: Options,
) -> Result<Entry> {
    let mut entry = Entry {
        storage: storage.clone(),
        users: 1,
        mounted: false,
        made: Vec::new(),
        trees: Vec::new(),
        huge_pages: None,
    };
    let result = fill(&mut entry, config, point, source, options);
    if let Err(status) = result {
        let _ = entry.undo(config, point);
        return Err(status);
    }
    Ok(entry)
}

fn fill(
    entry: &mut Entry,
    config: &Config,
    point: &Path,
    source: &str,
    mut options: Options,
) -> Result<()> {
    let driver = entry.storage.driver.clone();
    if driver == "local" {
        let mode = take_mode(&mut options)?;
        let target = entry.directory(config, point)?;
        entry.trees.push(point.to_path_buf());
        // mkdir obeys the umask, and another user of the guest may have made the directory.
        return std::fs::set_permissions(target.stable_path(), mode)
            .map_err(|error| Status::io("set the mode", &error));
    }
    if driver == "overlayfs" {
        prepare_overlay(entry, config, &options.data)?;
    }
    let fstype = match (driver.as_str(), entry.storage.fstype.as_str()) {
        ("overlayfs", "" | "overlay") => "overlay",
        ("ephemeral", "" | "tmpfs") => "tmpfs",
        ("ephemeral", "hugetlbfs") => "hugetlbfs",
        ("9p", "" | "9p") => "9p",
        ("virtio-fs", "" | "virtiofs") => "virtiofs",
        ("blk" | "mmioblk" | "scsi" | "nvdimm", name) if !name.is_empty() => name,
        (_, other) => {
            return Err(Status::invalid(format!(
                "file system type {other:?} does not suit the driver"
            )))
        }
    }
    .to_string();
    if fstype == "hugetlbfs" {
        let pages = Pages::parse(&options.data)?;
        pages.reserve(Path::new(hugepages::POOLS))?;
        entry.huge_pages = Some(pages);
    }
    let target = entry.directory(config, point)?;
    mount::perform(source, &target.stable_path(), &fstype, &options)?;
    entry.mounted = true;
    Ok(())
}

impl Entry {
    fn directory(&mut self, config: &Config, path: &Path) -> Result<Directory> {
        let directory = paths::make_dir(&config.root, path, 0o755)?;
        self.made.extend(directory.made.iter().cloned());
        Ok(directory)
    }
}

/// Makes the writable directories, and confines all that the options name.
fn prepare_overlay(entry: &mut Entry, config: &Config, data: &str) -> Result<()> {
    for option in data.split(',') {
        match option.split_once('=') {
            Some(("lowerdir", list)) => {
                for lower in list.split(':') {
                    paths::confined("lowerdir", &config.root, lower)?;
                }
            }
            Some((key @ ("upperdir" | "workdir"), path)) => {
                let path = paths::confined(key, &config.root, path)?;
                let directory = entry.directory(config, &path)?;
                if directory.made.contains(&path) {
                    entry.trees.push(path);
                }
            }
            _ => (),
        }
    }
    Ok(())
}

fn take_mode(options: &mut Options) -> Result<std::fs::Permissions> {
    use std::os::unix::fs::PermissionsExt;
    let mut mode = 0o755;
    for option in options.data.split(',').filter(|text| !text.is_empty()) {
        let text = option.strip_prefix("mode=").unwrap_or("?");
        mode = u32::from_str_radix(text, 8)
            .ok()
            .filter(|mode| *mode <= 0o7777)
            .ok_or_else(|| Status::invalid(format!("option {option:?} is not mode=OCTAL")))?;
    }
    Ok(std::fs::Permissions::from_mode(mode))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Code;
    use crate::testing::TempDir;
    use std::os::unix::fs::PermissionsExt;

    fn config(root: &TempDir) -> Config {
        Config {
            root: root.path().to_path_buf(),
            hotplug_timeout: std::time::Duration::from_millis(1),
            ..Config::guest()
        }
    }

    fn storage(config: &Config, driver: &str, name: &str, options: &[&str]) -> Storage {
        Storage {
            driver: driver.into(),
            source: driver.into(),
            fstype: driver.into(),
            options: options.iter().map(|text| text.to_string()).collect(),
            mount_point: config.root.join(name).to_string_lossy().into_owned(),
            ..Default::default()
        }
    }

    #[test]
    fn a_local_directory_lives_until_its_last_user_is_gone() {
        let root = TempDir::new();
        let config = config(&root);
        let storages = Storages::default();
        let local = storage(&config, "local", "a/b", &["mode=0777"]);
        let point = storages.add(&config, &local).unwrap();
        assert_eq!(storages.add(&config, &local).unwrap(), point);
        let mode = std::fs::metadata(&point).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o777);
        std::fs::write(point.join("file"), "x").unwrap();
        storages.release(&config, &point).unwrap();
        assert!(point.join("file").exists());
        storages.release(&config, &point).unwrap();
        assert!(!root.path().join("a").exists());
        storages.release(&config, &point).unwrap();
    }

    #[test]
    fn one_mount_point_has_one_storage() {
        let root = TempDir::new();
        let config = config(&root);
        let storages = Storages::default();
        storages
            .add(&config, &storage(&config, "local", "a", &[]))
            .unwrap();
        let other = storage(&config, "local", "a", &["mode=0700"]);
        let error = storages.add(&config, &other).unwrap_err();
        assert_eq!(error.code, Code::FailedPrecondition);
        storages.release_all(&config).unwrap();
        assert!(!root.path().join("a").exists());
    }

    #[test]
    fn unusable_storages_are_refused_and_leave_nothing() {
        let root = TempDir::new();
        let config = config(&root);
        let storages = Storages::default();
        let code = |storage: &Storage| storages.add(&config, storage).unwrap_err().code;
        assert_eq!(
            code(&storage(&config, "nfs", "a", &[])),
            Code::Unimplemented
        );
        assert_eq!(
            code(&storage(&config, "local", "../a", &[])),
            Code::InvalidArgument
        );
        assert_eq!(
            code(&storage(&config, "local", "a", &["mode=9"])),
            Code::InvalidArgument
        );
        let overlay = storage(
            &config,
            "overlayfs",
            "a",
            &["lowerdir=/etc,upperdir=/tmp/u"],
        );
        assert_eq!(code(&overlay), Code::InvalidArgument);
        let mut disk = storage(&config, "blk", "a", &[]);
        disk.source = "/dev/no-such-disk".into();
        assert_eq!(code(&disk), Code::DeadlineExceeded);
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 0);
    }
}
