// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.linux;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.nio.file.Path;
import java.time.Duration;

/**
 * A pair of terminal devices (pty(7)): what is written to one side is read from the other. This object holds the master;
 * the device is for a program. Not thread-safe.
 */
public final class PseudoTerminal implements AutoCloseable {
    private static final int O_RDWR = 2;
    private static final int O_NOCTTY = 0x100;
    private static final int O_CLOEXEC = 0x80000;
    private static final int MAX_NAME_BYTES = 64;
    private static final Duration PATIENCE = Duration.ofSeconds(10);

    private final int master;
    private final Path device;

    private PseudoTerminal(int master, Path device) {
        this.master = master;
        this.device = device;
    }

    /** @throws LinuxException if there are no terminals left, or no devpts is mounted */
    public static PseudoTerminal open() {
        int master = (int) Native.call("posix_openpt", O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (master < 0) {
            throw new LinuxException(Native.problem("posix_openpt", Native.errno()));
        }
        try (Arena arena = new Arena()) {
            check("grantpt", Native.call("grantpt", master));
            check("unlockpt", Native.call("unlockpt", master));
            long name = arena.allocate(MAX_NAME_BYTES);
            if ((int) Native.call("ptsname_r", master, name, MAX_NAME_BYTES) != 0) {
                throw new LinuxException(Native.problem("ptsname_r", Native.errno()));
            }
            byte[] bytes = Native.MEMORY.getZeroTerminatedByteArray(name, MAX_NAME_BYTES);
            return new PseudoTerminal(master, Path.of(new String(bytes, Native.CHARSET)));
        } catch (RuntimeException e) {
            Descriptors.close(master);
            throw e;
        }
    }

    private static void check(String call, long result) {
        if ((int) result < 0) {
            throw new LinuxException(Native.problem(call, Native.errno()));
        }
    }

    /** The program's side, for example {@code /dev/pts/3}. */
    public Path device() {
        return device;
    }

    /**
     * Gives the master to whoever listens on a unix socket, too (SCM_RIGHTS, with its name as the data).
     *
     * @throws LinuxException if nobody takes it within ten seconds
     */
    public void sendTo(Path socket) {
        try (UnixConnection connection = UnixConnection.connect(socket, PATIENCE)) {
            connection.send("/dev/ptmx".getBytes(UTF_8), master);
        }
    }

    @Override
    public void close() {
        Descriptors.close(master);
    }
}
