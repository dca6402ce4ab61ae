// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import io.virtcontainers.RootFs;
import io.virtcontainers.VirtContainers;
import io.virtcontainers.testkit.FakeAgents;
import io.virtcontainers.testkit.FakeGuestImages;
import io.virtcontainers.testkit.FakeHypervisor;
import io.virtcontainers.testkit.SandboxTck;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;

/** The engine on fakes. */
class FakeSandboxTckTest extends SandboxTck {
    @TempDir
    static Path rootfs;

    @Override
    protected VirtContainers open(Path stateDirectory) {
        return Engine.open(
                stateDirectory,
                () -> new Backends(FakeHypervisor.withProcesses(), new FakeAgents(), new FakeGuestImages()));
    }

    @Override
    protected RootFs rootfs() {
        return RootFs.directory(rootfs);
    }

    @Override
    protected List<String> exitWith(int code) {
        return List.of("exit", Integer.toString(code));
    }
}
