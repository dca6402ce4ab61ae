// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import io.virtcontainers.Capabilities;
import io.virtcontainers.ContainerConfig;
import io.virtcontainers.GuestPath;
import io.virtcontainers.ProcessConfig;
import io.virtcontainers.Rlimit;
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

    private static Spec defaults(ProcessConfig config) {
        Process.Builder process = Process.newBuilder()
                .setCapabilities(message(defaultCapabilities(config.user().uid() == 0)))
                .addRlimits(POSIXRlimit.newBuilder()
                        .setType("RLIMIT_NOFILE")
                        .setSoft(OPEN_FILES_SOFT)
                        .setHard(OPEN_FILES_HARD));
        Linux.Builder linux = Linux.newBuilder().addAllMaskedPaths(MASKED_PATHS).addAllReadonlyPaths(READ_ONLY_PATHS);
        NAMESPACES.forEach(
                type -> linux.addNamespaces(LinuxNamespace.newBuilder().setType(type)));
        return Spec.newBuilder()
                .setVersion(VERSION)
                .setProcess(process)
                .addAllMounts(MOUNTS)
                .setLinux(linux)
                .build();
    }

    /** As execve gives them: who is not root only keeps the bounding set. */
    private static Capabilities defaultCapabilities(boolean root) {
        Capabilities all = Capabilities.defaults();
        return root ? all : new Capabilities(all.bounding(), List.of(), List.of(), List.of(), List.of());
    }

    /** A further process: what its configuration leaves open, the agent takes from the container's own process. */
    static Process process(ProcessConfig config) {
        return apply(config, Process.newBuilder()).build();
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
        config.capabilities().ifPresent(capabilities -> process.setCapabilities(message(capabilities)));
        setRlimits(config.rlimits(), process);
        return process;
    }

    /** In the place of those of the same type. */
    private static void setRlimits(List<Rlimit> limits, Process.Builder process) {
        List<POSIXRlimit> others = process.getRlimitsList().stream()
                .filter(old -> limits.stream().noneMatch(limit -> limit.type().equals(old.getType())))
                .toList();
        process.clearRlimits().addAllRlimits(others);
        limits.forEach(limit -> process.addRlimits(POSIXRlimit.newBuilder()
                .setType(limit.type())
                .setSoft(limit.soft())
                .setHard(limit.hard())));
    }

    private static LinuxCapabilities message(Capabilities sets) {
        return LinuxCapabilities.newBuilder()
                .addAllBounding(sets.bounding())
                .addAllEffective(sets.effective())
                .addAllInheritable(sets.inheritable())
                .addAllPermitted(sets.permitted())
                .addAllAmbient(sets.ambient())
                .build();
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
