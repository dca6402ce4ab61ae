// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime.config;

import io.virtcontainers.runtime.config.ValueType.Choice;
import io.virtcontainers.runtime.config.ValueType.Count;
import io.virtcontainers.runtime.config.ValueType.File;
import io.virtcontainers.runtime.config.ValueType.Item;
import io.virtcontainers.runtime.config.ValueType.Strings;
import io.virtcontainers.runtime.config.ValueType.Target;
import io.virtcontainers.runtime.config.ValueType.Truth;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** All options, in the order of the file. Names, tables and meanings are those of Kata Containers 1.x. */
public final class Options {
    static final String QEMU = "hypervisor.qemu";
    static final String FACTORY = "factory";
    static final String PROXY = "proxy.kata";
    static final String SHIM = "shim.kata";
    static final String AGENT = "agent.kata";
    static final String NETMON = "netmon";
    static final String RUNTIME = "runtime";

    private static final String NO_VFIO = "kata-runtime passes no devices of the host through";
    private static final String NO_VHOST_USER = "kata-runtime gives containers no vhost-user devices";
    private static final String NO_PROXY = "there is no proxy: the runtime speaks to the agent itself";
    private static final String NO_NETMON =
            "there is no network monitor: the guest has the network that it starts with";
    private static final String NO_TRACING = "OpenTracing is not there; sandboxes have timelines and JFR events";

    private static final Truth TRUTH = new Truth();
    private static final File PROGRAM = new File(Target.PROGRAM);
    private static final File FILE = new File(Target.FILE);
    private static final File ANY_FILE = new File(Target.ANYTHING);
    private static final Strings PATHS = new Strings(Item.PATH, "", " ");
    private static final Optional<Path> NONE = Optional.empty();
    private static final int MANY = 1 << 30;

    private static final List<ConfigOption<?>> ALL = new ArrayList<>();

    public static final ConfigOption<Optional<Path>> PATH = add(
            ConfigOption.of(QEMU, "path", PROGRAM, NONE, "The program QEMU. Empty: qemu-system-<architecture> of PATH.")
                    .kataDefault("\"/usr/bin/qemu-system-x86_64\"")
                    .annotation("hypervisor")
                    .onlyPathsOf("valid_hypervisor_paths")
                    .env("Hypervisor.Path"));
    public static final ConfigOption<List<String>> VALID_HYPERVISOR_PATHS = add(ConfigOption.of(
            QEMU, "valid_hypervisor_paths", PATHS, List.of(), "Globs of what the annotation path may be."));
    public static final ConfigOption<Optional<Path>> KERNEL = add(ConfigOption.of(
                    QEMU,
                    "kernel",
                    FILE,
                    NONE,
                    "The guest's kernel, a bzImage or vmlinux, with its modules in lib/modules/<version> beside its"
                            + " directory or in /lib/modules. Empty: VIRTCONTAINERS_KERNEL, else one that is found.")
            .kataDefault("\"/usr/share/kata-containers/vmlinuz.container\"")
            .annotation("hypervisor")
            .env("Kernel.Path"));
    public static final ConfigOption<Optional<Path>> INITRD = add(ConfigOption.of(
                    QEMU,
                    "initrd",
                    FILE,
                    NONE,
                    "An initramfs with the agent as /init. Empty, and no image: the built-in agent.")
            .kataDefault("\"/usr/share/kata-containers/kata-containers-initrd.img\"")
            .annotation("hypervisor")
            .env("Initrd.Path"));
    public static final ConfigOption<Optional<Path>> IMAGE = add(ConfigOption.of(
                    QEMU, "image", FILE, NONE, "A disk image with the agent as /sbin/init; not together with initrd.")
            .kataDefault("\"/usr/share/kata-containers/kata-containers.img\"")
            .annotation("hypervisor")
            .env("Image.Path"));
    public static final ConfigOption<String> MACHINE_TYPE = add(ConfigOption.of(
                    QEMU,
                    "machine_type",
                    new Choice(List.of("q35", "pc", "microvm", "virt"), List.of("pc-lite")),
                    "q35",
                    "The machine that QEMU emulates. microvm boots fastest and takes no disks, so no containers; virt is"
                            + " for arm64.")
            .kataDefault("\"pc\"")
            .annotation("hypervisor")
            .env("Hypervisor.MachineType"));
    public static final ConfigOption<List<String>> ENABLE_ANNOTATIONS = add(ConfigOption.of(
                    QEMU,
                    "enable_annotations",
                    new Strings(Item.EXPRESSION, "", " "),
                    List.of(),
                    "Regular expressions of the annotations that are honoured, each of the whole name after"
                            + " io.katacontainers.config.<group>. Any other makes the creation fail. Who may set"
                            + " annotations is often less trusted than who writes this file.")
            .kataDefault("[\".*\"]"));
    public static final ConfigOption<List<String>> KERNEL_PARAMS = add(ConfigOption.of(
                    QEMU,
                    "kernel_params",
                    new Strings(Item.PARAMETER, " ", " "),
                    List.of(),
                    "Parameters at the end of the kernel's command line, with blanks between them.")
            .annotation("hypervisor")
            .env("Kernel.Parameters"));
    public static final ConfigOption<Optional<Path>> FIRMWARE = add(
            ConfigOption.of(QEMU, "firmware", FILE, NONE, "A firmware image (-bios). Empty: qboot where QEMU has it.")
                    .annotation("hypervisor"));
    public static final ConfigOption<List<String>> PFLASHES = add(ConfigOption.of(
            QEMU, "pflashes", PATHS, List.of(), "Images of flash memory, at most two, in place of a firmware."));
    public static final ConfigOption<List<String>> MACHINE_ACCELERATORS = add(ConfigOption.of(
                    QEMU,
                    "machine_accelerators",
                    new Strings(Item.WORD, ",", ","),
                    List.of(),
                    "Options of QEMU's -machine, with commas between them, such as nosmm.")
            .annotation("hypervisor"));
    public static final ConfigOption<List<String>> CPU_FEATURES = add(ConfigOption.of(
                    QEMU,
                    "cpu_features",
                    new Strings(Item.WORD, ",", ","),
                    List.of(),
                    "Options of QEMU's -cpu, with commas between them, such as pmu=off.")
            .kataDefault("\"pmu=off\"")
            .annotation("hypervisor"));
    public static final ConfigOption<Integer> DEFAULT_VCPUS = add(ConfigOption.of(
                    QEMU,
                    "default_vcpus",
                    new Count(-1, 240, ""),
                    1,
                    "Virtual processors at the start; -1, or more than the host has: as many as the host has.")
            .zeroIsDefault()
            .annotation("hypervisor"));
    public static final ConfigOption<Integer> DEFAULT_MAXVCPUS = add(ConfigOption.of(
                    QEMU,
                    "default_maxvcpus",
                    new Count(0, 240, ""),
                    0,
                    "Virtual processors that there can be after plugging; 0, or more than the host has: as many as the"
                            + " host has.")
            .annotation("hypervisor", "default_max_vcpus"));
    public static final ConfigOption<Integer> DEFAULT_BRIDGES =
            add(ConfigOption.of(QEMU, "default_bridges", new Count(1, 5, ""), 1, "PCI bridges, to plug devices into.")
                    .zeroIsDefault());
    public static final ConfigOption<Integer> DEFAULT_MEMORY = add(ConfigOption.of(
                    QEMU,
                    "default_memory",
                    new Count(64, MANY, " of MiB"),
                    2048,
                    "The guest's memory at the start, in MiB; more than the initrd or image.")
            .annotation("hypervisor"));
    public static final ConfigOption<Integer> MEMORY_SLOTS = add(
            ConfigOption.of(QEMU, "memory_slots", new Count(1, 256, ""), 10, "How many times memory can be plugged in.")
                    .zeroIsDefault()
                    .annotation("hypervisor")
                    .env("Hypervisor.MemorySlots"));
    public static final ConfigOption<Integer> MEMORY_OFFSET = add(ConfigOption.of(
                    QEMU, "memory_offset", new Count(0, MANY, " of MiB"), 0, "MiB more of address space for nvdimm.")
            .meaningless("room for nvdimm is reckoned from the size of the image")
            .annotation("hypervisor"));
    public static final ConfigOption<Boolean> ENABLE_VIRTIO_MEM = add(
            ConfigOption.of(QEMU, "enable_virtio_mem", TRUTH, false, "Plug memory by virtio-mem instead of modules.")
                    .annotation("hypervisor"));
    public static final ConfigOption<Boolean> DISABLE_BLOCK_DEVICE_USE = add(ConfigOption.of(
                    QEMU,
                    "disable_block_device_use",
                    TRUTH,
                    false,
                    "Give containers no disks of the host, but files over shared_fs.")
            .notYet("root file systems are disks")
            .annotation("hypervisor"));
    public static final ConfigOption<String> SHARED_FS = add(ConfigOption.of(
                    QEMU,
                    "shared_fs",
                    new Choice(List.of("auto", "virtio-fs", "virtio-9p", "none"), List.of()),
                    "auto",
                    "How directories of the host are shared. virtio-fs: live, needs root and virtiofsd. virtio-9p:"
                            + " live, by QEMU itself, needs root and a kernel with 9p. none: as copies."
                            + " auto: virtio-fs if the runtime is root, else none.")
            .kataDefault("\"virtio-9p\"")
            .annotation("hypervisor")
            .env("Hypervisor.SharedFS"));
    public static final ConfigOption<Optional<Path>> VIRTIO_FS_DAEMON = add(ConfigOption.of(
                    QEMU, "virtio_fs_daemon", PROGRAM, NONE, "The program virtiofsd. Empty: found where QEMU has it.")
            .kataDefault("\"/usr/bin/virtiofsd\"")
            .annotation("hypervisor")
            .onlyPathsOf("valid_virtio_fs_daemon_paths")
            .env("Hypervisor.VirtioFSDaemon"));
    public static final ConfigOption<List<String>> VALID_VIRTIO_FS_DAEMON_PATHS = add(ConfigOption.of(
            QEMU,
            "valid_virtio_fs_daemon_paths",
            PATHS,
            List.of(),
            "Globs of what the annotation virtio_fs_daemon may be."));
    public static final ConfigOption<Integer> VIRTIO_FS_CACHE_SIZE = add(ConfigOption.of(
                    QEMU,
                    "virtio_fs_cache_size",
                    new Count(0, MANY, " of MiB"),
                    0,
                    "The DAX window of virtio-fs, in MiB.")
            .notYet("virtio-fs has no DAX window")
            .annotation("hypervisor"));
    public static final ConfigOption<List<String>> VIRTIO_FS_EXTRA_ARGS = add(ConfigOption.of(
                    QEMU,
                    "virtio_fs_extra_args",
                    new Strings(Item.ARGUMENT, "", ","),
                    List.of(),
                    "Further arguments of virtiofsd.")
            .annotation("hypervisor"));
    public static final ConfigOption<String> VIRTIO_FS_CACHE = add(ConfigOption.of(
                    QEMU,
                    "virtio_fs_cache",
                    new Choice(List.of("none", "auto", "always"), List.of()),
                    "auto",
                    "What virtiofsd lets the guest cache.")
            .annotation("hypervisor"));
    public static final ConfigOption<String> BLOCK_DEVICE_DRIVER = add(ConfigOption.of(
                    QEMU,
                    "block_device_driver",
                    new Choice(
                            List.of("virtio-blk", "virtio-scsi"), List.of("virtio-mmio", "virtio-blk-ccw", "nvdimm")),
                    "virtio-blk",
                    "How a disk is plugged into the guest.")
            .kataDefault("\"virtio-scsi\"")
            .annotation("hypervisor")
            .env("Hypervisor.BlockDeviceDriver"));
    public static final ConfigOption<Boolean> BLOCK_DEVICE_CACHE_SET = add(ConfigOption.of(
                    QEMU, "block_device_cache_set", TRUTH, false, "Give QEMU the two cache options that follow.")
            .annotation("hypervisor"));
    public static final ConfigOption<Boolean> BLOCK_DEVICE_CACHE_DIRECT = add(ConfigOption.of(
                    QEMU, "block_device_cache_direct", TRUTH, false, "Pass the host's page cache by (cache.direct).")
            .annotation("hypervisor"));
    public static final ConfigOption<Boolean> BLOCK_DEVICE_CACHE_NOFLUSH = add(ConfigOption.of(
                    QEMU, "block_device_cache_noflush", TRUTH, false, "Ignore the guest's flushes (cache.no-flush).")
            .annotation("hypervisor"));
    public static final ConfigOption<Boolean> ENABLE_IOTHREADS =
            add(ConfigOption.of(QEMU, "enable_iothreads", TRUTH, false, "Give disks a thread of their own on the host.")
                    .annotation("hypervisor"));
    public static final ConfigOption<Boolean> ENABLE_MEM_PREALLOC = add(
            ConfigOption.of(QEMU, "enable_mem_prealloc", TRUTH, false, "Take all memory from the host at the start.")
                    .annotation("hypervisor"));
    public static final ConfigOption<Boolean> ENABLE_HUGEPAGES =
            add(ConfigOption.of(QEMU, "enable_hugepages", TRUTH, false, "Take the memory from the host's huge pages.")
                    .annotation("hypervisor"));
    public static final ConfigOption<Boolean> ENABLE_VHOST_USER_STORE = add(ConfigOption.of(
                    QEMU, "enable_vhost_user_store", TRUTH, false, "Use vhost-user devices of vhost_user_store_path.")
            .notYet(NO_VHOST_USER)
            .annotation("hypervisor"));
    public static final ConfigOption<Optional<Path>> VHOST_USER_STORE_PATH = add(ConfigOption.of(
                    QEMU,
                    "vhost_user_store_path",
                    ANY_FILE,
                    Optional.of(Path.of("/var/run/kata-containers/vhost-user")),
                    "Where vhost-user devices are.")
            .notYet(NO_VHOST_USER)
            .annotation("hypervisor")
            .onlyPathsOf("valid_vhost_user_store_paths"));
    public static final ConfigOption<List<String>> VALID_VHOST_USER_STORE_PATHS = add(ConfigOption.of(
                    QEMU,
                    "valid_vhost_user_store_paths",
                    PATHS,
                    List.of(),
                    "Globs of what the annotation vhost_user_store_path may be.")
            .notYet(NO_VHOST_USER));
    public static final ConfigOption<Boolean> ENABLE_IOMMU =
            add(ConfigOption.of(QEMU, "enable_iommu", TRUTH, false, "Give the guest an IOMMU; q35 only.")
                    .annotation("hypervisor"));
    public static final ConfigOption<Boolean> ENABLE_IOMMU_PLATFORM = add(ConfigOption.of(
                    QEMU,
                    "enable_iommu_platform",
                    TRUTH,
                    false,
                    "Put virtio devices behind the IOMMU, which must be there.")
            .annotation("hypervisor"));
    public static final ConfigOption<Optional<Path>> FILE_MEM_BACKEND = add(ConfigOption.of(
                    QEMU,
                    "file_mem_backend",
                    new File(Target.DIRECTORY),
                    NONE,
                    "The directory of the file that backs the memory, such as /dev/shm. Empty: anonymous memory.")
            .annotation("hypervisor")
            .onlyPathsOf("valid_file_mem_backends"));
    public static final ConfigOption<List<String>> VALID_FILE_MEM_BACKENDS = add(ConfigOption.of(
            QEMU,
            "valid_file_mem_backends",
            PATHS,
            List.of(),
            "Globs of what the annotation file_mem_backend may be."));
    public static final ConfigOption<Boolean> ENABLE_SWAP = add(ConfigOption.of(
                    QEMU,
                    "enable_swap",
                    TRUTH,
                    true,
                    "Whether the host may swap the guest's memory. false locks it, and so takes all of it at the start;"
                            + " Kata's default says false, but locks nothing.")
            .kataDefault("false")
            .annotation("hypervisor"));
    public static final ConfigOption<Boolean> ENABLE_DEBUG = add(ConfigOption.of(
                    QEMU, "enable_debug", TRUTH, false, "Let the guest's kernel print all its messages on the console.")
            .env("Hypervisor.Debug"));
    public static final ConfigOption<Boolean> DISABLE_NESTING_CHECKS = add(ConfigOption.of(
                    QEMU, "disable_nesting_checks", TRUTH, false, "Do not make devices simpler on a nested host.")
            .meaningless("devices are the same on every host"));
    public static final ConfigOption<Integer> MSIZE_9P = add(ConfigOption.of(
                    QEMU, "msize_9p", new Count(4096, MANY, " of bytes"), 8192, "The size of 9p's packets, in bytes.")
            .zeroIsDefault()
            .annotation("hypervisor")
            .env("Hypervisor.Msize9p"));
    public static final ConfigOption<Boolean> USE_VSOCK = add(ConfigOption.of(
                    QEMU,
                    "use_vsock",
                    TRUTH,
                    true,
                    "Reach the agent by vsock where the host has it, else by virtio-serial; the log says why. false:"
                            + " always by virtio-serial.")
            .kataDefault("false")
            .annotation("hypervisor")
            .env("Hypervisor.UseVSock"));
    public static final ConfigOption<Boolean> DISABLE_IMAGE_NVDIMM = add(
            ConfigOption.of(QEMU, "disable_image_nvdimm", TRUTH, false, "Let the image be a virtio disk, not nvdimm.")
                    .annotation("hypervisor"));
    public static final ConfigOption<Boolean> HOTPLUG_VFIO_ON_ROOT_BUS =
            add(ConfigOption.of(QEMU, "hotplug_vfio_on_root_bus", TRUTH, false, "Plug VFIO devices into the root bus.")
                    .notYet(NO_VFIO)
                    .annotation("hypervisor")
                    .env("Hypervisor.HotplugVFIOOnRootBus"));
    public static final ConfigOption<Integer> PCIE_ROOT_PORT =
            add(ConfigOption.of(QEMU, "pcie_root_port", new Count(0, 16, ""), 0, "PCI Express root ports; q35 only.")
                    .annotation("hypervisor")
                    .env("Hypervisor.PCIeRootPort"));
    public static final ConfigOption<Boolean> DISABLE_VHOST_NET = add(ConfigOption.of(
                    QEMU, "disable_vhost_net", TRUTH, false, "Do not use the host's vhost-net for network cards.")
            .annotation("hypervisor"));
    public static final ConfigOption<Optional<Path>> ENTROPY_SOURCE = add(ConfigOption.of(
                    QEMU,
                    "entropy_source",
                    new File(Target.CHARACTER_DEVICE),
                    NONE,
                    "A character device of the host for a virtio-rng. Empty: none, the guest has RDRAND.")
            .kataDefault("\"/dev/urandom\"")
            .annotation("hypervisor")
            .env("Hypervisor.EntropySource"));
    public static final ConfigOption<Optional<Path>> GUEST_HOOK_PATH =
            add(ConfigOption.of(QEMU, "guest_hook_path", ANY_FILE, NONE, "A directory of hooks in the guest's image.")
                    .notYet("the agent is given no directory of hooks")
                    .annotation("hypervisor"));

    public static final ConfigOption<Boolean> ENABLE_TEMPLATE = add(ConfigOption.of(
            FACTORY,
            "enable_template",
            TRUTH,
            false,
            "Start machines as clones of one that was booted once. What cannot be cloned boots: with shared_fs ="
                    + " \"virtio-fs\", in a network namespace, with an image."));
    public static final ConfigOption<Optional<Path>> TEMPLATE_PATH = add(ConfigOption.of(
                    FACTORY,
                    "template_path",
                    ANY_FILE,
                    Optional.of(Path.of("/run/vc/vm/template")),
                    "Where the template is kept.")
            .meaningless("templates are kept beside the sandboxes, one for each kind of machine"));
    public static final ConfigOption<Integer> VM_CACHE_NUMBER = add(ConfigOption.of(
                    FACTORY, "vm_cache_number", new Count(0, 1000, ""), 0, "Machines that a server keeps ready.")
            .notYet("there is no server of machines; pools belong to one process"));
    public static final ConfigOption<Optional<Path>> VM_CACHE_ENDPOINT = add(ConfigOption.of(
                    FACTORY,
                    "vm_cache_endpoint",
                    ANY_FILE,
                    Optional.of(Path.of("/var/run/kata-containers/cache.sock")),
                    "The socket of that server.")
            .notYet("there is no server of machines"));

    public static final ConfigOption<Optional<Path>> PROXY_PATH = add(ConfigOption.of(
                    PROXY,
                    "path",
                    ANY_FILE,
                    Optional.of(Path.of("/usr/libexec/kata-containers/kata-proxy")),
                    "The program kata-proxy.")
            .meaningless(NO_PROXY));
    public static final ConfigOption<Boolean> PROXY_DEBUG =
            add(ConfigOption.of(PROXY, "enable_debug", TRUTH, false, "Debug messages of kata-proxy.")
                    .meaningless(NO_PROXY)
                    .env("Proxy.Debug"));

    public static final ConfigOption<Optional<Path>> SHIM_PATH = add(ConfigOption.of(
                    SHIM,
                    "path",
                    ANY_FILE,
                    Optional.of(Path.of("/usr/libexec/kata-containers/kata-shim")),
                    "The program kata-shim.")
            .meaningless("the runtime is its own shim"));
    public static final ConfigOption<Boolean> SHIM_DEBUG =
            add(ConfigOption.of(SHIM, "enable_debug", TRUTH, false, "Debug messages of kata-shim.")
                    .meaningless("the runtime is its own shim: set [runtime] enable_debug")
                    .env("Shim.Debug"));
    public static final ConfigOption<Boolean> SHIM_TRACING =
            add(ConfigOption.of(SHIM, "enable_tracing", TRUTH, false, "Tracing of kata-shim; needs disable_new_netns.")
                    .notYet(NO_TRACING));

    public static final ConfigOption<Boolean> AGENT_DEBUG =
            add(ConfigOption.of(AGENT, "enable_debug", TRUTH, false, "Debug messages of the agent, on the console.")
                    .env("Agent.Debug"));
    public static final ConfigOption<Boolean> AGENT_TRACING =
            add(ConfigOption.of(AGENT, "enable_tracing", TRUTH, false, "Tracing of the agent.")
                    .notYet(NO_TRACING)
                    .annotation("agent")
                    .env("Agent.Trace"));
    public static final ConfigOption<String> TRACE_MODE = add(ConfigOption.of(
                    AGENT,
                    "trace_mode",
                    new Choice(List.of("dynamic"), List.of("static")),
                    "dynamic",
                    "When the agent is traced: dynamic, static.")
            .annotation("agent")
            .env("Agent.TraceMode"));
    public static final ConfigOption<String> TRACE_TYPE = add(ConfigOption.of(
                    AGENT,
                    "trace_type",
                    new Choice(List.of("isolated"), List.of("collated")),
                    "isolated",
                    "What the agent's traces have: isolated, collated.")
            .annotation("agent")
            .env("Agent.TraceType"));
    public static final ConfigOption<List<String>> KERNEL_MODULES = add(ConfigOption.of(
                    AGENT,
                    "kernel_modules",
                    new Strings(Item.ARGUMENT, "", ";"),
                    List.of(),
                    "Kernel modules that the agent loads, each with its parameters.")
            .notYet("the agent loads the modules of the devices that the guest has")
            .annotation("agent"));
    public static final ConfigOption<Integer> CONTAINER_PIPE_SIZE = add(ConfigOption.of(
                    AGENT,
                    "container_pipe_size",
                    new Count(4096, 64 << 20, " of bytes"),
                    1 << 20,
                    "The size of the pipes for the output of containers, in bytes.")
            .zeroIsDefault()
            .annotation("agent")
            .annotationOnly());

    public static final ConfigOption<Boolean> ENABLE_NETMON =
            add(ConfigOption.of(NETMON, "enable_netmon", TRUTH, false, "Watch the network namespace.")
                    .notYet(NO_NETMON)
                    .env("Netmon.Enable"));
    public static final ConfigOption<Optional<Path>> NETMON_PATH = add(ConfigOption.of(
                    NETMON,
                    "path",
                    ANY_FILE,
                    Optional.of(Path.of("/usr/libexec/kata-containers/kata-netmon")),
                    "The program kata-netmon.")
            .notYet(NO_NETMON));
    public static final ConfigOption<Boolean> NETMON_DEBUG =
            add(ConfigOption.of(NETMON, "enable_debug", TRUTH, false, "Debug messages of kata-netmon.")
                    .notYet(NO_NETMON)
                    .env("Netmon.Debug"));

    public static final ConfigOption<Boolean> RUNTIME_DEBUG =
            add(ConfigOption.of(RUNTIME, "enable_debug", TRUTH, false, "Debug messages of the runtime.")
                    .env("Runtime.Debug"));
    public static final ConfigOption<String> INTERNETWORKING_MODEL = add(ConfigOption.of(
                    RUNTIME,
                    "internetworking_model",
                    new Choice(List.of("tcfilter", "macvtap", "none"), List.of()),
                    "tcfilter",
                    "How a link of the network namespace is wired to the guest; none: the guest has no network.")
            .annotation("runtime"));
    public static final ConfigOption<Boolean> DISABLE_GUEST_SECCOMP = add(ConfigOption.of(
                    RUNTIME, "disable_guest_seccomp", TRUTH, true, "Do not filter the system calls of containers.")
            .annotation("runtime")
            .env("Runtime.DisableGuestSeccomp"));
    public static final ConfigOption<Boolean> ENABLE_TRACING =
            add(ConfigOption.of(RUNTIME, "enable_tracing", TRUTH, false, "Tracing of the runtime.")
                    .notYet(NO_TRACING)
                    .env("Runtime.Trace"));
    public static final ConfigOption<Boolean> DISABLE_NEW_NETNS = add(ConfigOption.of(
                    RUNTIME,
                    "disable_new_netns",
                    TRUTH,
                    false,
                    "Make no network namespace for QEMU where there is none; needs internetworking_model = \"none\".")
            .annotation("runtime")
            .env("Runtime.DisableNewNetNs"));
    public static final ConfigOption<Boolean> SANDBOX_CGROUP_ONLY = add(ConfigOption.of(
                    RUNTIME,
                    "sandbox_cgroup_only",
                    TRUTH,
                    false,
                    "What is in the cgroup of the host that the engine asks for. false: the hypervisor, its processors"
                            + " with the limits of the containers, in a group whose name begins with kata_. true: all"
                            + " processes of the sandbox, in exactly that group, without limits of their own.")
            .annotation("runtime")
            .env("Runtime.SandboxCgroupOnly"));
    public static final ConfigOption<List<String>> EXPERIMENTAL = add(ConfigOption.of(
                    RUNTIME,
                    "experimental",
                    new Strings(Item.NOTHING, "", " "),
                    List.of(),
                    "Experimental features; there is none, as in Kata Containers 1.13.")
            .annotation("runtime")
            .env("Runtime.Experimental"));
    public static final ConfigOption<Boolean> ENABLE_AGENT_PIDNS = add(ConfigOption.of(
                    RUNTIME, "enable_agent_pidns", TRUTH, false, "Let containers share the agent's pid namespace.")
            .notYet("the agent refuses to share its pid namespace with containers"));

    /** Tables of other hypervisors, and what else a file of Kata may have: with why it is refused. */
    static final Map<String, String> OTHER_TABLES = Map.of(
            "hypervisor.acrn", "the hypervisor ACRN",
            "hypervisor.clh", "Cloud Hypervisor",
            "hypervisor.firecracker", "Firecracker");

    /** Keys of other hypervisors. */
    static final List<String> OTHER_KEYS = List.of("ctlpath", "jailer_path", "valid_ctlpaths", "valid_jailer_paths");

    private Options() {}

    private static <T> ConfigOption<T> add(ConfigOption<T> option) {
        ALL.add(option);
        return option;
    }

    /** In the order of the file. */
    public static List<ConfigOption<?>> all() {
        return List.copyOf(ALL);
    }
}
