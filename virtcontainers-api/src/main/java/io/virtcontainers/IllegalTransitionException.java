// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** The operation is not possible in the state that the sandbox or container is in. Nothing was changed. */
public final class IllegalTransitionException extends VirtException {
    private static final long serialVersionUID = 1L;

    private final State from;
    private final @Nullable State to;

    /**
     * @param what the object, for example {@code container web}
     * @param from the state that it is in
     * @param to the state that the operation would have led to, or empty for one that changes no state
     * @param operation what was asked
     * @param remedy what to do about it
     */
    public IllegalTransitionException(String what, State from, Optional<State> to, String operation, String remedy) {
        super(what + " is " + from + ": cannot " + operation
                + to.map(state -> " (" + from + " -> " + state + ")").orElse("") + "; " + remedy);
        this.from = from;
        this.to = to.orElse(null);
    }

    /** The state that the object was in. */
    public State from() {
        return from;
    }

    /** The state that the operation would have led to; empty for one that changes no state, such as exec. */
    public Optional<State> to() {
        return Optional.ofNullable(to);
    }
}
