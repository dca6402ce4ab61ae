// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.spi;

import java.util.List;

/** Connects to agents. Thread-safe. Its own threads end with {@link #close}; its connections must be closed before. */
public interface AgentConnector extends AutoCloseable {

    /** What this agent needs on the guest's kernel command line. */
    List<String> kernelParameters();

    /**
     * Begins to connect and returns at once; the guest may still be booting. Never fails: {@link Agent#awaitReady} does.
     */
    Agent connect(GuestChannel channel);

    @Override
    void close();
}
