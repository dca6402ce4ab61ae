// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * Tells to which sandbox a QEMU belongs: its command line says {@code -pidfile <directory>/qemu.pid}, or it is one that
 * runs as another user and is in that directory. That holds from its first moment, before QEMU writes the file, and the
 * file's number alone proves nothing.
 */
final class QemuProcesses {
    private static final int MAX_COMMAND_LINE = 256 << 10;

    private QemuProcesses() {}

    /** Whether the process that has this pid now is the sandbox's; a dead one that is not yet collected is not. */
    static boolean belongsTo(long pid, SandboxFiles files) {
        List<String> line = commandLine(pid);
        return isOf(line, files) || (line.contains(RunAs.MARK) && isIn(pid, files));
    }

    private static boolean isIn(long pid, SandboxFiles files) {
        try {
            return Files.isSameFile(Path.of("/proc", Long.toString(pid), "cwd"), files.directory());
        } catch (IOException e) {
            return false;
        }
    }

    /** The arguments of a process, empty if there is none or it is dead. */
    static List<String> commandLine(long pid) {
        try (InputStream file = Files.newInputStream(Path.of("/proc", Long.toString(pid), "cmdline"))) {
            String text = new String(file.readNBytes(MAX_COMMAND_LINE), StandardCharsets.UTF_8);
            return List.of(text.split("\0", -1));
        } catch (IOException e) {
            return List.of();
        }
    }

    private static boolean isOf(List<String> commandLine, SandboxFiles files) {
        int at = commandLine.indexOf("-pidfile");
        return at > 0
                && at + 1 < commandLine.size()
                && commandLine.get(at + 1).equals(files.pidFile().toString());
    }
}
