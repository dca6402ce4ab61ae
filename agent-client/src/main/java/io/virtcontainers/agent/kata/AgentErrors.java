// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.netty.handler.codec.http2.Http2Exception;
import io.virtcontainers.AgentConnectionLostException;
import io.virtcontainers.AgentException;
import io.virtcontainers.AlreadyExistsException;
import io.virtcontainers.CommandNotFoundException;
import io.virtcontainers.DeadlineExceededException;
import io.virtcontainers.NotFoundException;
import io.virtcontainers.ProcessConfig;
import io.virtcontainers.UnsupportedException;
import io.virtcontainers.VirtException;
import java.net.ProtocolException;
import java.nio.channels.ClosedChannelException;
import java.util.Optional;
import java.util.concurrent.CompletionException;
import java.util.function.Supplier;

/**
 * The one place where a gRPC status becomes an error of this library. What the agent says is data from the guest: it is
 * cleaned and cut before it enters a message. Thread-safe.
 */
final class AgentErrors {
    /** Our agent's trailer on CreateContainer and ExecProcess; an upstream agent does not send it. */
    static final Metadata.Key<String> REASON =
            Metadata.Key.of("virtcontainers-error", Metadata.ASCII_STRING_MARSHALLER);

    static final String EXECUTABLE_NOT_FOUND = "executable-not-found";
    static final String EXECUTABLE_NOT_PERMITTED = "executable-not-permitted";

    /** In gRPC's text for a connection that its peer ended with an error. */
    private static final String IO_EXCEPTION = "io exception";

    private static final String GOAWAY = "GOAWAY";

    private static final int NOT_FOUND_EXIT_CODE = 127;
    private static final int NOT_PERMITTED_EXIT_CODE = 126;

    private final Supplier<Optional<String>> agentVersion;

    /** @param agentVersion the version if it is known yet; must not block */
    AgentErrors(Supplier<Optional<String>> agentVersion) {
        this.agentVersion = agentVersion;
    }

    VirtException map(Throwable error, Rpc rpc) {
        Throwable cause = unwrap(error);
        if (cause instanceof VirtException known) {
            return known;
        }
        if (!(cause instanceof StatusRuntimeException answer)) {
            return new AgentException(rpc + " failed: " + cause, cause);
        }
        Optional<VirtException> programError = rpc.process().flatMap(process -> programError(answer, process));
        return programError.orElseGet(() -> byCode(answer, rpc));
    }

    private VirtException byCode(StatusRuntimeException answer, Rpc rpc) {
        String text = textOf(answer);
        if (isConnectionLoss(answer)) {
            return new AgentConnectionLostException(
                    "the connection to the agent broke, so the outcome of " + rpc + " is unknown: " + text, answer);
        }
        return switch (answer.getStatus().getCode()) {
            case NOT_FOUND -> withCause(new NotFoundException(rpc + ": the agent does not know it: " + text), answer);
            case ALREADY_EXISTS ->
                withCause(new AlreadyExistsException(rpc + ": the agent has it already: " + text), answer);
            case DEADLINE_EXCEEDED ->
                new DeadlineExceededException(
                        "the agent's answer to " + rpc + " did not come in time: " + text, answer);
            case UNIMPLEMENTED ->
                withCause(
                        new UnsupportedException("agent "
                                + agentVersion.get().orElse("of unknown version") + " does not support " + rpc.method()
                                + ": " + text),
                        answer);
            default ->
                new AgentException(
                        "the agent refused " + rpc + ": " + answer.getStatus().getCode() + ": " + text, answer);
        };
    }

    private static Optional<VirtException> programError(StatusRuntimeException answer, ProcessConfig process) {
        Metadata trailers = answer.getTrailers();
        String reason = trailers == null ? null : trailers.get(REASON);
        String program = process.command().get(0);
        if (EXECUTABLE_NOT_FOUND.equals(reason)) {
            return Optional.of(
                    withCause(new CommandNotFoundException(notFound(program, process), NOT_FOUND_EXIT_CODE), answer));
        }
        if (EXECUTABLE_NOT_PERMITTED.equals(reason)) {
            String message = "the program \"" + program + "\" may not be executed by uid "
                    + process.user().uid()
                    + ": it must be a file with the execute permission on a file system without noexec ("
                    + textOf(answer) + ")";
            return Optional.of(withCause(new CommandNotFoundException(message, NOT_PERMITTED_EXIT_CODE), answer));
        }
        return Optional.empty();
    }

    private static String notFound(String program, ProcessConfig process) {
        String missing = "no such program \"" + program + "\" in the container's root file system";
        if (program.indexOf('/') >= 0) {
            return missing + "; the name has a '/', so PATH is not searched; the working directory is "
                    + process.workingDirectory();
        }
        String path = process.environment().get("PATH");
        return missing + "; " + (path == null ? "PATH is not set" : "PATH is " + path);
    }

    /** Whether the transport failed, rather than the agent refusing: the same call may then succeed on a new connection. */
    static boolean isConnectionLoss(Throwable error) {
        return unwrap(error) instanceof StatusRuntimeException answer
                && (answer.getStatus().getCode() == Status.Code.UNAVAILABLE
                        // UNKNOWN if a write met the closed channel before its reader did (grpc-java issue 10120).
                        || isCausedBy(answer, ClosedChannelException.class)
                        || isProtocolError(answer));
    }

    /**
     * Whether the other side sent something that is not HTTP/2 or breaks the transport's rules, or found that we did: a stream without connections can carry
     * the rest of what was said before, to the agent or by it.
     */
    static boolean isProtocolError(Throwable error) {
        if (unwrap(error) instanceof StatusRuntimeException answer
                && answer.getStatus().getCode() == Status.Code.INTERNAL
                && String.valueOf(answer.getStatus().getDescription()).contains(GOAWAY)) {
            return true;
        }
        return isCausedBy(error, Http2Exception.class) || isCausedBy(error, ProtocolException.class);
    }

    private static boolean isCausedBy(Throwable error, Class<? extends Throwable> type) {
        for (Throwable cause = error; cause != null; cause = cause.getCause()) {
            if (type.isInstance(cause)) {
                return true;
            }
        }
        return false;
    }

    static boolean hasCode(Throwable error, Status.Code code) {
        return unwrap(error) instanceof StatusRuntimeException answer
                && answer.getStatus().getCode() == code;
    }

    /** What the agent or the transport said, on one line and of bounded length. */
    static String textOf(StatusRuntimeException answer) {
        String description = answer.getStatus().getDescription();
        Throwable cause = answer.getStatus().getCause();
        String text = description == null ? "no reason given" : description;
        if (cause == null || cause.getMessage() == null) {
            return GuestData.shown(text);
        }
        // Of an I/O error gRPC only tells the handlers of its pipeline, which help nobody.
        return GuestData.shown(text.startsWith(IO_EXCEPTION) ? cause.getMessage() : text + ": " + cause.getMessage());
    }

    static Throwable unwrap(Throwable error) {
        return error instanceof CompletionException && error.getCause() != null ? error.getCause() : error;
    }

    private static <E extends VirtException> E withCause(E error, Throwable cause) {
        error.initCause(cause);
        return error;
    }
}
