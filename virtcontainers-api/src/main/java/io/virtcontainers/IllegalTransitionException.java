// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

/** The operation is not possible in the state that the sandbox or container is in. */
public final class IllegalTransitionException extends VirtException {
    private static final long serialVersionUID = 1L;

    private final State from;

    /**
     * @param what the object, for example {@code container web}
     * @param from the state that it is in
     * @param operation what was asked
     * @param remedy what to do about it
     */
    public IllegalTransitionException(String what, State from, String operation, String remedy) {
        super(what + " is " + from + ": cannot " + operation + "; " + remedy);
        this.from = from;
    }

    /** The state that the object was in. */
    public State from() {
        return from;
    }
}
