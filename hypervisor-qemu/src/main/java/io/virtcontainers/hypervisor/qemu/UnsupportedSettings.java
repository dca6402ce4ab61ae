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
        refuse(share.type() == SharedFs.VIRTIO_9P, "sharedFs", share.type());
        boolean virtioFs = share.type() == SharedFs.VIRTIO_FS;
        refuse(virtioFs && share.daxSize().bytes() > 0, "sharedFs daxSize", share.daxSize());
        refuse(virtioFs && settings.user().isPresent(), "sharedFs with user", settings.user());
        boolean hasPci = MachineModel.of(settings.machine().type()).hasPci();
        refuse(virtioFs && !hasPci, "sharedFs on machine", settings.machine().type());
        boolean template = !(config.memoryImage() instanceof MemoryImage.None);
        refuse(virtioFs && template, "sharedFs with memory image", config.memoryImage());
    }

    private static void refuse(boolean unsupported, String setting, Object value) {
        if (unsupported) {
            throw new UnsupportedException("QEMU backend: " + setting + " " + value + " is not supported yet");
        }
    }
}
