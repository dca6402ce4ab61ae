// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.ttrpc;

import com.google.protobuf.ByteString;
import io.virtcontainers.spi.Deadline;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ScheduledFuture;
import org.jspecify.annotations.Nullable;

/** One call and its answer. The future may be completed by any thread; all else belongs to the event loop. */
final class ClientCall extends CompletableFuture<ByteString> {
    /** The stream of a call that has not been sent; no stream has it, as those of clients are odd. */
    static final int NOT_SENT = 0;

    final TtrpcRequest request;
    final Deadline deadline;
    int streamId = NOT_SENT;

    @Nullable
    ScheduledFuture<?> timer;

    ClientCall(TtrpcRequest request, Deadline deadline) {
        this.request = request;
        this.deadline = deadline;
    }

    void fail(StatusCode code, String problem) {
        completeExceptionally(new TtrpcException(code, "the call of " + request.name() + " failed: " + problem));
    }

    void failAsLost(@Nullable Throwable cause) {
        completeExceptionally(new TtrpcConnectionLostException(
                streamId == NOT_SENT
                        ? "there is no connection, so " + request.name() + " was not sent"
                        : "the connection ended, so the outcome of " + request.name() + " is unknown",
                cause));
    }

    void failAsLate() {
        completeExceptionally(late());
    }

    TtrpcException late() {
        return new TtrpcException(
                StatusCode.DEADLINE_EXCEEDED, "the answer to " + request.name() + " did not come within its deadline");
    }

    void answer(ResponseMessage response) {
        if (response.code() == StatusCode.OK) {
            complete(response.payload());
        } else {
            completeExceptionally(new TtrpcException(
                    response.code(),
                    request.name() + " was refused: " + response.code() + ": " + PeerText.shown(response.message())));
        }
    }
}
