// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import io.grpc.CallOptions;
import io.grpc.ConnectivityState;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.netty.NettyChannelBuilder;
import io.netty.channel.Channel;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.virtcontainers.AgentException;
import io.virtcontainers.CancelledException;
import io.virtcontainers.DeadlineExceededException;
import io.virtcontainers.VirtException;
import io.virtcontainers.agent.kata.protocol.CheckRequest;
import io.virtcontainers.agent.kata.protocol.HealthGrpc;
import io.virtcontainers.spi.Deadline;
import java.net.SocketAddress;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The gRPC connection to one agent, on one event loop of its connector and without a thread of its own. Thread-safe.
 *
 * <p>States: <i>up</i>; <i>down</i>, after the socket broke: the calls in flight have failed, and the next call first
 * runs a {@link ConnectRun}, for at most {@link #RECONNECT} or its own deadline; <i>failed</i>, for good, by
 * {@link #fail}: everything under way and everything later fails with that reason.
 *
 * <p>A connection on which an answer did not come in time is <i>doubted</i>: the next call first runs a {@link ConnectRun}
 * too, which makes a new connection if this one stays silent. It may be up and of no use: where bytes were lost on the way,
 * both sides can wait for each other for ever (a lost WINDOW_UPDATE is enough).
 *
 * <p>A call is never repeated here, as it may have had its effect.
 *
 * <p>The death of the machine is told by the hypervisor to the engine, and by the kernel to the socket. An agent that hangs in
 * a living machine ends each call at its deadline; for calls without one there is {@link KeepAlive}, by health checks: no
 * answer is a reason for doubt, unless the machine is halted. HTTP/2's own pings are off, as they know nothing of that.
 */
final class AgentConnection {
    private static final Logger log = LoggerFactory.getLogger(AgentConnection.class);

    /** How long a broken connection is worth waiting for; Kata's deadline for a call. */
    static final Duration RECONNECT = Duration.ofSeconds(60);

    private static final Duration PATIENCE = Duration.ofSeconds(7);
    private static final int LARGEST_MESSAGE = 4 << 20; // the limit of grpc-go, which upstream agents have
    private static final int LARGEST_ANSWER = 1 << 20; // but for output; a message can be 50 times as large in memory
    private static final int WINDOW = 2 << 20; // two full reads of output; fixed, as the measuring pings are unwanted
    private static final Duration NEVER_IDLE = Duration.ofDays(365);
    private static final Duration VERSION_FOR_ERROR = Duration.ofSeconds(2);

    private final ManagedChannel channel;
    private final SocketDialer dialer;
    private final Transport transport;
    private final EventLoop loop;
    private final KeepAlive keepAlive;
    private final BooleanSupplier halted;
    private final Executor executor;
    private final AgentErrors errors = new AgentErrors(() -> Optional.ofNullable(this.version));

    private final AtomicBoolean askingVersion = new AtomicBoolean();
    private @Nullable ConnectRun run; // guarded by this
    private volatile boolean doubted;
    private volatile @Nullable VirtException failure;
    private volatile @Nullable String version;

    /**
     * @param keepAlive between two questions to the agent while a call without a deadline is open
     * @param halted whether the machine's processors are halted now; may block for a moment and may throw
     * @param executor where {@code halted} is asked
     */
    AgentConnection(Transport transport, Duration keepAlive, BooleanSupplier halted, Executor executor) {
        this.halted = halted;
        this.executor = executor;
        SocketAddress address = transport.address();
        this.transport = transport;
        this.loop = transport.loop();
        this.dialer = new SocketDialer(transport, this::dialled);
        this.channel = NettyChannelBuilder.forAddress(address)
                .channelFactory(dialer, address.getClass())
                .withOption(ChannelOption.SO_KEEPALIVE, null) // gRPC sets it, our sockets lack it, netty would warn
                .eventLoopGroup(loop)
                .directExecutor()
                .overrideAuthority("agent")
                .usePlaintext()
                .disableRetry()
                .flowControlWindow(WINDOW)
                .maxInboundMessageSize(LARGEST_MESSAGE)
                .idleTimeout(NEVER_IDLE.toDays(), TimeUnit.DAYS)
                .build();
        this.keepAlive = new KeepAlive(loop, keepAlive, () -> isAlive(keepAlive), this::silent);
    }

    EventLoop loop() {
        return loop;
    }

    /** Begins to connect; goes on until the agent answers or {@link #fail} ends it. */
    void start() {
        start(PATIENCE);
    }

    void start(Duration patience) {
        var unused = begin(Optional.empty(), patience);
    }

    /** Waits for the first answer of the agent. */
    void awaitReady(Deadline deadline) {
        CompletableFuture<Void> connected = connected();
        try {
            await(connected, deadline, "the agent's first answer", Rpc.of(HealthGrpc.getCheckMethod(), ""));
        } catch (DeadlineExceededException e) {
            ConnectRun current = currentRun();
            throw current == null ? e : new DeadlineExceededException(e.getMessage() + ": " + current.story(), e);
        }
    }

    /** The version that the agent reports; asked for once. */
    String version(Deadline deadline) {
        String known = version;
        if (known == null) {
            var method = HealthGrpc.getVersionMethod();
            known = call(method, CheckRequest.getDefaultInstance(), Rpc.of(method, ""), deadline)
                    .getAgentVersion();
            version = known;
        }
        return known;
    }

    /**
     * Makes a call and waits for its answer, of 1 MiB at most.
     *
     * @throws VirtException mapped by {@link AgentErrors}
     */
    <Q, R> R call(MethodDescriptor<Q, R> method, Q request, Rpc rpc, Deadline deadline) {
        awaitConnected(rpc, deadline);
        AgentCall<R> call = start(method, request, deadline);
        try {
            return awaitAnswer(call, deadline, rpc);
        } finally {
            call.cancel(false); // nothing, if it has been answered
        }
    }

    /**
     * The answer to a call that may wait for something in the guest, if the agent has it now: sent before the answer to a
     * health check that follows the call on the same connection. Else the call is cancelled, and the result is empty.
     *
     * @throws VirtException mapped by {@link AgentErrors}
     */
    <Q, R> Optional<R> callForWhatIsKnown(MethodDescriptor<Q, R> method, Q request, Rpc rpc, Deadline deadline) {
        awaitConnected(rpc, deadline);
        AgentCall<R> call = start(method, request, deadline);
        var check = start(HealthGrpc.getCheckMethod(), CheckRequest.getDefaultInstance(), deadline);
        try {
            var unused = awaitAnswer(check, deadline, rpc);
            return call.isDone()
                    ? Optional.of(await(call, deadline, "the answer that has come", rpc))
                    : Optional.empty();
        } finally {
            call.cancel(false);
            check.cancel(false);
        }
    }

    private <T> T awaitAnswer(CompletableFuture<T> answer, Deadline deadline, Rpc rpc) {
        try {
            return await(answer, deadline, "the agent's answer to " + rpc, rpc);
        } catch (DeadlineExceededException e) {
            doubted = true;
            throw e;
        }
    }

    /** An interrupted thread sends nothing, whether or not the answer would have come at once. */
    private void awaitConnected(Rpc rpc, Deadline deadline) {
        if (Thread.currentThread().isInterrupted()) {
            throw new CancelledException("interrupted before " + rpc);
        }
        await(connected(), deadline, "a new connection to the agent for " + rpc, rpc);
    }

    private <Q, R> AgentCall<R> start(MethodDescriptor<Q, R> method, Q request, Deadline deadline) {
        CallOptions options = CallOptions.DEFAULT
                .withDeadlineAfter(deadline.remaining().toNanos(), TimeUnit.NANOSECONDS)
                .withMaxInboundMessageSize(LARGEST_ANSWER);
        return AgentCall.start(channel, method, options, request);
    }

    /**
     * Makes a call that waits for something in the guest as long as it takes. The future fails with what
     * {@link AgentErrors#map} accepts and completes on the event loop; cancelling it cancels the call.
     */
    <Q, R> CompletableFuture<R> open(MethodDescriptor<Q, R> method, Q request) {
        CompletableFuture<Void> connected = connected();
        if (connected.isDone() && !connected.isCompletedExceptionally()) {
            return keepAlive.during(AgentCall.start(channel, method, CallOptions.DEFAULT, request));
        }
        CompletableFuture<R> result = new CompletableFuture<>();
        var unused = connected.whenComplete((nothing, error) -> {
            if (error != null) {
                result.completeExceptionally(error);
            } else if (!result.isDone()) {
                link(AgentCall.start(channel, method, CallOptions.DEFAULT, request), result);
            }
        });
        return keepAlive.during(result);
    }

    private static <R> void link(AgentCall<R> call, CompletableFuture<R> result) {
        var unusedCancelling = result.whenComplete((answer, failed) -> call.cancel(false));
        var unusedCompleting = call.whenComplete((answer, failed) -> {
            if (failed != null) {
                result.completeExceptionally(failed);
            } else {
                result.complete(answer);
            }
        });
    }

    /** Whether a health check is answered in time; true also if there is no connection, which others see to. */
    private CompletableFuture<Boolean> isAlive(Duration within) {
        if (channel.getState(false) != ConnectivityState.READY) {
            return CompletableFuture.completedFuture(true);
        }
        var options = CallOptions.DEFAULT.withDeadlineAfter(within.toNanos(), TimeUnit.NANOSECONDS);
        return AgentCall.start(channel, HealthGrpc.getCheckMethod(), options, CheckRequest.getDefaultInstance())
                .handle((answer, error) -> error == null || !AgentErrors.hasCode(error, Status.Code.DEADLINE_EXCEEDED));
    }

    private void silent() {
        try {
            executor.execute(() -> {
                if (!isHalted()) {
                    log.info("agent does not answer, its connection is tried and then replaced: {}", transport);
                    doubted = true;
                    var unused = connected();
                }
            });
        } catch (RejectedExecutionException closed) {
            log.debug("agent does not answer, and the connector is closed: {}", transport);
        }
    }

    private boolean isHalted() {
        try {
            return halted.getAsBoolean();
        } catch (VirtException e) {
            log.debug("whether the machine is halted is not known: {}", e.getMessage());
            return true; // it has most likely ended, which the engine is told
        }
    }

    /** The error for the user; the reason of {@link #fail} if there is one, whatever the call itself failed with. */
    VirtException mapError(Throwable error, Rpc rpc) {
        VirtException reason = failure;
        return reason != null ? reason : errors.map(error, rpc);
    }

    boolean hasFailed() {
        return failure != null;
    }

    /** Ends the connection for good, without waiting. The first reason counts. */
    void fail(VirtException reason) {
        ConnectRun current;
        synchronized (this) {
            if (failure != null) {
                return;
            }
            failure = reason;
            current = run;
        }
        if (current != null) {
            current.fail(reason);
        }
        channel.shutdownNow();
        dialer.close();
    }

    /** Waits until nothing of the connection is left, for a short time; not on the event loop. */
    void awaitClosed(Duration atMost) {
        try {
            var unused = channel.awaitTermination(atMost.toNanos(), TimeUnit.NANOSECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private CompletableFuture<Void> connected() {
        VirtException reason = failure;
        if (reason != null) {
            return CompletableFuture.failedFuture(reason);
        }
        return channel.getState(false) == ConnectivityState.READY && !doubted
                ? CompletableFuture.completedFuture(null)
                : begin(Optional.of(Deadline.after(RECONNECT)), PATIENCE);
    }

    /** Starts a run, or joins the one that is under way. */
    private CompletableFuture<Void> begin(Optional<Deadline> deadline, Duration patience) {
        ConnectRun started;
        synchronized (this) {
            if (failure != null) {
                return CompletableFuture.failedFuture(failure);
            }
            if (run != null && !run.answered().isDone()) {
                return run.answered();
            }
            started = new ConnectRun(channel, dialer, transport, deadline, patience, errors);
            run = started;
            doubted = false;
        }
        started.start();
        return started.answered();
    }

    private synchronized @Nullable ConnectRun currentRun() {
        return run;
    }

    private void dialled(Channel socket) {
        ConnectRun current = currentRun();
        if (current != null) {
            loop.execute(() -> current.dialled(socket));
        }
    }

    private <T> T await(CompletableFuture<T> future, Deadline deadline, String waitedFor, Rpc rpc) {
        try {
            return future.get(deadline.remaining().toNanos(), TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
            throw deadline.exceeded(waitedFor);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CancelledException("interrupted while waiting for " + waitedFor);
        } catch (ExecutionException e) {
            Throwable cause = e.getCause() == null ? e : e.getCause();
            learnVersionFor(cause);
            throw mapError(cause, rpc);
        }
    }

    /** That an agent does not support a call is best said with its version. */
    private void learnVersionFor(Throwable error) {
        if (AgentErrors.hasCode(error, Status.Code.UNIMPLEMENTED) && !askingVersion.getAndSet(true)) {
            try {
                var unused = version(Deadline.after(VERSION_FOR_ERROR));
            } catch (VirtException e) {
                log.debug("agent did not tell its version error={}", e.getMessage());
            }
        }
    }

    static AgentException closed() {
        return new AgentException("the connection to the agent was closed");
    }
}
