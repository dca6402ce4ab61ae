// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import com.google.protobuf.ByteString;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.virtcontainers.VirtException;
import io.virtcontainers.agent.kata.protocol.ReadStreamRequest;
import io.virtcontainers.agent.kata.protocol.ReadStreamResponse;
import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.util.Objects;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.jspecify.annotations.Nullable;

/**
 * Reads the standard output or the standard error of a process, by one call for each chunk.
 *
 * <p>While the reader works on one chunk, one call for the next is under way; there is never a second one, so at most two
 * chunks of 1 MiB are held. Nothing is asked for before the first read. An interrupted read loses nothing: the call stays
 * under way, and the next read takes its answer.
 *
 * <p>If the connection breaks, the call under way may already have taken bytes from the process, so the stream fails, for
 * good, after what did arrive: output with a hole would be worse. A stream that was not being read is not affected. For
 * one reader at a time; {@link #close} may come from any thread.
 */
final class ProcessOutput extends InputStream {
    static final int CHUNK = 1 << 20;

    private static final ByteBuffer NOTHING = ByteBuffer.allocate(0);

    private final ProcessCalls calls;
    private final MethodDescriptor<ReadStreamRequest, ReadStreamResponse> method;

    private ByteBuffer chunk = NOTHING;
    private boolean endOfFile;
    private @Nullable IOException failure; // for good
    private volatile @Nullable CompletableFuture<ReadStreamResponse> next;
    private volatile boolean closed;

    ProcessOutput(ProcessCalls calls, MethodDescriptor<ReadStreamRequest, ReadStreamResponse> method) {
        this.calls = calls;
        this.method = method;
    }

    @Override
    public int read() throws IOException {
        if (!fill()) {
            return -1;
        }
        return chunk.get() & 0xff;
    }

    @Override
    public int read(byte[] target, int offset, int length) throws IOException {
        Objects.checkFromIndexSize(offset, length, target.length);
        if (length == 0) {
            return 0;
        }
        if (!fill()) {
            return -1;
        }
        int n = Math.min(length, chunk.remaining());
        chunk.get(target, offset, n);
        return n;
    }

    /** How many bytes have arrived from the guest and can be read without waiting. */
    @Override
    public int available() throws IOException {
        checkOpen();
        CompletableFuture<ReadStreamResponse> call = next;
        if (call == null || !call.isDone() || call.isCompletedExceptionally()) {
            return chunk.remaining();
        }
        return chunk.remaining() + call.join().getData().size();
    }

    /** Stops reading, also of a thread that waits in a read; what the process writes from now on fills its pipe. */
    @Override
    public void close() {
        closed = true;
        CompletableFuture<ReadStreamResponse> call = next;
        if (call != null) {
            call.cancel(false);
        }
    }

    /** Returns when there is a byte in the chunk, or false at the end of the file. */
    private boolean fill() throws IOException {
        checkOpen();
        while (!chunk.hasRemaining()) {
            chunk = NOTHING; // let go of the memory before the wait
            if (failure != null) {
                throw new IOException(failure.getMessage(), failure.getCause());
            }
            if (endOfFile) {
                return false;
            }
            CompletableFuture<ReadStreamResponse> call = next;
            receive(call == null ? ask() : call);
        }
        return true;
    }

    private CompletableFuture<ReadStreamResponse> ask() throws IOException {
        CompletableFuture<ReadStreamResponse> call = calls.read(method, CHUNK);
        next = call;
        if (closed) { // by another thread, which may not have seen the new call
            call.cancel(false);
        }
        return call;
    }

    private void receive(CompletableFuture<ReadStreamResponse> call) throws IOException {
        try {
            ByteString data = call.get().getData();
            if (data.size() > CHUNK) {
                next = null;
                failure = new IOException(
                        "the agent sent " + data.size() + " bytes of output where " + CHUNK + " were asked for");
                return;
            }
            chunk = data.asReadOnlyByteBuffer();
            var unused = ask();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted while waiting for output of process " + calls.execId());
        } catch (ExecutionException e) {
            ended(e.getCause() == null ? e : e.getCause());
        } catch (CancellationException e) {
            checkOpen();
            throw new IOException("the read was cancelled", e);
        }
    }

    private void ended(Throwable error) {
        if (error instanceof StatusRuntimeException answer && isEndOfFile(answer.getStatus())) {
            endOfFile = true;
            return;
        }
        VirtException mapped = calls.mapError(error, method);
        boolean lost =
                AgentErrors.isConnectionLoss(error) && !calls.connection().hasFailed();
        failure = new IOException(
                lost
                        ? "the connection to the agent broke while output was under way: up to " + CHUNK
                                + " bytes may be lost, so this stream ends here"
                        : mapped.getMessage(),
                mapped);
    }

    /** Ours says OUT_OF_RANGE; an upstream agent passes on the text of Go's errors, for a terminal that of EIO. */
    private static boolean isEndOfFile(Status status) {
        String text = String.valueOf(status.getDescription());
        return switch (status.getCode()) {
            case OUT_OF_RANGE -> true;
            case UNKNOWN -> text.equals("EOF") || text.endsWith("input/output error");
            default -> false;
        };
    }

    private void checkOpen() throws IOException {
        if (closed) {
            throw new IOException("stream closed");
        }
    }
}
