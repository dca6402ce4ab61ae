// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import io.grpc.CallOptions;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.netty.channel.Channel;
import io.netty.channel.EventLoop;
import io.virtcontainers.AgentException;
import io.virtcontainers.VirtException;
import io.virtcontainers.agent.kata.protocol.CheckRequest;
import io.virtcontainers.agent.kata.protocol.HealthCheckResponse;
import io.virtcontainers.agent.kata.protocol.HealthCheckResponse.ServingStatus;
import io.virtcontainers.agent.kata.protocol.HealthGrpc;
import io.virtcontainers.spi.Deadline;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Brings one connection up: ends when the agent has answered a health check, or when that is hopeless.
 *
 * <p>The socket of a virtio-serial port belongs to the hypervisor, not to the agent. It may not exist yet; once it does it
 * accepts at once, and what we write waits there until the guest opens its port. So there is nothing to poll: one health
 * check is sent and its answer comes as soon as the agent is up. Vsock refuses until the agent listens. Two things can go
 * wrong and are cured here, for every transport alike:
 *
 * <ul>
 *   <li>The socket is missing, refuses or closes: dialled again, from 10 ms after up to 500 ms (gRPC's own pace, 1 s
 *       doubling to 2 min, would be felt).
 *   <li>The connection opens and nothing comes: the guest may boot, which needs patience, or its agent may have lost our
 *       first bytes behind the rest of an earlier connection, which needs a new connection (the agent clears its side
 *       within 5 s; what comes back is told apart by {@link Greeting}). gRPC has no time-out for this. So the socket is closed and dialled again after 7 s, and each time
 *       after half as long again: rare enough for a slow boot, as a waiting connection costs the guest nothing.
 * </ul>
 *
 * <p>Bytes that are not HTTP/2, or break the rules of the transport, are forgiven a few times. All state belongs to the event loop of the connection.
 */
final class ConnectRun {
    private static final Logger log = LoggerFactory.getLogger(ConnectRun.class);

    private static final Duration FIRST_BACKOFF = Duration.ofMillis(10);
    private static final Duration LONGEST_BACKOFF = Duration.ofMillis(500);
    private static final Duration LONGEST_PATIENCE = Duration.ofMinutes(1);
    private static final int PROTOCOL_ERRORS_FORGIVEN = 5;

    private final ManagedChannel channel;
    private final SocketDialer dialer;
    private final Transport transport;
    private final EventLoop loop;
    private final Optional<Deadline> deadline;
    private final AgentErrors errors;
    private final CompletableFuture<Void> answered = new CompletableFuture<>();

    private final Backoff backoff = new Backoff(FIRST_BACKOFF, LONGEST_BACKOFF);
    private Duration patience;
    private int dials;
    private int protocolErrors;
    private String lastFailure = "";
    private final long begin = System.nanoTime();
    private volatile String story;
    private @Nullable Future<?> redial;

    /**
     * @param deadline when to give up, if ever
     * @param patience how long the first connection may stay silent before it is replaced
     */
    ConnectRun(
            ManagedChannel channel,
            SocketDialer dialer,
            Transport transport,
            Optional<Deadline> deadline,
            Duration patience,
            AgentErrors errors) {
        this.channel = channel;
        this.dialer = dialer;
        this.transport = transport;
        this.loop = transport.loop();
        this.deadline = deadline;
        this.patience = patience;
        this.errors = errors;
        this.story = transport + " was not dialled yet";
    }

    /** Completes on the event loop, exceptionally with a {@link VirtException}. */
    CompletableFuture<Void> answered() {
        return answered;
    }

    void start() {
        loop.execute(() -> {
            dialer.current().ifPresent(this::dialled); // gRPC may be dialling since before this run
            channel.resetConnectBackoff();
            check();
        });
        var unused = answered.whenComplete((nothing, error) -> loop.execute(this::cancelRedial));
    }

    /** Ends the run, if it has not ended. Any thread. */
    void fail(VirtException reason) {
        answered.completeExceptionally(reason);
    }

    /** A socket is about to connect: the first of this run or a further one. On the event loop. */
    void dialled(Channel socket) {
        if (answered.isDone()) {
            return;
        }
        dials++;
        tell();
        cancelRedial();
        redial = loop.schedule(this::silent, patience.toNanos(), TimeUnit.NANOSECONDS);
        var unused = socket.closeFuture().addListener(closed -> disconnected()); // told on this loop too
    }

    private void check() {
        if (answered.isDone()) {
            return;
        }
        CallOptions waiting = CallOptions.DEFAULT.withWaitForReady();
        CallOptions options = deadline.map(
                        end -> waiting.withDeadlineAfter(end.remaining().toNanos(), TimeUnit.NANOSECONDS))
                .orElse(waiting);
        AgentCall<HealthCheckResponse> call =
                AgentCall.start(channel, HealthGrpc.getCheckMethod(), options, CheckRequest.getDefaultInstance());
        var unusedChecking = call.whenComplete((answer, error) -> loop.execute(() -> {
            if (answered.isDone()) {
                return;
            }
            if (error == null) {
                answer(answer.getStatus());
            } else {
                refused(error);
            }
        }));
        var unusedCancelling = answered.whenComplete((nothing, error) -> call.cancel(false));
    }

    private void answer(ServingStatus status) {
        if (status == ServingStatus.SERVING) {
            log.debug("agent answered dials={} protocolErrors={}", dials, protocolErrors);
            answered.complete(null);
        } else {
            tell("the agent answers that it is " + status);
            later(this::check);
        }
    }

    private void refused(Throwable error) {
        if (AgentErrors.hasCode(error, Status.Code.DEADLINE_EXCEEDED)) {
            fail(new AgentException("the connection to the agent broke and could not be made again: " + story, error));
        } else if (AgentErrors.isConnectionLoss(error)) {
            failed(error);
            later(this::check);
        } else {
            fail(errors.map(error, Rpc.of(HealthGrpc.getCheckMethod(), "")));
        }
    }

    private void disconnected() {
        if (answered.isDone()) {
            return;
        }
        later(() -> {
            learnWhy();
            channel.resetConnectBackoff();
        });
    }

    /** While gRPC has no connection, a call that does not wait for one fails at once with the reason. */
    private void learnWhy() {
        AgentCall<HealthCheckResponse> probe = AgentCall.start(
                channel, HealthGrpc.getCheckMethod(), CallOptions.DEFAULT, CheckRequest.getDefaultInstance());
        var unused = probe.whenComplete((answer, error) -> {
            if (error instanceof StatusRuntimeException) {
                failed(error);
            }
        });
        probe.cancel(false);
    }

    private void failed(Throwable error) {
        if (error instanceof StatusRuntimeException answer) {
            tell(AgentErrors.textOf(answer));
        }
        if (AgentErrors.isProtocolError(error) && ++protocolErrors > PROTOCOL_ERRORS_FORGIVEN) {
            fail(new AgentException(
                    "what answers is not a Kata agent, as it does not speak the protocol of one: " + story, error));
        }
    }

    private void silent() {
        if (!answered.isDone()) {
            tell("connected, but the agent did not answer for " + patience.toMillis() + " ms");
            Duration longer = patience.multipliedBy(3).dividedBy(2);
            patience = longer.compareTo(LONGEST_PATIENCE) > 0 ? LONGEST_PATIENCE : longer;
            log.debug("agent silent, dialling again dials={} nextPatienceMs={}", dials, patience.toMillis());
            dialer.drop();
        }
    }

    private void later(Runnable step) {
        var unused = loop.schedule(
                () -> {
                    if (!answered.isDone()) {
                        step.run();
                    }
                },
                backoff.next().toNanos(),
                TimeUnit.NANOSECONDS);
    }

    private void cancelRedial() {
        if (redial != null) {
            redial.cancel(false);
        }
    }

    /** What happened so far, for the message of an error. Any thread. */
    String story() {
        return story;
    }

    private void tell(String failure) {
        lastFailure = failure;
        tell();
    }

    private void tell() {
        long millis = (System.nanoTime() - begin) / 1_000_000;
        story = transport + " was dialled " + dials + (dials == 1 ? " time" : " times") + " in " + millis + " ms"
                + (lastFailure.isEmpty() ? "; the guest sent no answer yet" : "; last failure: " + lastFailure);
    }
}
