// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.spi;

import io.virtcontainers.HostTerminal;

/** Makes the terminals of {@link HostTerminal#open}. */
public interface HostTerminalProvider {
    /** @throws io.virtcontainers.HostSetupException if the host gives none */
    HostTerminal open();
}
