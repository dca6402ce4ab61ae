// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

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

    static List<String> of(VmConfig config, SandboxFiles files) {
        return isVirtioFs(config)
                ? List.of(
                        "-chardev",
                        "socket,id=share,path=" + QemuCommandLine.escape(files.shareSocket()),
                        "-device",
                        "vhost-user-fs-pci,id=share0,chardev=share,tag=" + VmConfig.SHARE_TAG + ",queue-size=" + QUEUE)
                : List.of();
    }
}
