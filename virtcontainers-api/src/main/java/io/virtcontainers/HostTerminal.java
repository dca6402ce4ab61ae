// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import io.virtcontainers.spi.HostTerminalProvider;
import java.nio.file.Path;
import java.util.ServiceLoader;

/**
 * A terminal on the host (pty(7)) for a process that stands for one in a guest: engines such as containerd and conmon want
 * its one side, the process has the other. Not thread-safe.
 */
public interface HostTerminal extends AutoCloseable {
    /**
     * Makes a terminal.
     *
     * @throws HostSetupException if the host gives none
     */
    static HostTerminal open() {
        return ServiceLoader.load(HostTerminalProvider.class, HostTerminal.class.getClassLoader())
                .findFirst()
                .orElseThrow(() -> new HostSetupException(
                        "nothing on the class path makes terminals: add the artifact io.virtcontainers:virtcontainers"))
                .open();
    }

    /** The process's side, for example {@code /dev/pts/3}. */
    Path device();

    /**
     * Gives the other side to whoever listens on this unix socket, as runc does with {@code --console-socket} (SCM_RIGHTS
     * of unix(7)).
     *
     * @throws HostSetupException if nobody takes it within ten seconds
     */
    void sendTo(Path socket);

    /** Lets go of the other side; whoever got it keeps it. */
    @Override
    void close();
}
