// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.spi;

import io.virtcontainers.HypervisorConfig;
import io.virtcontainers.MemorySize;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * A virtual machine to launch.
 *
 * @param sandboxId the sandbox it belongs to
 * @param directory an existing private directory of the sandbox, for the backend's sockets and files
 * @param vcpus virtual processors, at least 1
 * @param memory the guest's memory
 * @param detached whether the machine outlives this Java process, and has channels for several processes
 * @param settings what the user chose
 * @param image what it boots
 * @param kernelParameters what the agent needs on the kernel's command line; the user's come after these
 * @param cards its network cards, in the order in which the guest finds them
 * @param networkNamespace the network namespace of the host in which the hypervisor runs, where its taps are; empty: that of
 *     this process
 * @param memoryImage whether its memory is that of a template
 * @param disks those that it has from the start, as if they had been plugged in
 */
public record VmConfig(
        String sandboxId,
        Path directory,
        int vcpus,
        MemorySize memory,
        boolean detached,
        HypervisorConfig settings,
        GuestImage image,
        List<String> kernelParameters,
        List<NetworkCard> cards,
        Optional<Path> networkNamespace,
        MemoryImage memoryImage,
        List<PluggedDisk> disks) {
    /** By which the guest mounts the directory of {@link io.virtcontainers.Device.Shared}, as in Kata Containers 1.x. */
    public static final String SHARE_TAG = "kataShared";

    public VmConfig {
        kernelParameters = List.copyOf(kernelParameters);
        cards = List.copyOf(cards);
        disks = List.copyOf(disks);
    }

    /** A machine with no card and nothing shared, that boots. */
    public VmConfig(
            String sandboxId,
            Path directory,
            int vcpus,
            MemorySize memory,
            boolean detached,
            HypervisorConfig settings,
            GuestImage image,
            List<String> kernelParameters) {
        this(
                sandboxId,
                directory,
                vcpus,
                memory,
                detached,
                settings,
                image,
                kernelParameters,
                List.of(),
                Optional.empty(),
                MemoryImage.none(),
                List.of());
    }

    /** The same with these cards, in this network namespace. */
    public VmConfig withNetwork(List<NetworkCard> newCards, Optional<Path> newNetworkNamespace) {
        return with(next -> {
            next.cards = newCards;
            next.networkNamespace = newNetworkNamespace;
        });
    }

    /** The same with another relation to a template. */
    public VmConfig withMemoryImage(MemoryImage newMemoryImage) {
        return with(next -> next.memoryImage = newMemoryImage);
    }

    /** The same, so large when it starts. */
    public VmConfig withSize(MachineSize size) {
        return with(next -> next.size = size);
    }

    /** The same in another directory. */
    public VmConfig in(Path newDirectory) {
        return with(next -> next.directory = newDirectory);
    }

    /** The same with these disks. */
    public VmConfig withDisks(List<PluggedDisk> newDisks) {
        return with(next -> next.disks = newDisks);
    }

    /** The same machine for another sandbox, in another directory, with no card. */
    public VmConfig of(String newSandboxId, Path newDirectory) {
        return with(next -> {
            next.sandboxId = newSandboxId;
            next.directory = newDirectory;
            next.cards = List.of();
            next.networkNamespace = Optional.empty();
        });
    }

    private VmConfig with(Consumer<Changed> change) {
        Changed next = new Changed(this);
        change.accept(next);
        return new VmConfig(
                next.sandboxId,
                next.directory,
                next.size.vcpus(),
                next.size.memory(),
                detached,
                settings,
                image,
                kernelParameters,
                next.cards,
                next.networkNamespace,
                next.memoryImage,
                next.disks);
    }

    /** What can differ between two configurations of one machine. */
    private static final class Changed {
        private String sandboxId;
        private Path directory;
        private MachineSize size;
        private List<NetworkCard> cards;
        private Optional<Path> networkNamespace;
        private MemoryImage memoryImage;
        private List<PluggedDisk> disks;

        private Changed(VmConfig old) {
            this.sandboxId = old.sandboxId;
            this.directory = old.directory;
            this.size = new MachineSize(old.vcpus, old.memory);
            this.cards = old.cards;
            this.networkNamespace = old.networkNamespace;
            this.memoryImage = old.memoryImage;
            this.disks = old.disks;
        }
    }
}
