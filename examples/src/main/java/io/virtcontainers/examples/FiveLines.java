// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.examples;

import io.virtcontainers.Container;
import io.virtcontainers.ContainerConfig;
import io.virtcontainers.ExitStatus;
import io.virtcontainers.MemorySize;
import io.virtcontainers.RootFs;
import io.virtcontainers.Sandbox;
import io.virtcontainers.SandboxConfig;
import io.virtcontainers.VirtContainers;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;

/** The example of the README, step by step. */
final class FiveLines {
    private FiveLines() {}

    static ExitStatus run(Path rootfs) throws IOException {
        // README:begin
        try (VirtContainers vc = VirtContainers.open();
                Sandbox sandbox = vc.run(SandboxConfig.builder("demo")
                        .vcpus(1)
                        .memory(MemorySize.mib(256))
                        .build())) {
            Container container = sandbox.createContainer(ContainerConfig.builder("hello")
                    .rootfs(RootFs.directory(rootfs))
                    .command("uname", "-a")
                    .build());
            container.start();
            container.process().stdout().transferTo(System.out);
            return container.process().waitFor(Duration.ofSeconds(30));
        } // the VM is gone, its files are gone
        // README:end
    }
}
