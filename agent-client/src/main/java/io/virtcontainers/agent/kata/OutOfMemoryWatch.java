// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import io.grpc.Status;
import io.virtcontainers.agent.kata.protocol.AgentServiceGrpc;
import io.virtcontainers.agent.kata.protocol.GetOOMEventRequest;
import java.time.Duration;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Asks for the next out-of-memory event, tells the listener, and asks again, until the connection has failed for good;
 * without a thread of its own. A guest cannot flood the host: one call is under way at a time, the next begins after the
 * listener has returned and a pause, and errors and nonsense make the pause longer.
 */
final class OutOfMemoryWatch {
    private static final Logger log = LoggerFactory.getLogger(OutOfMemoryWatch.class);

    private static final Duration FIRST_PAUSE = Duration.ofMillis(10);
    private static final Duration LONGEST_PAUSE = Duration.ofSeconds(5);
    private static final Pattern CONTAINER_ID = Pattern.compile("[A-Za-z0-9][A-Za-z0-9_.-]{0,63}");

    private final AgentConnection connection;
    private final Executor callbacks;
    private final Consumer<String> listener;
    private final Backoff pause = new Backoff(FIRST_PAUSE, LONGEST_PAUSE); // one attempt at a time touches it

    /** @param callbacks where the listener runs: it must not hold up the event loop */
    OutOfMemoryWatch(AgentConnection connection, Executor callbacks, Consumer<String> listener) {
        this.connection = connection;
        this.callbacks = callbacks;
        this.listener = listener;
    }

    void ask() {
        var answer = connection.open(AgentServiceGrpc.getGetOOMEventMethod(), GetOOMEventRequest.getDefaultInstance());
        var unused = answer.whenComplete((event, error) -> {
            if (error == null) {
                answered(event.getContainerId());
            } else if (AgentErrors.hasCode(error, Status.Code.UNIMPLEMENTED)) {
                log.debug("agent does not report out-of-memory events");
            } else if (!connection.hasFailed()) {
                log.debug("asking for out-of-memory events again error={}", GuestData.shown(error.toString()));
                askAgain();
            }
        });
    }

    private void answered(String containerId) {
        if (!CONTAINER_ID.matcher(containerId).matches()) {
            log.debug("agent reported want of memory in an impossible container id={}", GuestData.shown(containerId));
            askAgain();
            return;
        }
        pause.reset();
        try {
            callbacks.execute(() -> {
                tell(containerId);
                askAgain();
            });
        } catch (RejectedExecutionException e) {
            log.debug("connector is closed, an out-of-memory event is lost container={}", containerId);
        }
    }

    private void tell(String containerId) {
        try {
            listener.accept(containerId);
        } catch (RuntimeException e) {
            log.warn("listener for out-of-memory events failed container={}", containerId, e);
        }
    }

    private void askAgain() {
        try {
            var unused = connection.loop().schedule(this::ask, pause.next().toNanos(), TimeUnit.NANOSECONDS);
        } catch (RejectedExecutionException e) {
            log.debug("connector is closed, no more out-of-memory events");
        }
    }
}
