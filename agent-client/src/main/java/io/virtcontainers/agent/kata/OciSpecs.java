// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import io.virtcontainers.ContainerConfig;
import io.virtcontainers.GuestPath;
import io.virtcontainers.ProcessConfig;
import io.virtcontainers.agent.kata.protocol.Box;
import io.virtcontainers.agent.kata.protocol.Linux;
import io.virtcontainers.agent.kata.protocol.LinuxCapabilities;
import io.virtcontainers.agent.kata.protocol.LinuxNamespace;
import io.virtcontainers.agent.kata.protocol.Mount;
import io.virtcontainers.agent.kata.protocol.POSIXRlimit;
import io.virtcontainers.agent.kata.protocol.Process;
import io.virtcontainers.agent.kata.protocol.Root;
import io.virtcontainers.agent.kata.protocol.Spec;
import io.virtcontainers.agent.kata.protocol.User;
import java.util.List;

/**
 * Turns a container into the OCI runtime-spec that the agent gives to its runtime. Where the configuration leaves
 * something open, the container gets what Docker gives by default, as that is what images are written for.
 */
final class OciSpecs {
    private static final String VERSION = "1.0.2";

    private static final List<String> CAPABILITIES = List.of(
            "CAP_CHOWN",
            "CAP_DAC_OVERRIDE",
            "CAP_FSETID",
            "CAP_FOWNER",
            "CAP_MKNOD",
            "CAP_NET_RAW",
            "CAP_SETGID",
            "CAP_SETUID",
            "CAP_SETFCAP",
            "CAP_SETPCAP",
            "CAP_NET_BIND_SERVICE",
            "CAP_SYS_CHROOT",
            "CAP_KILL",
            "CAP_AUDIT_WRITE");

    private static final List<String> MASKED_PATHS = List.of(
            "/proc/asound",
            "/proc/acpi",
            "/proc/interrupts",
            "/proc/kcore",
            "/proc/keys",
            "/proc/latency_stats",
            "/proc/timer_list",
            "/proc/timer_stats",
            "/proc/sched_debug",
            "/proc/scsi",
            "/sys/firmware",
            "/sys/devices/virtual/powercap");

    private static final List<String> READ_ONLY_PATHS =
            List.of("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger");

    private static final List<Mount> MOUNTS = List.of(
            mount("/proc", "proc", "proc", "nosuid", "noexec", "nodev"),
            mount("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
            mount(
                    "/dev/pts",
                    "devpts",
                    "devpts",
                    "nosuid",
                    "noexec",
                    "newinstance",
                    "ptmxmode=0666",
                    "mode=0620",
                    "gid=5"),
            mount("/dev/shm", "tmpfs", "shm", "nosuid", "noexec", "nodev", "mode=1777", "size=65536k"),
            mount("/dev/mqueue", "mqueue", "mqueue", "nosuid", "noexec", "nodev"),
            mount("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", "ro"),
            mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "relatime", "ro"));

    // No network namespace: the guest's network is the sandbox's. The agent makes ipc and uts those of the sandbox.
    private static final List<String> NAMESPACES = List.of("pid", "mount", "ipc", "uts");

    private static final long OPEN_FILES_SOFT = 1024;
    private static final long OPEN_FILES_HARD = 1_048_576;

    private OciSpecs() {}

    /** @throws io.virtcontainers.InvalidConfigException if the container's specification cannot be read */
    static Spec container(ContainerConfig container, GuestPath root) {
        Spec.Builder spec =
                container.spec().map(SpecJson::parse).orElseGet(() -> defaults(container.process())).toBuilder();
        apply(container.process(), spec.getProcessBuilder());
        spec.setRoot(Root.newBuilder().setPath(root.value()).setReadonly(container.readOnlyRootfs()));
        Linux.Builder linux = spec.getLinuxBuilder();
        // Present even if empty: upstream agents need it to be there.
        linux.setResources(ResourceMessages.with(linux.getResources(), container.resources()));
        if (linux.getCgroupsPath().isEmpty()) {
            linux.setCgroupsPath("/" + container.id());
        }
        return spec.build();
    }

    private static Spec defaults(ProcessConfig process) {
        Linux.Builder linux = Linux.newBuilder().addAllMaskedPaths(MASKED_PATHS).addAllReadonlyPaths(READ_ONLY_PATHS);
        NAMESPACES.forEach(
                type -> linux.addNamespaces(LinuxNamespace.newBuilder().setType(type)));
        return Spec.newBuilder()
                .setVersion(VERSION)
                .setProcess(rights(process))
                .addAllMounts(MOUNTS)
                .setLinux(linux)
                .build();
    }

    /** A further process: an upstream agent takes less of it. */
    static Process process(ProcessConfig config) {
        return apply(config, rights(config)).build();
    }

    /** What a specification says and a {@link ProcessConfig} does not. */
    private static Process.Builder rights(ProcessConfig config) {
        return Process.newBuilder()
                .setCapabilities(capabilities(config.user().uid() == 0))
                .addRlimits(POSIXRlimit.newBuilder()
                        .setType("RLIMIT_NOFILE")
                        .setSoft(OPEN_FILES_SOFT)
                        .setHard(OPEN_FILES_HARD));
    }

    private static Process.Builder apply(ProcessConfig config, Process.Builder process) {
        process.setUser(user(config.user()))
                .clearArgs()
                .addAllArgs(config.command())
                .clearEnv()
                .setCwd(config.workingDirectory().value())
                .setNoNewPrivileges(config.noNewPrivileges())
                .setTerminal(config.terminal().isPresent())
                .clearConsoleSize();
        config.environment().forEach((name, value) -> process.addEnv(name + "=" + value));
        config.terminal()
                .ifPresent(size -> process.setConsoleSize(
                        Box.newBuilder().setHeight(size.rows()).setWidth(size.columns())));
        return process;
    }

    /** As execve gives them: who is not root only keeps the bounding set. */
    private static LinuxCapabilities capabilities(boolean root) {
        LinuxCapabilities.Builder capabilities = LinuxCapabilities.newBuilder().addAllBounding(CAPABILITIES);
        if (root) {
            capabilities.addAllEffective(CAPABILITIES).addAllPermitted(CAPABILITIES);
        }
        return capabilities.build();
    }

    private static User user(io.virtcontainers.User user) {
        User.Builder builder =
                User.newBuilder().setUID((int) user.uid()).setGID((int) user.gid()); // uint32 on the wire
        user.additionalGids().forEach(gid -> builder.addAdditionalGids(gid.intValue()));
        return builder.build();
    }

    private static Mount mount(String destination, String type, String source, String... options) {
        return Mount.newBuilder()
                .setDestination(destination)
                .setType(type)
                .setSource(source)
                .addAllOptions(List.of(options))
                .build();
    }
}
