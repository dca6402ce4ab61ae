// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import io.virtcontainers.Container;
import io.virtcontainers.ContainerConfig;
import io.virtcontainers.RootFs;
import io.virtcontainers.Sandbox;
import io.virtcontainers.SandboxConfig;
import io.virtcontainers.VirtContainers;
import io.virtcontainers.testkit.FakeAgents;
import io.virtcontainers.testkit.FakeGuestImages;
import io.virtcontainers.testkit.FakeHypervisor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** An engine on fakes, in a directory of its own. */
final class EngineFixture implements AutoCloseable {
    final FakeHypervisor hypervisor = new FakeHypervisor();
    final FakeAgents agents = new FakeAgents();
    final FakeGuestImages images = new FakeGuestImages();
    final Path state;
    final Path rootfs;
    final VirtContainers engine;

    EngineFixture(Path directory) throws IOException {
        state = directory.resolve("state");
        rootfs = Files.createDirectories(directory.resolve("rootfs"));
        engine = Engine.open(state, () -> new Backends(hypervisor, agents, images));
    }

    Sandbox running(String id) {
        return engine.run(SandboxConfig.builder(id).build());
    }

    Container container(Sandbox sandbox, String id, String... command) {
        return sandbox.createContainer(ContainerConfig.builder(id)
                .rootfs(RootFs.directory(rootfs))
                .command(command)
                .build());
    }

    List<Path> sandboxDirectories() throws IOException {
        try (Stream<Path> files = Files.list(state.resolve("sandboxes"))) {
            return files.toList();
        }
    }

    @Override
    public void close() {
        engine.close();
    }
}
