// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.testkit;

import io.virtcontainers.HostCheck;
import io.virtcontainers.HostProcess;
import io.virtcontainers.HypervisorConfig;
import io.virtcontainers.HypervisorException;
import io.virtcontainers.UnsupportedException;
import io.virtcontainers.VmDiedException;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.Hypervisor;
import io.virtcontainers.spi.MachineKey;
import io.virtcontainers.spi.MachineSize;
import io.virtcontainers.spi.MemoryImage;
import io.virtcontainers.spi.Phases;
import io.virtcontainers.spi.VirtualMachine;
import io.virtcontainers.spi.VmConfig;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * Launches {@link FakeVirtualMachine}s, and attaches to those that another one of this Java process launched; each leaves
 * a file {@code fake-vm} in its directory, as a real one leaves its sockets. Machines can be saved, copied and cloned as long
 * as this hypervisor lives; the programs of a clone's containers begin anew. Thread-safe.
 */
public final class FakeHypervisor implements Hypervisor {
    private final Faults faults = new Faults();
    private final FakeStates states = new FakeStates();
    private final List<FakeVirtualMachine> machines = new CopyOnWriteArrayList<>();
    private final List<FakeVirtualMachine> attached = new CopyOnWriteArrayList<>();
    private final List<Path> reaped = new CopyOnWriteArrayList<>();
    private final boolean processes;
    private volatile boolean closed;

    /** All its machines have this Java process as theirs: cheap, but an engine cannot tell one from its successor. */
    public FakeHypervisor() {
        this(false);
    }

    private FakeHypervisor(boolean processes) {
        this.processes = processes;
    }

    /** Each machine has a process of its own, whose end is the machine's, so that what an engine looks at is real. */
    public static FakeHypervisor withProcesses() {
        return new FakeHypervisor(true);
    }

    @Override
    public VirtualMachine launch(VmConfig config, Phases phases, Deadline deadline) {
        return faults.runBounded("launch", deadline, new CompletableFuture<>(), () -> {
            FakeVirtualMachine machine = new FakeVirtualMachine(
                    FakeMachine.boot(config, processes, saved(config.memoryImage())), faults, states);
            machines.add(machine);
            return machine;
        });
    }

    private Optional<FakeGuest> saved(MemoryImage image) {
        if (image instanceof MemoryImage.Clone clone) {
            return Optional.of(states.read(clone.state()));
        } else if (image instanceof MemoryImage.Template template) {
            FakeStates.write(template.memory(), "memory");
        }
        return Optional.empty();
    }

    @Override
    public MachineKey templateKey(VmConfig config, Phases phases, Deadline deadline) {
        if (!config.cards().isEmpty()) {
            throw new UnsupportedException("a machine that is cloned cannot have a network card");
        } else if (config.disks().stream().anyMatch(disk -> !disk.disk().readOnly())) {
            throw new UnsupportedException("a machine that is cloned cannot have a disk that can be written");
        }
        MachineSize size = new MachineSize(config.vcpus(), config.memory());
        String family = digest(config.settings() + " " + config.image() + " " + config.disks());
        return new MachineKey(family, size, digest(family + " " + size), "fake");
    }

    private static String digest(String text) {
        return UUID.nameUUIDFromBytes(text.getBytes(StandardCharsets.UTF_8))
                .toString()
                .replace("-", "");
    }

    @Override
    public void copy(VirtualMachine source, VmConfig as, Path state, Phases phases, Deadline deadline) {
        faults.run("copy", deadline, new CompletableFuture<>(), () -> {
            states.write(state, ((FakeVirtualMachine) source).guest());
            FakeStates.write(((MemoryImage.Copy) as.memoryImage()).memory(), "memory");
        });
    }

    @Override
    public VirtualMachine attach(
            String sandboxId, Path directory, HypervisorConfig settings, HostProcess process, Deadline deadline) {
        return faults.runBounded("attach", deadline, new CompletableFuture<>(), () -> {
            FakeMachine machine =
                    FakeMachine.in(directory).orElseThrow(() -> new VmDiedException("no machine runs in " + directory));
            FakeVirtualMachine attachment = new FakeVirtualMachine(machine, faults, states);
            if (!attachment.process().equals(process)) {
                throw new VmDiedException(process + " is not the hypervisor of sandbox " + sandboxId);
            }
            if (!machine.config().detached()) {
                throw new HypervisorException("the machine of sandbox " + sandboxId + " is not detached");
            }
            attached.add(attachment);
            return attachment;
        });
    }

    @Override
    public void reap(Path sandboxDirectory, Deadline deadline) {
        faults.run("reap", deadline, new CompletableFuture<>(), () -> {
            reaped.add(sandboxDirectory);
            FakeMachine.in(sandboxDirectory).ifPresent(machine -> machine.end("reaped"));
        });
    }

    @Override
    public List<HostCheck> check(HypervisorConfig settings, Deadline deadline) {
        return faults.run(
                "check",
                deadline,
                new CompletableFuture<>(),
                () -> List.of(HostCheck.ok("fake hypervisor", "is in this process")));
    }

    @Override
    public void close() {
        closed = true;
    }

    /** The script of this hypervisor and of the machines that it launched or attached to. */
    public Faults faults() {
        return faults;
    }

    /** All machines that were launched, in order. */
    public List<FakeVirtualMachine> machines() {
        return List.copyOf(machines);
    }

    /** All machines that were attached to, in order. */
    public List<FakeVirtualMachine> attached() {
        return List.copyOf(attached);
    }

    /** The directories that {@link #reap} was called with, in order. */
    public List<Path> reaped() {
        return List.copyOf(reaped);
    }

    public boolean isClosed() {
        return closed;
    }
}
