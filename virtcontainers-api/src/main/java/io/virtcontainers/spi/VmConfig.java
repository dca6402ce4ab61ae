// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.spi;

import io.virtcontainers.HypervisorConfig;
import io.virtcontainers.MemorySize;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

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
        return new VmConfig(
                sandboxId,
                directory,
                vcpus,
                memory,
                detached,
                settings,
                image,
                kernelParameters,
                newCards,
                newNetworkNamespace,
                memoryImage,
                disks);
    }

    /** The same with another relation to a template. */
    public VmConfig withMemoryImage(MemoryImage newMemoryImage) {
        return new VmConfig(
                sandboxId,
                directory,
                vcpus,
                memory,
                detached,
                settings,
                image,
                kernelParameters,
                cards,
                networkNamespace,
                newMemoryImage,
                disks);
    }

    /** The same in another directory. */
    public VmConfig in(Path newDirectory) {
        return new VmConfig(
                sandboxId,
                newDirectory,
                vcpus,
                memory,
                detached,
                settings,
                image,
                kernelParameters,
                cards,
                networkNamespace,
                memoryImage,
                disks);
    }

    /** The same with these disks. */
    public VmConfig withDisks(List<PluggedDisk> newDisks) {
        return new VmConfig(
                sandboxId,
                directory,
                vcpus,
                memory,
                detached,
                settings,
                image,
                kernelParameters,
                cards,
                networkNamespace,
                memoryImage,
                newDisks);
    }
}
