// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.spi;

/** A kind of agent, found by {@link java.util.ServiceLoader}. Making one and opening it never fails. */
public interface AgentProvider {
    AgentConnector open();
}
