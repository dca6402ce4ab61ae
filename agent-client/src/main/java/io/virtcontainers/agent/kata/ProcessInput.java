// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import com.google.protobuf.ByteString;
import io.grpc.Status;
import io.virtcontainers.AgentException;
import io.virtcontainers.CancelledException;
import io.virtcontainers.NotFoundException;
import io.virtcontainers.VirtException;
import io.virtcontainers.agent.kata.protocol.AgentServiceGrpc;
import io.virtcontainers.agent.kata.protocol.WriteStreamResponse;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.OutputStream;
import java.util.Objects;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * Writes the standard input of a process. Not buffered: a write returns when the guest has taken the bytes, however long
 * the process leaves them in its pipe; wrap it for single bytes. After a failed or interrupted write it is unknown how
 * much of the last 256 KiB arrived, so every later write fails too. For one writer at a time; {@link #close} may come from
 * any thread.
 */
final class ProcessInput extends OutputStream {
    private static final int CHUNK = 256 << 10;
    private static final String BROKEN_PIPE = "broken pipe: the process closed its standard input or ended";

    private final ProcessCalls calls;
    private final boolean terminal;
    private final AtomicBoolean closed = new AtomicBoolean();
    private @Nullable IOException failure;
    private volatile @Nullable CompletableFuture<WriteStreamResponse> current;

    /** @param terminal whether the process has a terminal, whose input has no end of file of its own */
    ProcessInput(ProcessCalls calls, boolean terminal) {
        this.calls = calls;
        this.terminal = terminal;
    }

    @Override
    public void write(int b) throws IOException {
        write(new byte[] {(byte) b}, 0, 1);
    }

    @Override
    public void write(byte[] source, int offset, int length) throws IOException {
        Objects.checkFromIndexSize(offset, length, source.length);
        int done = 0;
        while (done < length) {
            if (closed.get()) {
                throw new IOException("stream closed");
            }
            if (failure != null) {
                throw new IOException(failure.getMessage(), failure.getCause());
            }
            try {
                done += send(ByteString.copyFrom(source, offset + done, Math.min(CHUNK, length - done)));
            } catch (InterruptedIOException e) {
                e.bytesTransferred = done;
                failure = new IOException("an earlier write was interrupted: how much of it arrived is unknown", e);
                throw e;
            } catch (IOException e) {
                failure = e;
                throw e;
            }
        }
    }

    private int send(ByteString data) throws IOException {
        CompletableFuture<WriteStreamResponse> call = calls.writeStdin(data);
        current = call;
        if (closed.get()) { // by another thread, which may not have seen the new call
            call.cancel(false);
        }
        try {
            return taken(call.get(), data.size());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            call.cancel(false);
            throw new InterruptedIOException("interrupted while writing to process " + calls.execId());
        } catch (CancellationException e) {
            throw new IOException("stream closed", e);
        } catch (ExecutionException e) {
            throw failed(e.getCause() == null ? e : e.getCause());
        }
    }

    /** The guest may take a part only; none at all means that the standard input was closed. */
    private static int taken(WriteStreamResponse answer, int sent) throws IOException {
        int taken = answer.getLen();
        if (taken == 0) {
            throw new IOException(BROKEN_PIPE);
        }
        if (taken < 0 || taken > sent) {
            throw new IOException(
                    "the agent says that it took " + Integer.toUnsignedLong(taken) + " of " + sent + " bytes");
        }
        return taken;
    }

    private IOException failed(Throwable error) {
        VirtException mapped = calls.mapError(error, AgentServiceGrpc.getWriteStdinMethod());
        boolean ended = !calls.connection().hasFailed()
                && (AgentErrors.hasCode(error, Status.Code.FAILED_PRECONDITION)
                        || AgentErrors.hasCode(error, Status.Code.NOT_FOUND));
        return new IOException(ended ? BROKEN_PIPE : mapped.getMessage(), mapped);
    }

    /** Gives the process the end of file, except on a terminal; also ends a write of another thread. */
    @Override
    public void close() throws IOException {
        if (closed.getAndSet(true)) {
            return;
        }
        CompletableFuture<WriteStreamResponse> call = current;
        if (call != null) {
            call.cancel(false);
        }
        if (!terminal) {
            closeStdin();
        }
    }

    private void closeStdin() throws IOException {
        try {
            calls.closeStdin();
        } catch (NotFoundException e) {
            return; // it has ended, with its standard input
        } catch (CancelledException e) {
            InterruptedIOException interrupted = new InterruptedIOException(e.getMessage());
            interrupted.initCause(e);
            throw interrupted;
        } catch (VirtException e) {
            boolean ended = e instanceof AgentException
                    && e.getCause() != null
                    && AgentErrors.hasCode(e.getCause(), Status.Code.FAILED_PRECONDITION);
            if (!ended) {
                throw new IOException(e.getMessage(), e);
            }
        }
    }
}
