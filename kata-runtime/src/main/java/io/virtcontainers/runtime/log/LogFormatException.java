// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime.log;

/** A line is not of the form of a log. */
public final class LogFormatException extends Exception {
    private static final long serialVersionUID = 1L;

    private final String problem;

    LogFormatException(String problem) {
        super(problem);
        this.problem = problem;
    }

    String problem() {
        return problem;
    }
}
