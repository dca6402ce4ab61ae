// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.virtcontainers.HostSetupException;
import io.virtcontainers.HostTerminal;
import io.virtcontainers.linux.LinuxException;
import io.virtcontainers.linux.PseudoTerminal;
import io.virtcontainers.spi.HostTerminalProvider;
import java.nio.file.Path;

/** Offers terminals of Linux. Here, as this backend is for Linux alone and has the native calls. */
public final class LinuxTerminalProvider implements HostTerminalProvider {
    public LinuxTerminalProvider() {}

    @Override
    public HostTerminal open() {
        try {
            return new LinuxTerminal(PseudoTerminal.open());
        } catch (LinuxException e) {
            throw new HostSetupException("cannot make a terminal: " + e.getMessage() + "; is devpts mounted?", e);
        }
    }

    private record LinuxTerminal(PseudoTerminal pair) implements HostTerminal {
        @Override
        public Path device() {
            return pair.device();
        }

        @Override
        public void sendTo(Path socket) {
            try {
                pair.sendTo(socket);
            } catch (LinuxException e) {
                throw new HostSetupException(
                        "cannot send the terminal " + device() + " to the socket " + socket + ": " + e.getMessage(), e);
            }
        }

        @Override
        public void close() {
            pair.close();
        }
    }
}
