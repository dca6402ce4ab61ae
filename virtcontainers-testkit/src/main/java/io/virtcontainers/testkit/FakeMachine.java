// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.testkit;

import io.virtcontainers.Device;
import io.virtcontainers.HostProcess;
import io.virtcontainers.HypervisorException;
import io.virtcontainers.VmDiedException;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.GuestChannel;
import io.virtcontainers.spi.NetworkCard;
import io.virtcontainers.spi.PluggedDisk;
import io.virtcontainers.spi.VmConfig;
import io.virtcontainers.spi.VmEvent;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** What all {@link FakeVirtualMachine}s of one sandbox directory have in common: the machine itself. Thread-safe. */
final class FakeMachine {
    private static final Map<Path, FakeMachine> RUNNING = new ConcurrentHashMap<>();
    private static final int LAST_SLOT = 30;
    private static final int HEX = 16;

    private final VmConfig config;
    private final Map<String, Disk> disks = new LinkedHashMap<>();
    private final Set<String> shares = new HashSet<>();
    private final FakeGuest guest;
    private final Map<FakeVirtualMachine, Consumer<VmEvent>> listeners = new ConcurrentHashMap<>();
    private final CompletableFuture<String> exit = new CompletableFuture<>();
    private final AtomicReference<String> reason = new AtomicReference<>("");
    private final Optional<Process> child;
    private final HostProcess process;

    private record Disk(Device.Block device, int slot) {
        static Disk of(PluggedDisk plugged) {
            String address = plugged.address();
            return new Disk(plugged.disk(), Integer.parseInt(address.substring(address.indexOf('/') + 1), HEX));
        }

        String address() {
            return String.format("02/%02x", slot);
        }
    }

    private FakeMachine(VmConfig config, Optional<Process> child, Optional<FakeGuest> saved) {
        this.config = config;
        this.guest = saved.map(from -> from.restored(this::hasDiskAt)).orElseGet(() -> new FakeGuest(this::hasDiskAt));
        config.disks().forEach(disk -> disks.put(disk.disk().id(), Disk.of(disk)));
        this.child = child;
        this.process = child.map(own -> HostProcess.of(own.pid())).orElseGet(HostProcess::current);
        child.ifPresent(own -> {
            var unused = own.onExit().thenRun(() -> end("its process was killed"));
        });
    }

    /**
     * @param ownProcess whether it has a process of its own, which ends with this Java process too
     * @param saved what it goes on from
     */
    static FakeMachine boot(VmConfig config, boolean ownProcess, Optional<FakeGuest> saved) {
        FakeMachine machine = new FakeMachine(config, ownProcess ? Optional.of(startChild()) : Optional.empty(), saved);
        if (RUNNING.putIfAbsent(key(config.directory()), machine) != null) {
            machine.kill();
            throw new HypervisorException("a machine runs in " + config.directory() + " already");
        }
        try {
            Files.writeString(config.directory().resolve("fake-vm"), config.sandboxId());
        } catch (IOException e) {
            machine.end("never booted");
            throw new HypervisorException("cannot write to " + config.directory() + ": " + e, e);
        }
        return machine;
    }

    /** Reads from a pipe of this Java process, and so ends when that does, however it ends. */
    private static Process startChild() {
        try {
            return new ProcessBuilder("cat")
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                    .redirectError(ProcessBuilder.Redirect.DISCARD)
                    .start();
        } catch (IOException e) {
            throw new HypervisorException("cannot start cat as the machine's process: " + e, e);
        }
    }

    private void kill() {
        child.ifPresent(own -> own.destroyForcibly().onExit().join());
    }

    HostProcess process() {
        return process;
    }

    static Optional<FakeMachine> in(Path directory) {
        return Optional.ofNullable(RUNNING.get(key(directory)));
    }

    /** The guest of the machine whose channel this is; one that never answers if there is no such machine. */
    static FakeGuest guestBehind(GuestChannel channel) {
        Optional<FakeMachine> machine =
                socketOf(channel).map(Path::toAbsolutePath).map(Path::getParent).flatMap(FakeMachine::in);
        return machine.map(found -> found.guest).orElseGet(() -> {
            FakeGuest nobody = new FakeGuest(address -> false);
            nobody.end();
            return nobody;
        });
    }

    private static Optional<Path> socketOf(GuestChannel channel) {
        if (channel instanceof GuestChannel.VirtioSerial port) {
            return Optional.of(port.socket());
        }
        return channel instanceof GuestChannel.HybridVsock hybrid ? Optional.of(hybrid.socket()) : Optional.empty();
    }

    private static Path key(Path directory) {
        return directory.toAbsolutePath().normalize();
    }

    /** Ends it, unless it has ended. */
    void end(String why) {
        reason.compareAndSet("", why);
        RUNNING.remove(key(config.directory()), this);
        guest.end();
        kill();
        exit.complete(reason.get());
    }

    /** @param machine whose listener it is, in place of its last one */
    void listen(FakeVirtualMachine machine, Consumer<VmEvent> listener) {
        listeners.put(machine, listener);
    }

    void tell(VmEvent event) {
        listeners.forEach((machine, listener) -> {
            if (!machine.isReleased()) {
                listener.accept(event);
            }
        });
    }

    CompletableFuture<String> exit() {
        return exit;
    }

    VmConfig config() {
        return config;
    }

    FakeGuest guest() {
        return guest;
    }

    void requireAlive() {
        if (exit.isDone()) {
            throw new VmDiedException("the machine has ended: " + exit.join());
        }
    }

    synchronized Map<String, Path> disks() {
        return disks.entrySet().stream()
                .collect(Collectors.toUnmodifiableMap(
                        Map.Entry::getKey, disk -> disk.getValue().device().image()));
    }

    private synchronized boolean hasDiskAt(String address) {
        return disks.values().stream().anyMatch(disk -> disk.address().equals(address));
    }

    synchronized List<PluggedDisk> disks(Collection<String> ids) {
        return disks.values().stream()
                .filter(disk -> ids.contains(disk.device().id())
                        && !shares.contains(disk.device().id()))
                .map(disk -> new PluggedDisk(disk.device(), disk.address()))
                .toList();
    }

    /** What is plugged in, but is no disk. */
    synchronized void plugShare(Device.Shared share) {
        String unused = plug(new Device.Block(share.id(), share.source(), /* readOnly= */ true));
        shares.add(share.id());
    }

    synchronized String plug(Device.Block device) {
        String id = device.id();
        Path image = device.image();
        requireAlive();
        if (disks.containsKey(id)) {
            throw new HypervisorException("disk " + id + " is plugged in already");
        }
        if (!Files.isReadable(image)) {
            throw new HypervisorException("cannot open the image " + image + " of disk " + id);
        }
        int slot = IntStream.rangeClosed(1, LAST_SLOT)
                .filter(candidate -> disks.values().stream().noneMatch(disk -> disk.slot() == candidate))
                .findFirst()
                .orElseThrow(() -> new HypervisorException("no free slot for another disk"));
        Disk disk = new Disk(device, slot);
        disks.put(id, disk);
        return disk.address();
    }

    synchronized String plugCard(NetworkCard card) {
        String address = plug(new Device.Block(card.id(), Path.of("/dev/null"), /* readOnly= */ true));
        shares.add(card.id());
        guest.network().appear(card.id(), card.hardwareAddress());
        return address;
    }

    void unplug(String id, Deadline deadline) {
        guest.awaitWork(deadline, "the release of disk " + id + " by the guest");
        requireAlive();
        synchronized (this) {
            disks.remove(id);
            shares.remove(id);
            guest.network().disappear(id);
        }
    }
}
