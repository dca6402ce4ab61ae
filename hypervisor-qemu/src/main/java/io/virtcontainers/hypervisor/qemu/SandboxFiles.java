// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.virtcontainers.InvalidConfigException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Where QEMU's files are in a sandbox directory. The engine deletes the directory, so nobody deletes them one by one.
 *
 * @param directory absolute and normalised, so that the same directory always gives the same command line
 */
record SandboxFiles(Path directory) {
    /** The size of {@code sun_path} on Linux, without its terminating zero. */
    private static final int MAX_SOCKET_PATH_BYTES = 107;

    private static final int DETACHED_AGENT_PORTS =
            20; // each costs the guest half a MiB, for the buffers of its driver

    SandboxFiles {
        directory = directory.toAbsolutePath().normalize();
    }

    Path pidFile() {
        return directory.resolve("qemu.pid");
    }

    Path qmpSocket() {
        return directory.resolve("qmp.sock");
    }

    Path consoleSocket() {
        return directory.resolve("console.sock");
    }

    /** Of a detached machine: where a process that attaches finds QMP. */
    Path controlSocket() {
        return directory.resolve("control.sock");
    }

    /** Over which the machine's state is saved or restored; there for that moment only. */
    Path migrationSocket() {
        return directory.resolve("state.sock");
    }

    /** Of a QEMU that runs as another user or has macvtaps: the monitor that takes open files. */
    Path filesSocket() {
        return directory.resolve("files.sock");
    }

    /** What the guest sees of the host: mount points, nothing else. */
    Path shareDirectory() {
        return directory.resolve("shared");
    }

    Path shareSocket() {
        return directory.resolve("share.sock");
    }

    Path sharePid() {
        return directory.resolve("share.pid");
    }

    /** One for each port of the agent, in their order: several if the machine is detached, for several processes. */
    List<Path> agentSockets(boolean detached) {
        return IntStream.range(0, detached ? DETACHED_AGENT_PORTS : 1)
                .mapToObj(port -> directory.resolve(port == 0 ? "agent.sock" : "agent" + port + ".sock"))
                .toList();
    }

    /** @throws InvalidConfigException if a socket's path is longer than Linux allows */
    void requireShortSocketPaths() {
        String longest = consoleSocket().toString();
        int bytes = longest.getBytes(StandardCharsets.UTF_8).length;
        if (bytes > MAX_SOCKET_PATH_BYTES) {
            throw new InvalidConfigException(
                    "socket path",
                    longest,
                    "has " + bytes + " bytes but Linux allows " + MAX_SOCKET_PATH_BYTES
                            + "; use a state directory with a shorter path, or a shorter sandbox id");
        }
    }
}
