// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.spi;

import java.util.List;
import java.util.function.BooleanSupplier;

/** Connects to agents. Thread-safe. Its own threads end with {@link #close}; its connections must be closed before. */
public interface AgentConnector extends AutoCloseable {

    /** What this agent needs on the guest's kernel command line. */
    List<String> kernelParameters();

    /**
     * Begins to connect and returns at once; the guest may still be booting. Never fails: {@link Agent#awaitReady} does.
     *
     * @param halted whether the machine's processors are halted at the moment, so that its silence means nothing; it may
     *     block for some seconds and throw if the machine does not tell
     */
    Agent connect(GuestChannel channel, BooleanSupplier halted);

    /** As the other, for a machine that is never halted. */
    default Agent connect(GuestChannel channel) {
        return connect(channel, () -> false);
    }

    @Override
    void close();
}
