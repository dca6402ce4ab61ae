// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import io.virtcontainers.Container;
import io.virtcontainers.ContainerConfig;
import io.virtcontainers.Device;
import io.virtcontainers.ProcessConfig;
import io.virtcontainers.Resources;
import io.virtcontainers.RootFs;
import io.virtcontainers.Sandbox;
import io.virtcontainers.SandboxConfig;
import io.virtcontainers.VirtContainers;
import java.nio.file.Path;
import java.time.Duration;

/** A sandbox's whole life: every operation that acquires, changes or gives back something, in one go. */
final class Life {
    static final String ID = "life";

    private Life() {}

    static void live(VirtContainers engine, Path rootfs, boolean detached) {
        Sandbox sandbox = engine.create(SandboxConfig.builder(ID)
                .detached(detached)
                .bootDeadline(Duration.ofSeconds(3))
                .build());
        sandbox.start();
        Container container = sandbox.createContainer(ContainerConfig.builder("c")
                .rootfs(RootFs.directory(rootfs))
                .command("sleep", "1000")
                .build());
        container.start();
        container.exec(ProcessConfig.of("true")).waitFor(Duration.ofSeconds(10));
        container.pause();
        container.resume();
        container.update(Resources.builder().pidsLimit(100).build());
        sandbox.addDevice(new Device.Block("d", rootfs.resolveSibling("disk"), false));
        sandbox.pause();
        sandbox.resume();
        sandbox.status();
        sandbox.removeDevice("d");
        container.stop();
        container.start();
        container.delete();
        sandbox.createContainer(ContainerConfig.builder("c2")
                .rootfs(RootFs.directory(rootfs))
                .command("sleep", "1000")
                .build());
        sandbox.stop();
        sandbox.start();
        sandbox.delete();
    }
}
