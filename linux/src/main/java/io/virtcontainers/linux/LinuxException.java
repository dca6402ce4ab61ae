// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.linux;

import org.jspecify.annotations.Nullable;

/** A system call failed, or this host lacks it; the message says which, why, and what is needed. */
public final class LinuxException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    LinuxException(String message) {
        super(message);
    }

    LinuxException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
