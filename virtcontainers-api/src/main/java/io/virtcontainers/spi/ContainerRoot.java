// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.spi;

import io.virtcontainers.GuestPath;
import java.util.List;

/**
 * A container's root file system in the guest.
 *
 * @param path where it is, the {@code root.path} of the container's specification
 * @param storages what the agent mounts for it, in this order
 */
public record ContainerRoot(GuestPath path, List<GuestStorage> storages) {
    /** The place that Kata's host and agent agree on. */
    private static final GuestPath SHARED = GuestPath.of("/run/kata-containers/shared/containers");

    // Not below /run/kata-containers/<id> or .../containers/<id>: agents keep their bundles there.
    private static final GuestPath LAYERS = GuestPath.of("/run/kata-containers/rootfs");

    public ContainerRoot {
        storages = List.copyOf(storages);
    }

    /**
     * A disk with EROFS that is read only, under an overlay in the guest's memory.
     *
     * @param driver {@code blk} or {@code scsi}, see {@link GuestStorage}
     * @param address what {@link VirtualMachine#addDevice} returned for the disk
     */
    public static ContainerRoot layered(String containerId, String driver, String address) {
        GuestPath lower = LAYERS.resolve(containerId).resolve("lower");
        return new ContainerRoot(
                place(containerId),
                List.of(new GuestStorage(driver, address, "erofs", List.of("ro"), lower), overlay(containerId, lower)));
    }

    /**
     * A directory that is in the guest already, read only, under an overlay in the guest's memory: so the directories on
     * which something is mounted can be made.
     */
    public static ContainerRoot layered(String containerId, GuestPath lower) {
        return new ContainerRoot(place(containerId), List.of(overlay(containerId, lower)));
    }

    private static GuestStorage overlay(String containerId, GuestPath lower) {
        GuestPath layers = LAYERS.resolve(containerId);
        return new GuestStorage(
                "overlayfs",
                "overlay",
                "overlay",
                List.of(
                        "lowerdir=" + lower,
                        "upperdir=" + layers.resolve("upper"),
                        "workdir=" + layers.resolve("work")),
                place(containerId));
    }

    /** A disk whose file system is the container's, and keeps what it writes. */
    public static ContainerRoot disk(
            String containerId, String driver, String address, String fileSystem, boolean readOnly) {
        GuestPath root = place(containerId);
        return new ContainerRoot(
                root, List.of(new GuestStorage(driver, address, fileSystem, List.of(readOnly ? "ro" : "rw"), root)));
    }

    /** A directory that is in the guest already. */
    public static ContainerRoot at(GuestPath path) {
        return new ContainerRoot(path, List.of());
    }

    private static GuestPath place(String containerId) {
        return SHARED.resolve(containerId).resolve("rootfs");
    }
}
