// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import io.virtcontainers.testkit.AgentSession;
import io.virtcontainers.testkit.AgentTck;
import io.virtcontainers.testkit.BusyboxRootFs;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;

/** The Kata agent's client and the guest's agent. */
@Tag("vm")
class AgentTckVmTest extends AgentTck {
    @TempDir
    static Path directory;

    private @Nullable Path rootfs;

    @Override
    protected AgentSession open() {
        try {
            if (rootfs == null) {
                rootfs = RealBackends.rootfsImage(BusyboxRootFs.create(directory.resolve("busybox")));
            }
            return new RealAgentSession(Files.createTempDirectory("vct"), rootfs);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    protected List<String> exitWith(int code) {
        return List.of("sh", "-c", "exit " + code);
    }
}
