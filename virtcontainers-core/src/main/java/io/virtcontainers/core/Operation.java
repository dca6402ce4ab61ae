// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import com.google.common.collect.ImmutableSet;
import com.google.common.collect.Sets;
import io.virtcontainers.IllegalTransitionException;
import io.virtcontainers.State;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Every operation on a sandbox or container that depends on its state: in which states it is possible, and to which it
 * leads. Together with {@link State#mayBecome} this is the whole state machine, for both objects.
 */
enum Operation {
    START("start", State.RUNNING, State.READY, State.STOPPED),
    PAUSE("pause", State.PAUSED, State.RUNNING),
    RESUME("resume", State.RUNNING, State.PAUSED),
    /** Of a sandbox: what needs its guest. */
    USE("use its guest", null, State.RUNNING),
    EXEC("exec", null, State.RUNNING),
    INSPECT("look at its processes", null, State.RUNNING, State.PAUSED),
    UPDATE("update", null, State.READY, State.RUNNING, State.PAUSED),
    SHIM("take a shim", null, State.READY, State.RUNNING, State.PAUSED);

    private final String verb;
    private final @Nullable State to;
    private final ImmutableSet<State> from;

    Operation(String verb, @Nullable State to, State first, State... more) {
        this.verb = verb;
        this.to = to;
        this.from = Sets.immutableEnumSet(first, more);
    }

    /** Throws unless an object in this state can do it. */
    void require(String what, State now) {
        require(what, now, verb);
    }

    /** @param asked what was asked, in words for the error */
    void require(String what, State now, String asked) {
        if (!from.contains(now)) {
            throw new IllegalTransitionException(what, now, Optional.ofNullable(to), asked, remedy(now));
        }
    }

    private String remedy(State now) {
        return switch (now) {
            case READY, STOPPED -> "start it first";
            case RUNNING -> this == RESUME ? "it runs already" : "stop it first";
            case PAUSED -> "resume it first";
        };
    }
}
