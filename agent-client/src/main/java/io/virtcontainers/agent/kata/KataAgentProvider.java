// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import io.virtcontainers.spi.AgentConnector;
import io.virtcontainers.spi.AgentProvider;

/** Offers the agent of Kata Containers 1.x under the name {@code kata}. */
public final class KataAgentProvider implements AgentProvider {
    @Override
    public AgentConnector open() {
        return new KataAgentConnector();
    }
}
