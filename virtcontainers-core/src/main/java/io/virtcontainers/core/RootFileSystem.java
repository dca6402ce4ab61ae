// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import io.virtcontainers.BlockDriver;
import io.virtcontainers.ContainerConfig;
import io.virtcontainers.Device;
import io.virtcontainers.GuestPath;
import io.virtcontainers.HypervisorConfig;
import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.RootFs;
import io.virtcontainers.spi.ContainerRoot;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.GuestImages;
import io.virtcontainers.spi.Phases;
import io.virtcontainers.spi.VirtualMachine;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;

/**
 * A container's root file system on its way into the guest.
 *
 * @param device what is plugged into the machine for it
 * @param driver by which the agent finds a disk
 */
record RootFileSystem(ContainerConfig config, Device device, String driver) {
    /** The super block and its magic: Linux, {@code fs/erofs/erofs_fs.h}. */
    private static final int EROFS_SUPER_OFFSET = 1024;

    private static final int EROFS_MAGIC = 0xE0F5E1E2;

    /** The first packing of a large directory may take minutes on a slow disk. */
    private static final Duration PACKING = Duration.ofMinutes(10);

    /**
     * Looks at the source, and packs a directory, which takes long; touches neither machine nor record.
     *
     * @throws InvalidConfigException if the source is not what it must be
     */
    static RootFileSystem prepare(
            ContainerConfig config, HypervisorConfig hypervisor, GuestImages images, Phases phases) {
        return new RootFileSystem(config, device(config, hypervisor, images, phases), driver(hypervisor));
    }

    private static Device device(
            ContainerConfig config, HypervisorConfig hypervisor, GuestImages images, Phases phases) {
        RootFs rootfs = config.rootfs();
        if (rootfs instanceof RootFs.Shared shared) {
            ContainerMounts.requireShared(hypervisor, "the root file system");
            requireDirectory(shared.path());
            return new Device.Shared(config.id(), shared.path(), config.readOnlyRootfs());
        } else if (rootfs instanceof RootFs.Disk disk) {
            if (!Files.exists(disk.path()) || Files.isDirectory(disk.path()) || !Files.isReadable(disk.path())) {
                throw new InvalidConfigException(
                        "disk of the root file system", disk.path().toString(), "is no file or block device to read");
            }
            return new Device.Block(config.id(), disk.path(), config.readOnlyRootfs(), disk.format());
        }
        return new Device.Block(config.id(), image(rootfs, images, phases), /* readOnly= */ true);
    }

    /**
     * The EROFS image of a directory, packed if need be, or that of the user.
     *
     * @param rootfs a directory or an image
     */
    static Path image(RootFs rootfs, GuestImages images, Phases phases) {
        if (rootfs instanceof RootFs.Directory directory) {
            return images.rootfsImage(directory.path(), phases, Deadline.after(PACKING));
        }
        Path image = ((RootFs.Image) rootfs).path().toAbsolutePath();
        requireErofs(image);
        return image;
    }

    /** How the agent calls disks of the machine. */
    static String driver(HypervisorConfig hypervisor) {
        return hypervisor.block().driver() == BlockDriver.VIRTIO_SCSI ? "scsi" : "blk";
    }

    private static void requireDirectory(Path path) {
        if (!Files.isDirectory(path)) {
            throw new InvalidConfigException("root file system", path.toString(), "is no directory");
        }
    }

    private static void requireErofs(Path image) {
        ByteBuffer magic = ByteBuffer.allocate(Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        try (FileChannel file = FileChannel.open(image)) {
            if (file.read(magic, EROFS_SUPER_OFFSET) != Integer.BYTES || magic.getInt(0) != EROFS_MAGIC) {
                throw new InvalidConfigException(
                        "root file system image", image.toString(), "is not an EROFS image: make one with mkfs.erofs");
            }
        } catch (IOException e) {
            throw new InvalidConfigException("root file system image", image.toString(), "cannot be read: " + e);
        }
    }

    /** Plugs it in; the agent mounts it. */
    ContainerRoot acquire(VirtualMachine machine, Deadline deadline) {
        String address = machine.addDevice(device, deadline);
        if (config.rootfs() instanceof RootFs.Shared) {
            GuestPath shared = ContainerMounts.shared(address);
            return config.readOnlyRootfs() ? ContainerRoot.layered(config.id(), shared) : ContainerRoot.at(shared);
        } else if (config.rootfs() instanceof RootFs.Disk disk) {
            return ContainerRoot.disk(config.id(), driver, address, disk.fileSystem(), config.readOnlyRootfs());
        }
        return ContainerRoot.layered(config.id(), driver, address);
    }
}
