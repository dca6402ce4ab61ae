// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import java.util.Locale;

/**
 * The state of a sandbox or of a container. Both go through the same table, that of Kata Containers 1.x ({@code
 * virtcontainers/pkg/types}):
 *
 * <pre>
 * ready   -> running, stopped
 * running -> paused, stopped
 * paused  -> running, stopped
 * stopped -> running
 * </pre>
 */
public enum State {
    READY,
    RUNNING,
    PAUSED,
    STOPPED;

    /** Whether the table has this step. */
    public boolean mayBecome(State next) {
        return switch (this) {
            case READY -> next == RUNNING || next == STOPPED;
            case RUNNING -> next == PAUSED || next == STOPPED;
            case PAUSED -> next == RUNNING || next == STOPPED;
            case STOPPED -> next == RUNNING;
        };
    }

    /** The word of Kata: {@code ready}, {@code running}, {@code paused}, {@code stopped}. OCI says {@code created} for ready. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
