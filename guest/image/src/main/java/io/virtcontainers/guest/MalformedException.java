// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** Bytes are not what their format promises. The message says which bytes, in words that fit after a file's name. */
final class MalformedException extends IOException {
    private static final long serialVersionUID = 1L;

    MalformedException(String message) {
        super(message);
    }

    MalformedException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
