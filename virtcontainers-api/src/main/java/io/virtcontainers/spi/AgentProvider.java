// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.spi;

/** A kind of agent, found by {@link java.util.ServiceLoader}. Making one and opening it never fails. */
public interface AgentProvider {
    /** A name from the field, for example {@code kata}. */
    String name();

    AgentConnector open();
}
