// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import io.virtcontainers.Container;
import io.virtcontainers.HostCgroup;
import io.virtcontainers.Resources;
import io.virtcontainers.Sandbox;
import io.virtcontainers.UnsupportedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.stream.Collectors;

/**
 * The cgroup of the host that an engine asks for ({@code linux.cgroupsPath}), for the hypervisor of a sandbox. As in Kata
 * 1.x: by default a group beside it has the virtual processors, with the processors' limits of all containers together; with
 * {@code sandbox_cgroup_only} all processes are in the group itself, and the engine limits its parent.
 */
final class SandboxCgroup {
    /** Where Kata 1.x puts paths that are not absolute. */
    private static final String PARENT = "/vc/";

    private static final String PREFIX = "kata_";
    private static final String SLICE = ".slice";

    /** The processors of the host that a container may use, with which the library itself has nothing to do. */
    private static final String CPUS = "io.virtcontainers.runtime.cpus";

    /** Of version 2 and of version 1: writable for root, unless they are mounted read-only. */
    private static final List<Path> PLACES = List.of(
            Path.of("/sys/fs/cgroup/cgroup.procs"),
            Path.of("/sys/fs/cgroup/cpu/cgroup.procs"),
            Path.of("/sys/fs/cgroup/memory/cgroup.procs"));

    private static final long DEFAULT_SHARES = 1024;
    private static final long DEFAULT_PERIOD = 100_000;

    private SandboxCgroup() {}

    /** Empty if no group is asked for, and for users who may make none. */
    static Optional<HostCgroup> of(Optional<String> cgroupsPath, boolean whole) {
        return cgroupsPath
                .filter(path -> PLACES.stream().anyMatch(Files::isWritable))
                .map(path -> new HostCgroup(place(path, whole), !whole, Resources.none()));
    }

    static String place(String cgroupsPath, boolean whole) {
        String[] systemd = cgroupsPath.split(":", -1);
        String path = systemd.length == 3 && !cgroupsPath.contains("/")
                ? slice(systemd[0]) + unit(systemd[1], systemd[2])
                : (cgroupsPath.startsWith("/") ? "" : PARENT) + cgroupsPath;
        path = path.replaceAll("/+", "/").replaceFirst("/$", "");
        int name = path.lastIndexOf('/') + 1;
        return whole ? path : path.substring(0, name) + PREFIX + path.substring(name);
    }

    /** A slice is below those whose names its name begins with (systemd.slice(5)): a-b.slice is /a.slice/a-b.slice. */
    private static String slice(String name) {
        String slice = name.isEmpty() ? "system" : name.replaceFirst("\\.slice$", "");
        StringBuilder path = new StringBuilder("/");
        for (int dash = slice.indexOf('-'); dash > 0; dash = slice.indexOf('-', dash + 1)) {
            path.append(slice, 0, dash).append(SLICE).append('/');
        }
        return slice.equals("-")
                ? "/"
                : path.append(slice).append(SLICE).append('/').toString();
    }

    private static String unit(String prefix, String name) {
        return name.endsWith(SLICE) ? name : (prefix.isEmpty() ? "" : prefix + '-') + name + ".scope";
    }

    /** Remembers which processors of the host a container may use; {@link #limit} brings it about. */
    static void cpus(Container container, String list) {
        container.annotate(Map.of(CPUS, list));
    }

    /** @throws UnsupportedException if the sandbox has none */
    static void require(Sandbox sandbox, String option) {
        if (sandbox.config().cgroup().isEmpty()) {
            throw new UnsupportedException(
                    option + ": the processors are the host's, and the sandbox has no cgroup there:"
                            + " that needs root, and an engine that asks for one");
        }
    }

    /** What all containers that are there now may use; does nothing if the sandbox has no cgroup. */
    static void limit(Sandbox sandbox) {
        if (sandbox.config().cgroup().isPresent()) {
            HostCgroup group = sandbox.config().cgroup().get();
            Resources limits = limits(sandbox.id(), sandbox.containers(), group);
            if (!limits.equals(group.limits())) {
                sandbox.limitCgroup(limits);
            }
        }
    }

    private static Resources limits(String sandbox, List<Container> all, HostCgroup group) {
        // That of a pod itself does nothing, and says so by its limits.
        List<Container> containers = all.size() > 1
                ? all.stream().filter(one -> !one.id().equals(sandbox)).toList()
                : all;
        Resources.Builder limits = Resources.builder();
        String cpus = containers.stream()
                .map(container -> container.annotations().getOrDefault(CPUS, ""))
                .filter(list -> !list.isEmpty())
                .distinct()
                .collect(Collectors.joining(","));
        if (!cpus.isEmpty()) {
            limits.cpus(cpus);
        }
        if (group.vcpusOnly()) {
            time(
                    containers.stream()
                            .map(container -> container.config().resources())
                            .toList(),
                    group.limits(),
                    limits);
        }
        return limits.build();
    }

    /** As Kata's: the sum of the quotas, if all have one, and the most of what else there is. What was limited stays so. */
    private static void time(List<Resources> all, Resources before, Resources.Builder limits) {
        OptionalLong shares =
                all.stream().flatMapToLong(one -> one.cpuShares().stream()).max();
        if (shares.isPresent() || before.cpuShares().isPresent()) {
            limits.cpuShares(shares.orElse(DEFAULT_SHARES));
        }
        boolean limited = !all.isEmpty()
                && all.stream().allMatch(one -> one.cpuQuotaMicros().orElse(-1) > 0);
        if (limited || before.cpuQuotaMicros().isPresent()) {
            long period = all.stream()
                    .mapToLong(one -> one.cpuPeriodMicros().orElse(DEFAULT_PERIOD))
                    .max()
                    .orElse(DEFAULT_PERIOD);
            limits.cpuPeriodMicros(period);
            limits.cpuQuotaMicros(limited ? quota(all, period) : -1);
        }
    }

    /** In the time of this period. */
    private static long quota(List<Resources> all, long period) {
        return all.stream()
                .mapToLong(one -> Math.round((double) one.cpuQuotaMicros().orElse(0)
                        * period
                        / one.cpuPeriodMicros().orElse(DEFAULT_PERIOD)))
                .sum();
    }
}
