// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import java.nio.charset.StandardCharsets;

/**
 * What a command gave: the result of {@link VirtContainers#runCommand}.
 *
 * @param exit how it ended
 * @param stdoutBytes all of its standard output
 * @param stderrBytes all of its standard error
 * @param timeline where the time went
 */
@SuppressWarnings("ArrayRecordComponent") // bytes are bytes; equality of results is of no use
public record CommandResult(ExitStatus exit, byte[] stdoutBytes, byte[] stderrBytes, Timeline timeline) {

    /** The standard output as UTF-8 text. */
    public String stdout() {
        return new String(stdoutBytes, StandardCharsets.UTF_8);
    }

    /** The standard error as UTF-8 text. */
    public String stderr() {
        return new String(stderrBytes, StandardCharsets.UTF_8);
    }

    public int exitCode() {
        return exit.code();
    }
}
