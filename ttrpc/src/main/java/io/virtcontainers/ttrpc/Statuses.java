// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.ttrpc;

import io.virtcontainers.AlreadyExistsException;
import io.virtcontainers.CancelledException;
import io.virtcontainers.DeadlineExceededException;
import io.virtcontainers.IllegalTransitionException;
import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.NotFoundException;
import io.virtcontainers.UnsupportedException;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletionException;

/** The one place where the error of a method becomes the status of an answer. */
final class Statuses {
    private Statuses() {}

    static ResponseMessage of(Throwable error) {
        Throwable cause = unwrap(error);
        String message = cause.getMessage();
        return ResponseMessage.refusal(code(cause), PeerText.cut(message == null ? cause.toString() : message));
    }

    private static StatusCode code(Throwable cause) {
        if (cause instanceof TtrpcException answer) {
            return answer.code();
        } else if (cause instanceof NotFoundException) {
            return StatusCode.NOT_FOUND;
        } else if (cause instanceof AlreadyExistsException) {
            return StatusCode.ALREADY_EXISTS;
        } else if (cause instanceof InvalidConfigException) {
            return StatusCode.INVALID_ARGUMENT;
        } else if (cause instanceof IllegalTransitionException) {
            return StatusCode.FAILED_PRECONDITION;
        } else if (cause instanceof UnsupportedException) {
            return StatusCode.UNIMPLEMENTED;
        } else if (cause instanceof DeadlineExceededException) {
            return StatusCode.DEADLINE_EXCEEDED;
        } else if (cause instanceof CancelledException || cause instanceof CancellationException) {
            return StatusCode.CANCELLED;
        }
        return StatusCode.UNKNOWN;
    }

    static Throwable unwrap(Throwable error) {
        return error instanceof CompletionException && error.getCause() != null ? error.getCause() : error;
    }
}
