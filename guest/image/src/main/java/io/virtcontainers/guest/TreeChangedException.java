// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import java.io.IOException;

/** A file was changed by somebody else while its folder was read. The message is a sentence about it. */
final class TreeChangedException extends IOException {
    private static final long serialVersionUID = 1L;

    TreeChangedException(String message) {
        super(message);
    }
}
