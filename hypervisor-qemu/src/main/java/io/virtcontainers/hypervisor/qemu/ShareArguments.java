// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.virtcontainers.HypervisorConfig;
import io.virtcontainers.SharedFs;
import io.virtcontainers.spi.VmConfig;
import java.util.List;

/** The shared directory on QEMU's command line. */
final class ShareArguments {
    private static final int QUEUE = 1024;

    private ShareArguments() {}

    static boolean isVirtioFs(VmConfig config) {
        return config.settings().sharedFs().type() == SharedFs.VIRTIO_FS;
    }

    static boolean is9p(HypervisorConfig settings) {
        return settings.sharedFs().type() == SharedFs.VIRTIO_9P;
    }

    static List<String> of(VmConfig config, SandboxFiles files) {
        return switch (config.settings().sharedFs().type()) {
            case NONE -> List.of();
            case VIRTIO_FS ->
                List.of(
                        "-chardev",
                        "socket,id=share,path=" + QemuCommandLine.escape(files.shareSocket()),
                        "-device",
                        "vhost-user-fs-pci,id=share0,chardev=share,tag=" + VmConfig.SHARE_TAG + ",queue-size=" + QUEUE);
            // passthrough: an owner or mode that cannot be set is an error in the guest. remap: sources on several file
            // systems have different numbers of inodes.
            case VIRTIO_9P ->
                List.of(
                        "-fsdev",
                        "local,id=share,security_model=passthrough,multidevs=remap,path="
                                + QemuCommandLine.escape(files.shareDirectory()),
                        "-device",
                        VirtioDevice.of(
                                config.settings().machine(),
                                "virtio-9p",
                                "id=share0",
                                "fsdev=share",
                                "mount_tag=" + VmConfig.SHARE_TAG));
        };
    }
}
