// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.spi;

import io.virtcontainers.GuestPath;
import java.util.List;

/**
 * A mount for the agent to make, with the fields of the Kata agent's {@code grpc.Storage}. Equal ones at one mount point are
 * one mount, which the last user unmounts.
 *
 * @param driver how the agent finds the source: {@code blk}, {@code scsi}, {@code mmioblk}, {@code nvdimm} (disks), {@code
 *     9p}, {@code virtio-fs} (the host's files), {@code overlayfs}, {@code ephemeral} (memory), {@code local} (a directory)
 * @param source by driver: the PCI path {@code 02/1e} or a device of the guest (blk), {@code id:lun} (scsi), a device of the
 *     guest or the first physical address {@code 0x140000000} (nvdimm), a mount tag (9p, virtio-fs); else a name without meaning
 * @param fileSystem the file system of a disk; tmpfs or hugetlbfs for ephemeral; may be empty where the driver tells it
 * @param options of mount(8); {@code mode=} for local, {@code pagesize=} and {@code size=} for hugetlbfs
 * @param mountPoint below {@code /run/kata-containers}; the agent makes the directories
 */
public record GuestStorage(
        String driver, String source, String fileSystem, List<String> options, GuestPath mountPoint) {
    public GuestStorage {
        options = List.copyOf(options);
    }
}
