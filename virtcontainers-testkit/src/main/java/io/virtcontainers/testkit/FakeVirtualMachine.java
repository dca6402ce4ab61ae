// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.testkit;

import io.virtcontainers.AgentChannel;
import io.virtcontainers.Device;
import io.virtcontainers.Diagnostics;
import io.virtcontainers.HostProcess;
import io.virtcontainers.HypervisorException;
import io.virtcontainers.UnsupportedException;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.GuestChannel;
import io.virtcontainers.spi.NetworkCard;
import io.virtcontainers.spi.PluggedDisk;
import io.virtcontainers.spi.VirtualMachine;
import io.virtcontainers.spi.VmConfig;
import io.virtcontainers.spi.VmEvent;
import java.nio.file.Path;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.stream.IntStream;

/**
 * A machine that runs nothing, as one who launched it or attached to it sees it. It lives in this Java process and dies
 * with it; {@link #process} is this one, unless it comes from {@link FakeHypervisor#withProcesses}. Its channels are
 * exclusive, or one that is shared for {@link AgentChannel#HYBRID_VSOCK}. Thread-safe.
 */
public final class FakeVirtualMachine implements VirtualMachine {
    private static final int CHANNELS_OF_DETACHED = 8;

    private final FakeMachine machine;
    private final Faults faults;
    private final FakeStates states;
    private final CompletableFuture<String> exit = new CompletableFuture<>();
    private volatile boolean released;

    FakeVirtualMachine(FakeMachine machine, Faults faults, FakeStates states) {
        this.states = states;
        this.machine = machine;
        this.faults = faults;
        var unused = machine.exit().thenAccept(reason -> {
            if (!released) {
                exit.complete(reason);
            }
        });
    }

    /** Kills the machine, as {@code kill -9} kills a hypervisor. */
    public void die(String reason) {
        machine.end(reason);
    }

    public boolean isAlive() {
        return !machine.exit().isDone();
    }

    public boolean isReleased() {
        return released;
    }

    /** What it was launched with. */
    public VmConfig config() {
        return machine.config();
    }

    /** The disks that are plugged in, by id. */
    public Map<String, Path> disks() {
        return machine.disks();
    }

    @Override
    public HostProcess process() {
        return machine.process();
    }

    @Override
    public List<GuestChannel> channels() {
        if (config().settings().agentChannel() == AgentChannel.HYBRID_VSOCK) {
            return List.of(new GuestChannel.HybridVsock(socket("hybrid"), GuestChannel.AGENT_PORT));
        }
        return IntStream.range(0, config().detached() ? CHANNELS_OF_DETACHED : 1)
                .<GuestChannel>mapToObj(i -> new GuestChannel.VirtioSerial(socket("agent-" + i), false))
                .toList();
    }

    private Path socket(String name) {
        return config().directory().resolve(name + ".sock");
    }

    private <T> T call(String operation, Deadline deadline, Supplier<T> act) {
        return faults.runBounded(operation, deadline, machine.exit(), () -> {
            requireNotReleased(operation);
            return act.get();
        });
    }

    private void requireNotReleased(String operation) {
        if (released) {
            throw new HypervisorException("cannot " + operation + ": this machine was released");
        }
    }

    private void run(String operation, Deadline deadline, Runnable act) {
        boolean unused = call(operation, deadline, () -> {
            act.run();
            return true;
        });
    }

    @Override
    public String addDevice(Device device, Deadline deadline) {
        if (device instanceof Device.Shared shared) {
            return call("addDevice", deadline, () -> {
                machine.plugShare(shared);
                return shared.id();
            });
        }
        if (!(device instanceof Device.Block disk)) {
            throw new UnsupportedException("a fake machine takes no " + device);
        }
        return call("addDevice", deadline, () -> machine.plug(disk));
    }

    @Override
    public List<PluggedDisk> disks(Collection<String> ids, Deadline deadline) {
        return call("disks", deadline, () -> machine.disks(ids));
    }

    @Override
    public void save(Path state, Deadline deadline) {
        run("save", deadline, () -> {
            halt(true);
            states.write(state, machine.guest());
        });
    }

    /** What it is now, for {@link FakeHypervisor#copy}. */
    FakeGuest guest() {
        machine.requireAlive();
        return machine.guest();
    }

    @Override
    public String addCard(NetworkCard card, Deadline deadline) {
        return call("addCard", deadline, () -> machine.plugCard(card));
    }

    @Override
    public void removeDevice(String id, Deadline deadline) {
        run("removeDevice", deadline, () -> machine.unplug(id, deadline));
    }

    @Override
    public void pause(Deadline deadline) {
        run("pause", deadline, () -> halt(true));
    }

    @Override
    public void resume(Deadline deadline) {
        run("resume", deadline, () -> halt(false));
    }

    /** Halts the machine, or lets it go on, as somebody else with access to the hypervisor can. */
    public void halt(boolean halt) {
        machine.requireAlive();
        if (machine.guest().isHalted() != halt) {
            machine.guest().halt(halt);
            machine.tell(halt ? new VmEvent.Paused() : new VmEvent.Resumed());
        }
    }

    /** Makes the machine tell something. */
    public void tell(VmEvent event) {
        machine.tell(event);
    }

    @Override
    public void onEvent(Consumer<VmEvent> listener) {
        machine.listen(this, listener);
    }

    @Override
    public boolean isPaused(Deadline deadline) {
        return call("isPaused", deadline, () -> {
            machine.requireAlive();
            return machine.guest().isHalted();
        });
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
        faults.run("stop", deadline, machine.exit(), () -> {
            requireNotReleased("stop");
            machine.end("stopped");
        });
    }

    /** Ends a machine that is not detached. */
    @Override
    public void release() {
        faults.run("release", () -> {
            if (config().detached()) {
                released = true;
            } else {
                machine.end("released");
            }
        });
    }
}
