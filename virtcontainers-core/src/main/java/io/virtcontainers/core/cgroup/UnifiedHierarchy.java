// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core.cgroup;

import io.virtcontainers.HostCgroup;
import io.virtcontainers.Resources;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/**
 * Version 2: one hierarchy (Linux, {@code Documentation/admin-guide/cgroup-v2.rst}). Virtual processors alone are limited in a
 * threaded group below.
 */
final class UnifiedHierarchy implements Hierarchies {
    private static final List<String> CONTROLLERS = List.of("cpu", "cpuset", "memory", "pids");
    private static final List<String> THREADED = List.of("cpu", "cpuset");
    private static final String PROCESSORS = "vcpus";
    private static final long DEFAULT_PERIOD_MICROS = 100_000;
    private static final long MIN_SHARES = 2;
    private static final long SHARES_RANGE = 262_142;
    private static final long WEIGHT_RANGE = 9_999;

    private final Path mount;

    UnifiedHierarchy(Path mount) {
        this.mount = mount;
    }

    private Path directory(String path) {
        return mount.resolve(path.substring(1));
    }

    @Override
    public List<Path> directories(String path) {
        return List.of(directory(path));
    }

    @Override
    public List<Path> removals(String path) {
        return List.of(directory(path).resolve(PROCESSORS), directory(path));
    }

    @Override
    public void prepareParents(Path directory) throws IOException {
        Path parent = mount;
        enable(parent, CONTROLLERS);
        for (Path name : mount.relativize(directory.getParent())) {
            if (!name.toString().isEmpty()) {
                parent = parent.resolve(name);
                enable(parent, CONTROLLERS);
            }
        }
    }

    private static void enable(Path directory, List<String> wanted) throws IOException {
        List<String> there = Arrays.asList(Files.readString(directory.resolve("cgroup.controllers"))
                .strip()
                .split(" "));
        for (String controller : wanted) {
            if (there.contains(controller)) {
                Hierarchies.write(directory.resolve("cgroup.subtree_control"), "+" + controller);
            }
        }
    }

    @Override
    public void prepare(HostCgroup group) throws IOException {
        if (group.vcpusOnly()) {
            Path whole = directory(group.path());
            Path processors = Files.createDirectory(whole.resolve(PROCESSORS));
            Hierarchies.write(processors.resolve("cgroup.type"), "threaded");
            enable(whole, THREADED);
        }
    }

    @Override
    public void limit(HostCgroup group) throws IOException {
        Resources limits = group.limits();
        Path whole = directory(group.path());
        Path processors = group.vcpusOnly() ? whole.resolve(PROCESSORS) : whole;
        Path cpus = processors.resolve("cpuset.cpus");
        if (limits.cpus().isPresent()) {
            Hierarchies.write(cpus, limits.cpus().get());
        } else if (Files.exists(cpus) && !Files.readString(cpus).isBlank()) {
            Hierarchies.write(cpus, "\n"); // those of the parent
        }
        if (limits.cpuShares().isPresent()) {
            Hierarchies.write(
                    processors.resolve("cpu.weight"), weight(limits.cpuShares().getAsLong()));
        }
        if (limits.cpuQuotaMicros().isPresent()) {
            long quota = limits.cpuQuotaMicros().getAsLong();
            Hierarchies.write(
                    processors.resolve("cpu.max"),
                    (quota < 0 ? "max" : quota) + " " + limits.cpuPeriodMicros().orElse(DEFAULT_PERIOD_MICROS));
        }
        if (limits.memoryLimit().isPresent()) {
            Hierarchies.write(
                    whole.resolve("memory.max"), limits.memoryLimit().get().bytes());
        }
        if (limits.pidsLimit().isPresent()) {
            long most = limits.pidsLimit().getAsLong();
            Hierarchies.write(whole.resolve("pids.max"), most < 0 ? "max" : most);
        }
    }

    /** As runc and crun convert shares of version 1. */
    static long weight(long shares) {
        return 1 + (shares - MIN_SHARES) * WEIGHT_RANGE / SHARES_RANGE;
    }

    @Override
    public void joinWhole(String path, long pid) throws IOException {
        Hierarchies.write(directory(path).resolve("cgroup.procs"), pid);
    }

    @Override
    public void join(HostCgroup group, long pid, List<Long> threads) throws IOException {
        Path directory = directory(group.path());
        Hierarchies.write(directory.resolve("cgroup.procs"), pid);
        if (group.vcpusOnly()) {
            for (long thread : threads) {
                Hierarchies.write(directory.resolve(PROCESSORS).resolve("cgroup.threads"), thread);
            }
        }
    }
}
