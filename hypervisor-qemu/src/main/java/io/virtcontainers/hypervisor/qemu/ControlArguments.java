// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.virtcontainers.spi.NetworkCard;
import io.virtcontainers.spi.VmConfig;
import java.util.ArrayList;
import java.util.List;

/**
 * How QEMU is controlled and the guest's console is read, on QEMU's command line. QEMU connects to sockets on which this
 * process listens already: no polling for a socket to appear, and no byte of the console is lost. When this process is
 * gone, QEMU drops what it would write to them.
 */
final class ControlArguments {
    private ControlArguments() {}

    static List<String> of(VmConfig config) {
        SandboxFiles files = new SandboxFiles(config.directory());
        List<String> line = new ArrayList<>();
        line.addAll(List.of("-chardev", "socket,id=qmp,server=off,path=" + QemuCommandLine.escape(files.qmpSocket())));
        line.addAll(List.of("-mon", "chardev=qmp,mode=control"));
        line.addAll(List.of(
                "-chardev", "socket,id=console,server=off,path=" + QemuCommandLine.escape(files.consoleSocket())));
        line.addAll(List.of("-serial", "chardev:console"));
        if (config.detached()) {
            // For the processes that come later.
            line.addAll(List.of(
                    "-chardev",
                    "socket,id=control,server=on,wait=off,path=" + QemuCommandLine.escape(files.controlSocket())));
            line.addAll(List.of("-mon", "chardev=control,mode=control"));
        }
        // QEMU does not find them by name: they are given to it open, those of later too.
        if (config.cards().stream().anyMatch(card -> card instanceof NetworkCard.Macvtap)) {
            line.addAll(openFiles(files));
        }
        return line;
    }

    /** A further monitor, which takes open files: see {@link FileSender}. */
    static List<String> openFiles(SandboxFiles files) {
        return List.of(
                "-chardev",
                "socket,id=files,server=on,wait=off,path=" + QemuCommandLine.escape(files.filesSocket()),
                "-mon",
                "chardev=files,mode=control");
    }
}
