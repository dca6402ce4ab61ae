// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import io.virtcontainers.testkit.BusyboxRootFs;
import io.virtcontainers.testkit.SandboxTck;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;

/** The engine on QEMU and the guest's agent. */
@Tag("vm")
class SandboxTckVmTest extends SandboxTck {
    @TempDir
    static Path directory;

    private static RootFs rootfs;

    @BeforeAll
    static void pack() throws IOException {
        rootfs = RootFs.directory(BusyboxRootFs.create(directory.resolve("busybox")));
    }

    @Override
    protected VirtContainers open(Path stateDirectory) {
        return VirtContainers.builder().stateDirectory(stateDirectory).open();
    }

    @Override
    protected RootFs rootfs() {
        return rootfs;
    }

    @Override
    protected List<String> exitWith(int code) {
        return List.of("sh", "-c", "exit " + code);
    }
}
