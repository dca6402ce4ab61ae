// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/**
 * One unary call as a future: fails with a {@link io.grpc.StatusRuntimeException} that carries the trailers; cancelling
 * it cancels the call in the guest too. Completes on the event loop: attach nothing that blocks.
 */
final class AgentCall<R> extends CompletableFuture<R> {
    private final ClientCall<?, R> call;

    private AgentCall(ClientCall<?, R> call) {
        this.call = call;
    }

    static <Q, R> AgentCall<R> start(Channel channel, MethodDescriptor<Q, R> method, CallOptions options, Q request) {
        ClientCall<Q, R> call = channel.newCall(method, options);
        AgentCall<R> future = new AgentCall<>(call);
        try {
            call.start(new Answer<>(future), new Metadata());
            call.request(2); // a second message would be an error, which gRPC then reports
            call.sendMessage(request);
            call.halfClose();
        } catch (RuntimeException e) {
            call.cancel("the request could not be sent", e);
            future.completeExceptionally(e);
        }
        return future;
    }

    @Override
    public boolean cancel(boolean mayInterruptIfRunning) {
        boolean cancelled = super.cancel(mayInterruptIfRunning);
        if (cancelled) {
            call.cancel("no longer wanted by the caller", null);
        }
        return cancelled;
    }

    private static final class Answer<R> extends ClientCall.Listener<R> {
        private final AgentCall<R> future;
        private @Nullable R message;

        Answer(AgentCall<R> future) {
            this.future = future;
        }

        @Override
        public void onMessage(R received) {
            message = received;
        }

        @Override
        public void onClose(Status status, Metadata trailers) {
            if (!status.isOk()) {
                future.completeExceptionally(status.asRuntimeException(trailers));
            } else if (message == null) {
                future.completeExceptionally(
                        Status.INTERNAL.withDescription("the answer is empty").asRuntimeException(trailers));
            } else {
                future.complete(message);
            }
        }
    }
}
