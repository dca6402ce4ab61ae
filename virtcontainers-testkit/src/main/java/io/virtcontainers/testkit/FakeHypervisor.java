// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.testkit;

import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.Hypervisor;
import io.virtcontainers.spi.Phases;
import io.virtcontainers.spi.VirtualMachine;
import io.virtcontainers.spi.VmConfig;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/** Launches {@link FakeVirtualMachine}s. Thread-safe. */
public final class FakeHypervisor implements Hypervisor {
    private final Faults faults = new Faults();
    private final List<FakeVirtualMachine> machines = new CopyOnWriteArrayList<>();
    private final List<Path> reaped = new CopyOnWriteArrayList<>();
    private volatile boolean closed;

    @Override
    public VirtualMachine launch(VmConfig config, Phases phases, Deadline deadline) {
        faults.reached("launch", deadline);
        FakeVirtualMachine machine = new FakeVirtualMachine(config, faults);
        machines.add(machine);
        return machine;
    }

    @Override
    public void reap(Path sandboxDirectory, Deadline deadline) {
        faults.reached("reap", deadline);
        reaped.add(sandboxDirectory);
    }

    @Override
    public void close() {
        closed = true;
    }

    /** The script of this hypervisor and of its machines. */
    public Faults faults() {
        return faults;
    }

    /** All machines that were launched, in order. */
    public List<FakeVirtualMachine> machines() {
        return List.copyOf(machines);
    }

    /** The directories that {@link #reap} was called with, in order. */
    public List<Path> reaped() {
        return List.copyOf(reaped);
    }

    public boolean isClosed() {
        return closed;
    }
}
