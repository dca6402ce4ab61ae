// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import io.virtcontainers.AgentException;
import io.virtcontainers.ExitStatus;
import io.virtcontainers.agent.kata.protocol.AgentServiceGrpc;
import io.virtcontainers.agent.kata.protocol.WaitProcessResponse;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Waits for the end of one process, from its construction on and without a thread. WaitProcess may be repeated, so it is
 * asked again on a new connection when one breaks; if there is no new connection within
 * {@link AgentConnection#RECONNECT}, it fails.
 */
final class ProcessExit {
    private static final Logger log = LoggerFactory.getLogger(ProcessExit.class);

    private static final Duration FIRST_PAUSE = Duration.ofMillis(10);
    private static final Duration LONGEST_PAUSE = Duration.ofSeconds(5);

    private final ProcessCalls calls;
    private final CompletableFuture<ExitStatus> ended = new CompletableFuture<>();
    private final CompletableFuture<ExitStatus> forUsers = new CompletableFuture<>();
    private final Backoff backoff = new Backoff(FIRST_PAUSE, LONGEST_PAUSE); // one attempt at a time touches it

    /** @param callbacks where users' continuations run: they must not hold up the event loop */
    ProcessExit(ProcessCalls calls, Executor callbacks) {
        this.calls = calls;
        var unused = ended.whenComplete((status, error) -> {
            try {
                callbacks.execute(() -> copyTo(forUsers, status, error));
            } catch (RejectedExecutionException e) {
                copyTo(forUsers, status, error); // the connector is closed: better here than never
            }
        });
        ask();
    }

    /** Completes on the event loop: for waiting only. */
    CompletableFuture<ExitStatus> ended() {
        return ended;
    }

    /**
     * A copy, so that what its owner does to it harms nobody else; completes on a callback thread. Done at once if the end
     * is known, so that it does not lag behind a wait that has returned.
     */
    CompletableFuture<ExitStatus> onExit() {
        return (ended.isDone() ? ended : forUsers).copy();
    }

    private void ask() {
        var unused = calls.waitProcess().whenComplete((answer, error) -> {
            if (error == null) {
                answered(answer);
            } else if (AgentErrors.isConnectionLoss(error)
                    && !calls.connection().hasFailed()) {
                askAgain();
            } else {
                ended.completeExceptionally(calls.mapError(error, AgentServiceGrpc.getWaitProcessMethod()));
            }
        });
    }

    private void answered(WaitProcessResponse answer) {
        try {
            ended.complete(calls.exitStatus(answer));
        } catch (AgentException e) {
            ended.completeExceptionally(e);
        }
    }

    /** After a pause that grows, so that an agent that always breaks the connection does not keep us busy. */
    private void askAgain() {
        Duration pause = backoff.next();
        log.debug(
                "connection lost, waiting for the process again container={} process={} pauseMs={}",
                calls.containerId(),
                calls.execId(),
                pause.toMillis());
        try {
            var unused = calls.connection().loop().schedule(this::ask, pause.toNanos(), TimeUnit.NANOSECONDS);
        } catch (RejectedExecutionException e) {
            ended.completeExceptionally(AgentConnection.closed());
        }
    }

    private static void copyTo(
            CompletableFuture<ExitStatus> target, @Nullable ExitStatus status, @Nullable Throwable error) {
        if (error != null) {
            target.completeExceptionally(error);
        } else if (status != null) {
            target.complete(status);
        }
    }
}
