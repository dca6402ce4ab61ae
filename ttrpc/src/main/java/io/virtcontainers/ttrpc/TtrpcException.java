// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.ttrpc;

import io.virtcontainers.VirtException;
import org.jspecify.annotations.Nullable;

/**
 * A call failed: thrown by the client, whether the server answered so or the client gave up by itself; and thrown by a
 * server's method to choose the status of its answer.
 */
public class TtrpcException extends VirtException {
    private static final long serialVersionUID = 1L;

    private final StatusCode code;

    public TtrpcException(StatusCode code, String message) {
        this(code, message, null);
    }

    /** @param code not {@link StatusCode#OK} */
    public TtrpcException(StatusCode code, String message, @Nullable Throwable cause) {
        super(message, cause);
        if (code == StatusCode.OK) {
            throw new IllegalArgumentException("OK is no failure: " + message);
        }
        this.code = code;
    }

    public final StatusCode code() {
        return code;
    }
}
