// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

/** The program to run is not in the container's root file system, or may not be executed. */
public final class CommandNotFoundException extends AgentException {
    private static final long serialVersionUID = 1L;

    private final int exitCode;

    /**
     * @param exitCode what a shell answers in this case: 127 for a program that is not there, 126 for one that may not
     *     be executed (POSIX.1-2017, Shell Command Language, 2.8.2)
     */
    public CommandNotFoundException(String message, int exitCode) {
        super(message);
        this.exitCode = exitCode;
    }

    /** The exit code that a shell would have given: 127 (not found) or 126 (not executable). */
    public int exitCode() {
        return exitCode;
    }
}
