// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.ttrpc;

import com.google.protobuf.ByteString;
import io.virtcontainers.spi.Deadline;
import java.time.Duration;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ScheduledFuture;
import org.jspecify.annotations.Nullable;

/**
 * One request that is being served. The method runs on the executor; what is neither volatile nor final belongs to the
 * event loop of the connection.
 */
final class ServerCall implements Runnable {
    private static final Duration NO_TIMEOUT = Duration.ofSeconds(Long.MAX_VALUE);

    /** Told once, on any thread, what the method returned or failed with. */
    @FunctionalInterface
    interface Listener {
        void ended(ServerCall call, @Nullable ByteString answer, @Nullable Throwable error);
    }

    final int streamId;
    final TtrpcRequest request;

    /** Of the whole message, as the payload may hold on to it; in bytes. */
    final int size;

    /** How long the client waits; 0 if it did not say. */
    final long nanos;

    private final Deadline deadline;
    private final TtrpcMethod method;
    private final Listener listener;

    /** What must happen before the request no longer counts: the method ends, the answer is written. */
    int stillToDo = 2;

    @Nullable
    ScheduledFuture<?> timer;

    private volatile boolean unwanted;
    private volatile @Nullable CompletionStage<ByteString> running;

    ServerCall(int streamId, RequestMessage message, int size, TtrpcMethod method, Listener listener) {
        this.streamId = streamId;
        this.request = message.request();
        this.size = size;
        this.nanos = message.timeoutNanos();
        this.deadline = Deadline.after(nanos == 0 ? NO_TIMEOUT : Duration.ofNanos(nanos));
        this.method = method;
        this.listener = listener;
    }

    @Override
    @SuppressWarnings("ConstantValue")
    public void run() {
        if (unwanted) {
            listener.ended(this, null, new TtrpcException(StatusCode.CANCELLED, "it was cancelled before it began"));
            return;
        }
        CompletionStage<ByteString> stage;
        try {
            stage = method.handle(request, deadline);
        } catch (Throwable e) { // whatever a method does, its client gets an answer
            listener.ended(this, null, e);
            return;
        }
        if (stage == null) {
            listener.ended(this, null, new TtrpcException(StatusCode.INTERNAL, request.name() + " returned null"));
            return;
        }
        running = stage;
        var unused = stage.whenComplete((answer, error) -> listener.ended(this, answer, error));
        cancelIfUnwanted();
    }

    /** From now on the method does not begin. */
    void markUnwanted() {
        unwanted = true;
    }

    /** Cancels the method if it runs and is not wanted; on the executor, as the method's own code may run then. */
    void cancelIfUnwanted() {
        CompletionStage<ByteString> stage = running;
        if (unwanted && stage != null) {
            stage.toCompletableFuture().cancel(false);
        }
    }
}
