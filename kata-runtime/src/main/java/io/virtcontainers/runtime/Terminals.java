// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import io.virtcontainers.HostTerminal;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;

/** Terminals for processes whose engine holds the other side. */
final class Terminals {
    private Terminals() {}

    /** Starts something on the terminal device that it is given. */
    interface Starter {
        SupervisorProcess start(Optional<Path> device) throws IOException;
    }

    /**
     * Makes a terminal, sends its master to this socket, and starts something on it; without a socket, starts it without a
     * terminal of its own.
     */
    static SupervisorProcess with(Optional<Path> consoleSocket, Starter starter) throws IOException {
        if (consoleSocket.isEmpty()) {
            return starter.start(Optional.empty());
        }
        try (HostTerminal terminal = HostTerminal.open()) {
            terminal.sendTo(consoleSocket.get());
            return starter.start(Optional.of(terminal.device()));
        }
    }
}
