// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core.state;

import static java.util.Objects.requireNonNull;

/**
 * An operation that has begun, on disk before its first act and until its result is there. Whoever finds one while he
 * holds the sandbox's lock knows that it was cut off, by a crash or by a guest that did not answer, and finishes or undoes
 * it.
 *
 * @param operation which one
 * @param container the container that it is about; empty for the sandbox itself
 */
public record Pending(Operation operation, String container) {
    public Pending {
        requireNonNull(operation, "operation");
        requireNonNull(container, "container");
    }

    /** The operations that acquire or give back something. */
    public enum Operation {
        START_SANDBOX,
        STOP_SANDBOX,
        PAUSE_SANDBOX,
        CREATE_CONTAINER,
        START_CONTAINER,
        STOP_CONTAINER,
        PAUSE_CONTAINER,
        DELETE_CONTAINER,
        ADD_DEVICE
    }
}
