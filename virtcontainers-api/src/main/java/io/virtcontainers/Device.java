// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import io.virtcontainers.spi.Ids;
import java.nio.file.Path;

/** A device for the virtual machine of a sandbox. */
public sealed interface Device {
    /** Unique in the sandbox, also among the ids of its containers. */
    String id();

    /**
     * A disk, of the kind of {@link BlockConfig#driver}. Its address is of virtio-blk the PCI slots of the bridge and of the
     * disk, {@code 02/1e}; of virtio-scsi the target and the unit, {@code 7:0}.
     *
     * @param image a disk image, or a block device of the host
     * @param readOnly whether the guest may only read it
     * @param format of the image
     */
    record Block(String id, Path image, boolean readOnly, DiskFormat format) implements Device {
        public Block {
            Ids.require("device id", id);
        }

        /** A raw one. */
        public Block(String id, Path image, boolean readOnly) {
            this(id, image, readOnly, DiskFormat.RAW);
        }
    }

    /**
     * A directory or file of the host, live in the guest by virtio-fs: needs {@link SharedFs#VIRTIO_FS}. Its address is its
     * name in the directory that the machine shares. Symbolic links in the source are followed when it is added, never
     * later; those that the guest makes never leave the source.
     *
     * @param source an existing directory or regular file
     * @param readOnly whether the guest may only read it; what the host has mounted below the source is then not seen
     */
    record Shared(String id, Path source, boolean readOnly) implements Device {
        public Shared {
            Ids.require("device id", id);
        }
    }
}
