// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

/** The command line is wrong. */
final class UsageException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    UsageException(String message) {
        super(message);
    }
}
