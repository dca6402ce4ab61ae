// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import java.util.OptionalInt;

/**
 * How a process ended.
 *
 * @param code 0 to 255. A process that a signal ended has 128 plus the number of the signal, as a shell reports it and as
 *     the Kata agent sends it; the two cannot be told apart.
 */
public record ExitStatus(int code) {
    private static final int SIGNAL_BASE = 128;
    private static final int LAST_SIGNAL = 64;

    public boolean isSuccess() {
        return code == 0;
    }

    /** The number of the signal, if the code is of the form 128 plus a signal. */
    public OptionalInt signal() {
        return code > SIGNAL_BASE && code <= SIGNAL_BASE + LAST_SIGNAL
                ? OptionalInt.of(code - SIGNAL_BASE)
                : OptionalInt.empty();
    }
}
