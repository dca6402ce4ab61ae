// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.ttrpc;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.MessageLite;
import com.google.protobuf.Parser;
import io.virtcontainers.spi.Deadline;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/** One method of a service. */
@FunctionalInterface
public interface TtrpcMethod {
    /**
     * Answers a request; runs on the server's executor. To refuse, throw or fail with a {@link TtrpcException}; other
     * errors of this library become the code that is nearest, everything else {@link StatusCode#UNKNOWN}.
     *
     * @param deadline when the client gives up; far away if it did not say
     * @return the encoded answer; cancelled when the deadline passes or the connection ends, as nobody then wants it. The
     *     request counts as being served until this is complete
     */
    CompletionStage<ByteString> handle(TtrpcRequest request, Deadline deadline);

    /** A method whose request and answer are protobuf messages. */
    @FunctionalInterface
    interface Typed<Q extends MessageLite> {
        CompletionStage<? extends MessageLite> handle(Q message, TtrpcRequest request, Deadline deadline);
    }

    /** A request whose payload is no {@code Q} is refused with {@link StatusCode#INVALID_ARGUMENT}. */
    static <Q extends MessageLite> TtrpcMethod typed(Parser<Q> parser, Typed<Q> method) {
        return (request, deadline) -> {
            Q message;
            try {
                message = parser.parseFrom(request.payload());
            } catch (InvalidProtocolBufferException e) {
                throw new TtrpcException(
                        StatusCode.INVALID_ARGUMENT,
                        "the payload of " + request.name() + " is not the message it takes: " + e.getMessage(),
                        e);
            }
            CompletableFuture<? extends MessageLite> answer =
                    method.handle(message, request, deadline).toCompletableFuture();
            CompletableFuture<ByteString> encoded = answer.thenApply(MessageLite::toByteString);
            var unused = encoded.whenComplete((bytes, error) -> {
                if (encoded.isCancelled()) {
                    answer.cancel(false);
                }
            });
            return encoded;
        };
    }
}
