// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core.cgroup;

import io.virtcontainers.HostCgroup;
import io.virtcontainers.Resources;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;

/** Version 1: a hierarchy for each controller, of which a group needs those that the library knows (cgroups(7)). */
final class OldHierarchies implements Hierarchies {
    private static final List<String> CONTROLLERS = List.of("cpu", "cpuacct", "cpuset", "memory", "pids");
    private static final Set<String> OF_PROCESSORS = Set.of("cpu", "cpuacct", "cpuset");

    private final Path mount;

    OldHierarchies(Path mount) {
        this.mount = mount;
    }

    private Stream<String> controllers() {
        return CONTROLLERS.stream().filter(name -> Files.isDirectory(mount.resolve(name)));
    }

    private Path directory(String controller, String path) {
        return mount.resolve(controller).resolve(path.substring(1));
    }

    @Override
    public List<Path> directories(String path) {
        return controllers().map(controller -> directory(controller, path)).toList();
    }

    @Override
    public List<Path> removals(String path) {
        return directories(path);
    }

    /** A new group of cpuset has no processors and no memory, and nothing can join it. */
    @Override
    public void prepareParents(Path directory) throws IOException {
        Path root = mount.resolve("cpuset");
        if (directory.startsWith(root)) {
            Path parent = root;
            for (Path name : root.relativize(directory.getParent())) {
                if (!name.toString().isEmpty()) {
                    parent = parent.resolve(name);
                    inherit(parent, "cpuset.cpus");
                    inherit(parent, "cpuset.mems");
                }
            }
        }
    }

    private static void inherit(Path directory, String file) throws IOException {
        if (Files.readString(directory.resolve(file)).isBlank()) {
            Hierarchies.write(
                    directory.resolve(file),
                    Files.readString(directory.resolveSibling(file)).strip());
        }
    }

    @Override
    public void prepare(HostCgroup group) {}

    @Override
    public void limit(HostCgroup group) throws IOException {
        Resources limits = group.limits();
        String path = group.path();
        if (Files.isDirectory(mount.resolve("cpuset"))) {
            Path cpuset = directory("cpuset", path);
            Hierarchies.write(
                    cpuset.resolve("cpuset.cpus"),
                    limits.cpus().isPresent()
                            ? limits.cpus().get()
                            : Files.readString(cpuset.resolveSibling("cpuset.cpus"))
                                    .strip());
            inherit(cpuset, "cpuset.mems");
        }
        Path cpu = directory("cpu", path);
        if (limits.cpuShares().isPresent()) {
            Hierarchies.write(cpu.resolve("cpu.shares"), limits.cpuShares().getAsLong());
        }
        if (limits.cpuPeriodMicros().isPresent()) {
            Hierarchies.write(
                    cpu.resolve("cpu.cfs_period_us"), limits.cpuPeriodMicros().getAsLong());
        }
        if (limits.cpuQuotaMicros().isPresent()) {
            Hierarchies.write(
                    cpu.resolve("cpu.cfs_quota_us"), limits.cpuQuotaMicros().getAsLong());
        }
        if (limits.memoryLimit().isPresent()) {
            Hierarchies.write(
                    directory("memory", path).resolve("memory.limit_in_bytes"),
                    limits.memoryLimit().get().bytes());
        }
        if (limits.pidsLimit().isPresent()) {
            long most = limits.pidsLimit().getAsLong();
            Hierarchies.write(directory("pids", path).resolve("pids.max"), most < 0 ? "max" : most);
        }
    }

    @Override
    public void joinWhole(String path, long pid) throws IOException {
        for (String controller : controllers().toList()) {
            Hierarchies.write(directory(controller, path).resolve("cgroup.procs"), pid);
        }
    }

    @Override
    public void join(HostCgroup group, long pid, List<Long> threads) throws IOException {
        for (String controller : controllers().toList()) {
            Path directory = directory(controller, group.path());
            if (group.vcpusOnly() && OF_PROCESSORS.contains(controller)) {
                for (long thread : threads) {
                    Hierarchies.write(directory.resolve("tasks"), thread);
                }
            } else {
                Hierarchies.write(directory.resolve("cgroup.procs"), pid);
            }
        }
    }
}
