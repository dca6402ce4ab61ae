// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.testkit;

import io.virtcontainers.Diagnostics;
import io.virtcontainers.HypervisorException;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.GuestChannel;
import io.virtcontainers.spi.VirtualMachine;
import io.virtcontainers.spi.VmConfig;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;

/** A machine that runs nothing. Thread-safe. */
public final class FakeVirtualMachine implements VirtualMachine {
    private final VmConfig config;
    private final Faults faults;
    private final Map<String, Path> disks = new ConcurrentHashMap<>();
    private final AtomicInteger slots = new AtomicInteger();
    private final CompletableFuture<String> exit = new CompletableFuture<>();

    FakeVirtualMachine(VmConfig config, Faults faults) {
        this.config = config;
        this.faults = faults;
    }

    /** Kills the machine, as {@code kill -9} kills a hypervisor. */
    public void die(String reason) {
        exit.complete(reason);
    }

    public boolean isAlive() {
        return !exit.isDone();
    }

    public VmConfig config() {
        return config;
    }

    /** The disks that are plugged in, by id. */
    public Map<String, Path> disks() {
        return Map.copyOf(disks);
    }

    @Override
    public long pid() {
        return ProcessHandle.current().pid();
    }

    @Override
    public GuestChannel channel() {
        return new GuestChannel(config.directory().resolve("agent.sock"));
    }

    @Override
    public String addBlockDevice(String id, Path image, boolean readOnly, Deadline deadline) {
        faults.reached("addBlockDevice", deadline);
        requireAlive();
        if (disks.putIfAbsent(id, image) != null) {
            throw new HypervisorException("disk " + id + " is plugged in already");
        }
        return String.format("02/%02x", slots.incrementAndGet());
    }

    @Override
    public void removeBlockDevice(String id, Deadline deadline) {
        faults.reached("removeBlockDevice", deadline);
        requireAlive();
        disks.remove(id);
    }

    private void requireAlive() {
        if (!isAlive()) {
            throw new HypervisorException("the machine has ended: " + exit.join());
        }
    }

    @Override
    public CompletableFuture<String> onExit() {
        return exit.copy();
    }

    @Override
    public Diagnostics diagnostics() {
        return new Diagnostics("", "fake console", "", List.of());
    }

    @Override
    public void stop(Deadline deadline) {
        faults.reached("stop", deadline);
        exit.complete("stopped");
    }
}
