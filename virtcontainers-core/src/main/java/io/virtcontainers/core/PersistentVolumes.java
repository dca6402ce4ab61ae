// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import io.virtcontainers.ContainerConfig;
import io.virtcontainers.Device;
import io.virtcontainers.GuestPath;
import io.virtcontainers.HypervisorConfig;
import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.Mount;
import io.virtcontainers.VirtException;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.GuestStorage;
import io.virtcontainers.spi.VirtualMachine;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;

/**
 * Persistent memory on its way into containers. Nothing of it is in the journal: it cannot be unplugged, and ends with the
 * machine.
 */
final class PersistentVolumes {
    private static final long ALIGNMENT = 2 << 20;
    private static final int HASH_BYTES = 10;

    /**
     * By this Linux gives persistent memory pages, without which no file system has dax: {@code struct nd_pfn_sb} of Linux,
     * {@code drivers/nvdimm/pfn.h}, as {@code ndctl} and the makers of Kata's images write it.
     */
    private static final byte[] PAGES_MAGIC = "NVDIMM_PFN_INFO\0".getBytes(StandardCharsets.US_ASCII);

    private static final int PAGES_HEADER = 4096;
    private static final int PAGES_DATA_OFFSET = PAGES_HEADER + 56;

    /** Of ext4: the base-2 logarithm of the size of a block, in KiB. */
    private static final int EXT4_LOG_BLOCK = 1024 + 24;

    /** The only size of a block that Linux maps on x86. */
    private static final int EXT4_LOG_PAGE = 2;

    private PersistentVolumes() {}

    /** @throws InvalidConfigException if it cannot be persistent memory of this machine */
    static void check(Mount.Persistent mount, ContainerConfig config, HypervisorConfig hypervisor) {
        Path image = mount.image();
        if (hypervisor.memory().persistent().bytes() == 0) {
            throw refused(mount, "needs a sandbox with room for it: GuestMemoryConfig.persistent");
        }
        if (!Files.exists(image) || Files.isDirectory(image) || !Files.isReadable(image)) {
            throw refused(mount, "is no file or block device that can be read");
        }
        long size = size(image);
        if (size == 0 || size % ALIGNMENT != 0) {
            throw refused(
                    mount,
                    "has " + size
                            + " bytes, no multiple of 2 MiB as persistent memory needs: lengthen it (\"truncate -s"
                            + " %2M\"), or give it as a disk");
        }
        if (size > hypervisor.memory().persistent().bytes()) {
            throw refused(
                    mount,
                    "has " + size + " bytes, more than GuestMemoryConfig.persistent of the sandbox, "
                            + hypervisor.memory().persistent());
        }
        boolean otherwise = config.mounts().stream()
                .anyMatch(other -> other instanceof Mount.Persistent same
                        && identity(same.image()).equals(identity(image))
                        && (same.readOnly() != mount.readOnly()
                                || !same.fileSystem().equals(mount.fileSystem())));
        if (otherwise) {
            throw refused(mount, "is named twice, with different modes or file systems");
        }
    }

    private static InvalidConfigException refused(Mount.Persistent mount, String problem) {
        return new InvalidConfigException(
                "image of the mount on " + mount.destination(), mount.image().toString(), problem);
    }

    private static long size(Path image) {
        try (FileChannel channel = FileChannel.open(image)) {
            return channel.size(); // of a block device too
        } catch (IOException e) {
            throw new VirtException("cannot look at " + image + ": " + e, e);
        }
    }

    /** What is mounted once for all containers that name the file. */
    static GuestStorage plug(Mount.Persistent mount, GuestPath places, VirtualMachine machine, Deadline deadline) {
        String id = "persistent-" + hash(identity(mount.image()).toString());
        String address = machine.addDevice(new Device.Persistent(id, mount.image(), mount.readOnly()), deadline);
        List<String> options = new ArrayList<>(List.of(mount.readOnly() ? "ro" : "rw"));
        if (allowsDax(mount)) {
            options.add("dax");
        }
        return new GuestStorage("nvdimm", address, mount.fileSystem(), options, places.resolve(id));
    }

    private static Path identity(Path image) {
        try {
            return image.toRealPath();
        } catch (IOException e) {
            throw new VirtException("cannot look at " + image + ": " + e, e);
        }
    }

    /** Other file systems of Linux do without it if they must. */
    private static boolean allowsDax(Mount.Persistent mount) {
        try (FileChannel channel = FileChannel.open(mount.image())) {
            if (!Arrays.equals(read(channel, PAGES_HEADER, PAGES_MAGIC.length).array(), PAGES_MAGIC)) {
                return false;
            }
            long data = read(channel, PAGES_DATA_OFFSET, Long.BYTES).getLong(0);
            return switch (mount.fileSystem()) {
                case "erofs", "xfs" -> true;
                case "ext4" ->
                    data >= 0
                            && data < channel.size()
                            && read(channel, data + EXT4_LOG_BLOCK, Integer.BYTES)
                                            .getInt(0)
                                    == EXT4_LOG_PAGE;
                default -> false;
            };
        } catch (IOException e) {
            throw new VirtException("cannot read " + mount.image() + ": " + e, e);
        }
    }

    /** With zeros for what is behind the end. */
    private static ByteBuffer read(FileChannel channel, long position, int length) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(length).order(ByteOrder.LITTLE_ENDIAN);
        while (buffer.hasRemaining() && channel.read(buffer, position + buffer.position()) > 0) {}
        return buffer;
    }

    private static String hash(String text) {
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().formatHex(digest, 0, HASH_BYTES);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }
}
