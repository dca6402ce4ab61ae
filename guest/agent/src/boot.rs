// SPDX-License-Identifier: Apache-2.0
//! From exec to serving. As PID 1 the agent first does only what the channel needs; the rest of
//! the guest is set up in a thread while the first calls are answered, and CreateSandbox waits
//! for that thread.

use crate::config::Config;
use crate::sandbox::{Agent, BootResult};
use crate::status::{Result, Status};
use crate::uevent::Uevents;
use crate::{image, log, modules, online, paths, pidns, port, ports, sys, vsock};
use nix::mount::{mount, MsFlags};
use nix::sys::reboot::{reboot, RebootMode};
use std::fs::{self, OpenOptions};
use std::os::unix::io::{AsRawFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// ACPI's device for all nvdimms, which a machine with room for them has.
const NVDIMM_ROOT: &str = "/sys/bus/acpi/devices/ACPI0012:00";

const PORT_LIMIT: Duration = Duration::from_secs(10);
/// By ACPI: a virtio device without PCI, and the device that tells the host of a panic.
const VIRTIO_MMIO: &str = "/sys/bus/acpi/devices/LNRO0005:00";
const PVPANIC: &str = "/sys/bus/acpi/devices/QEMU0001:00";

/// Of the virtio specification: an entropy device.
const RNG_ID: &str = "0x0004";
/// A balloon, and memory that grows and shrinks.
const BALLOON_ID: &str = "0x0005";
const MEMORY_ID: &str = "0x0018";

const MAX_FILES: u64 = 65_536;
const MAX_BLOCKING_THREADS: usize = 16;

pub fn main() {
    if std::env::args_os()
        .next()
        .map_or(false, |name| name == pidns::NAME)
    {
        pidns::hold();
    }
    if std::process::id() != 1 {
        eprintln!(
            "virtcontainers-agent is the init process of a sandbox VM and runs as PID 1 only"
        );
        std::process::exit(2);
    }
    std::panic::set_hook(Box::new(|panic| power_off(&format!("panic: {panic}"))));
    let cause = match run() {
        Ok(never) => match never {},
        Err(status) => status.message,
    };
    power_off(&cause);
}

/// An init that exits makes the kernel panic, and the panic hides the cause.
fn power_off(cause: &str) {
    log::write(log::Level::Error, &format!("fatal: {cause}"));
    nix::unistd::sync();
    let _ = reboot(RebootMode::RB_POWER_OFF);
    loop {
        std::thread::park();
    }
}

fn run() -> Result<std::convert::Infallible> {
    sys::reset_environment();
    // Also for the children that enter containers: they are copies of us until they execute a program.
    sys::hide_process();
    let initramfs = image::in_initramfs();
    if initramfs {
        leave_rootfs()?;
    }
    mount_first()?;
    open_console();
    raise_file_limit();
    let mut config = Config::guest();
    let line = fs::read_to_string("/proc/cmdline").unwrap_or_default();
    config.apply_command_line(&line);
    log::set_level(config.log);
    let events = Uevents::open().map_err(|error| Status::io("open the uevent socket", &error))?;
    modules::load_list(modules::BOOT)?;
    if Path::new(VIRTIO_MMIO).exists() {
        modules::load_list(modules::MMIO)?;
    }
    if let Some(root) = image::Root::of(&line).filter(|_| initramfs) {
        return image::enter(&root, &events);
    }
    let listener = listen(config.vsock);
    if listener.is_none() || !vsock::is_present(Path::new(vsock::DEVICES)) {
        await_port(&events)?;
    }

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .max_blocking_threads(MAX_BLOCKING_THREADS)
        .build()
        .map_err(|error| Status::io("start the event loop", &error))?;
    let (sender, receiver) = watch::channel(None);
    start_later(config.clone(), sender)?;
    let agent = Agent::new(config, receiver).map_err(|error| Status::io("start", &error))?;
    runtime.block_on(ports::serve(Arc::new(agent), events, listener))
}

/// pivot_root needs a root that is mounted on something, which the initial root is not. A bind
/// mount of it, moved over it, is; nothing is copied.
fn leave_rootfs() -> Result<()> {
    const NEW_ROOT: &str = "/.newroot";
    let step = |action: &str, result: nix::Result<()>| {
        result.map_err(|errno| Status::errno(format!("new root: {action}"), errno))
    };
    fs::create_dir_all(NEW_ROOT).map_err(|error| Status::io("new root", &error))?;
    let none = None::<&str>;
    step(
        "bind",
        mount(Some("/"), NEW_ROOT, none, MsFlags::MS_BIND, none),
    )?;
    // What this program was executed from can be written by nobody: a container in which a script
    // names /proc/self/exe as its interpreter gets hold of it.
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
    step("protect", mount(none, "/", none, flags, none))?;
    step("chdir", nix::unistd::chdir(NEW_ROOT))?;
    step("move", mount(Some("."), "/", none, MsFlags::MS_MOVE, none))?;
    step("chroot", nix::unistd::chroot("."))?;
    step("chdir /", nix::unistd::chdir("/"))
}

const STRICT: MsFlags = MsFlags::MS_NOSUID
    .union(MsFlags::MS_NODEV)
    .union(MsFlags::MS_NOEXEC);

fn mount_first() -> Result<()> {
    mount_at("devtmpfs", "/dev", MsFlags::MS_NOSUID, "mode=0755")?;
    mount_at("proc", "/proc", STRICT, "")?;
    mount_at("sysfs", "/sys", STRICT, "")
}

fn mount_at(fstype: &str, target: &str, flags: MsFlags, data: &str) -> Result<()> {
    fs::create_dir_all(target).map_err(|error| Status::io(format!("make {target}"), &error))?;
    match mount(Some(fstype), target, Some(fstype), flags, Some(data)) {
        // The kernel may have mounted devtmpfs itself.
        Ok(()) | Err(nix::errno::Errno::EBUSY) => Ok(()),
        Err(errno) => Err(Status::errno(format!("mount {target}"), errno)),
    }
}

/// Each process of a container takes up to three descriptors. Containers get limits of their own.
fn raise_file_limit() {
    use nix::sys::resource::{setrlimit, Resource};
    if let Err(errno) = setrlimit(Resource::RLIMIT_NOFILE, MAX_FILES, MAX_FILES) {
        warning!("limit of open files: {errno}");
    }
}

/// The kernel gives init no console when the initramfs has no such node.
fn open_console() {
    if let Ok(console) = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/console")
    {
        for fd in 0..3 {
            let _ = nix::unistd::dup2(console.as_raw_fd(), fd);
        }
    }
}

/// The socket on vsock, unless the guest has none or is to have none. A failure leaves the ports.
fn listen(wanted: Option<bool>) -> Option<OwnedFd> {
    if !wanted.unwrap_or_else(|| vsock::is_present(Path::new(vsock::DEVICES))) {
        return None;
    }
    let listener = modules::load_list(modules::VSOCK)
        .and_then(|()| vsock::listen().map_err(|error| Status::io("listen", &error)));
    if let Err(error) = &listener {
        error!("vsock: {error}");
    }
    listener.ok()
}

fn await_port(events: &Uevents) -> Result<()> {
    let look = || (!port::find(Path::new(port::CLASS)).is_empty()).then_some(());
    events.wait_for(PORT_LIMIT, look).ok_or_else(|| {
        Status::deadline(format!(
            "there is no vsock, and no virtio-serial port named {}0 appeared within {PORT_LIMIT:?}",
            port::NAME
        ))
    })
}

fn start_later(config: Config, sender: watch::Sender<BootResult>) -> Result<()> {
    std::thread::Builder::new()
        .name("boot".into())
        .spawn(move || {
            let result = later(&config).map_err(|status| status.message);
            if let Err(text) = &result {
                error!("boot: {text}");
            }
            sender.send_replace(Some(result));
        })
        .map(drop)
        .map_err(|error| Status::io("start a thread", &error))
}

fn later(config: &Config) -> Result<()> {
    let safe = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount_at(
        "devpts",
        "/dev/pts",
        MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC,
        "mode=0620,gid=5,ptmxmode=0666",
    )?;
    mount_at("tmpfs", "/dev/shm", STRICT, "mode=1777")?;
    mount_at("tmpfs", "/run", safe, "mode=0755")?;
    mount_at("tmpfs", "/tmp", safe, "mode=1777")?;
    mount_at("cgroup2", "/sys/fs/cgroup", STRICT, "")?;
    for path in [&config.root, &config.private] {
        paths::make_private_dir(path).map_err(|error| Status::io("make a directory", &error))?;
    }
    // Writable layers lie here: their own limit keeps /run usable for the agent and the runtime.
    let root = config.root.to_string_lossy();
    mount_at("tmpfs", &root, MsFlags::empty(), "mode=0700")?;
    enable_controllers();
    online::memory_automatically();
    if let Err(error) = sys::loopback_up() {
        warning!("loopback interface: {error}");
    }
    if let Err(errno) = nix::unistd::sethostname("localhost") {
        warning!("hostname: {errno}");
    }
    if vsock::has_virtio(Path::new(vsock::DEVICES), RNG_ID) {
        modules::load_list(modules::RNG)?;
    }
    if vsock::has_virtio(Path::new(vsock::DEVICES), BALLOON_ID) {
        modules::load_list(modules::BALLOON)?;
    }
    if vsock::has_virtio(Path::new(vsock::DEVICES), MEMORY_ID) {
        modules::load_list(modules::MEMORY)?;
    }
    if Path::new(NVDIMM_ROOT).exists() {
        // Before one is plugged in: the firmware tells that once.
        modules::load_list(modules::NVDIMM)?;
    }
    if Path::new(PVPANIC).exists() {
        modules::load_list(modules::PVPANIC)?;
    }
    modules::load_list(modules::LATER)
}

/// One by one, because one refused controller would refuse them all.
fn enable_controllers() {
    let root = Path::new("/sys/fs/cgroup");
    let list = fs::read_to_string(root.join("cgroup.controllers")).unwrap_or_default();
    for name in list.split_ascii_whitespace() {
        if let Err(error) = fs::write(root.join("cgroup.subtree_control"), format!("+{name}")) {
            debug!("cgroup controller {name}: {error}");
        }
    }
}
