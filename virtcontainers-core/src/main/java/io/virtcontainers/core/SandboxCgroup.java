// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import io.virtcontainers.HostCgroup;
import io.virtcontainers.HostProcess;
import io.virtcontainers.Resources;
import io.virtcontainers.SandboxConfig;
import io.virtcontainers.UnsupportedException;
import io.virtcontainers.core.cgroup.HostCgroups;
import io.virtcontainers.core.state.Held;
import io.virtcontainers.spi.Deadline;
import java.util.Optional;

/** The control group of the host in which a sandbox's machine is, if its configuration names one. Needs its lock. */
final class SandboxCgroup {
    private final SandboxLife life;

    SandboxCgroup(SandboxLife life) {
        this.life = life;
    }

    /** Makes it, if the sandbox is to have one. */
    void make() {
        life.record()
                .config()
                .cgroup()
                .ifPresent(group -> life.step("cgroup.create", () -> {
                    HostCgroups.ofHost().requireAbsent(group);
                    life.save(life.record().holding(Held.cgroup(group.path())), "cgroup");
                    HostCgroups.ofHost().make(group);
                    return null;
                }));
    }

    /** The machine, and its processors as many as there are now. */
    void join() {
        life.record()
                .config()
                .cgroup()
                .ifPresent(group -> life.request("cgroup.join", () -> {
                    var threads = life.machine().processorThreads(Deadline.after(SandboxLife.REQUEST));
                    HostCgroups.ofHost().join(group, life.machine().process().pid(), threads);
                    if (!group.vcpusOnly()) {
                        life.machine()
                                .servants()
                                .forEach(pid -> HostCgroups.ofHost().joinWhole(group, pid));
                    }
                    return null;
                }));
    }

    /** Lets a process that stands for a container into that of the whole. */
    void join(HostProcess shim) {
        Optional<HostCgroup> whole = life.record().config().cgroup().filter(group -> !group.vcpusOnly());
        if (life.record().isUp()) {
            whole.ifPresent(group -> HostCgroups.ofHost().joinWhole(group, shim.pid()));
        }
    }

    /** Takes the lock. */
    void limit(Resources limits) {
        life.locked("limit the cgroup", () -> {
            SandboxConfig old = life.record().config();
            HostCgroup before = old.cgroup()
                    .orElseThrow(() -> new UnsupportedException("sandbox " + life.id() + " has no cgroup on the host to"
                            + " limit: give it one at its creation, by SandboxConfig.cgroup"));
            HostCgroup limited = new HostCgroup(before.path(), before.vcpusOnly(), limits);
            if (life.record().isUp()) {
                HostCgroups.ofHost().limit(limited);
            }
            life.save(life.record().config(old.withCgroup(limited)), "cgroup");
        });
    }
}
