// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.virtcontainers.HypervisorConfig;
import io.virtcontainers.SharedFs;
import io.virtcontainers.SharedFsConfig;
import io.virtcontainers.UnsupportedException;
import io.virtcontainers.spi.MemoryImage;
import io.virtcontainers.spi.VmConfig;

/** Refuses by name what this backend cannot do, before it starts anything. */
final class UnsupportedSettings {
    private UnsupportedSettings() {}

    static void refuse(VmConfig config) {
        HypervisorConfig settings = config.settings();
        SharedFsConfig share = settings.sharedFs();
        boolean virtioFs = share.type() == SharedFs.VIRTIO_FS;
        boolean live = share.type() != SharedFs.NONE;
        refuse(virtioFs && share.daxSize().bytes() > 0, "sharedFs daxSize", share.daxSize());
        refuse(live && settings.user().isPresent(), "sharedFs with user", settings.user());
        boolean hasPci = MachineModel.of(settings.machine().type()).hasPci();
        refuse(virtioFs && !hasPci, "sharedFs on machine", settings.machine().type());
        boolean template = !(config.memoryImage() instanceof MemoryImage.None);
        refuse(live && template, "sharedFs with memory image", config.memoryImage());
        if (share.type() == SharedFs.VIRTIO_9P && !RunAs.isRoot()) {
            throw new UnsupportedException(
                    "sharedFs VIRTIO_9P needs root, for a mount namespace and for the owners of files:"
                            + " use SharedFs.NONE");
        }
    }

    private static void refuse(boolean unsupported, String setting, Object value) {
        if (unsupported) {
            throw new UnsupportedException("QEMU backend: " + setting + " " + value + " is not supported yet");
        }
    }
}
