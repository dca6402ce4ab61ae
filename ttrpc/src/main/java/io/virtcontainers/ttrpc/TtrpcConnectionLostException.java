// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.ttrpc;

import org.jspecify.annotations.Nullable;

/**
 * There is no connection, or it ended during the call; the message says whether the call was sent. If it was, its outcome
 * is unknown. The code is {@link StatusCode#UNAVAILABLE}.
 */
public final class TtrpcConnectionLostException extends TtrpcException {
    private static final long serialVersionUID = 1L;

    public TtrpcConnectionLostException(String message, @Nullable Throwable cause) {
        super(StatusCode.UNAVAILABLE, message, cause);
    }
}
