// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.testkit;

import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.io.OutputStream;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.Objects;

/** A pipe of the fake guest: bounded, takes memory only for what is in it, and has as many ends as are asked for. Thread-safe. */
final class FakePipe {
    private static final int CAPACITY = 1 << 16;

    private final Deque<byte[]> chunks = new ArrayDeque<>();
    private int size;
    private boolean atEnd;
    private boolean broken;

    /** What may hold up or end the use of one end. */
    interface Gate {
        /** Waits for the right to begin. */
        default void before() throws IOException {}

        /** Called after each wake-up: throws if there is no reason to wait on. Must not block. */
        default void check() throws IOException {}

        /** Waits for the right to return. */
        default void after() throws IOException {}
    }

    /** The reader gets what is in the pipe, and then the end of file. */
    synchronized void endOfFile() {
        atEnd = true;
        notifyAll();
    }

    /** There is no reader any more: writers fail, and what is in the pipe is lost. */
    synchronized void breakOff() {
        broken = true;
        atEnd = true;
        chunks.clear();
        size = 0;
        notifyAll();
    }

    /** Lets those who wait check their gates. */
    synchronized void wake() {
        notifyAll();
    }

    private synchronized int read(byte[] target, int offset, int length, Gate gate) throws IOException {
        while (size == 0) {
            gate.check();
            if (atEnd) {
                return -1;
            }
            await();
        }
        byte[] chunk = chunks.remove();
        int n = Math.min(length, chunk.length);
        System.arraycopy(chunk, 0, target, offset, n);
        if (n < chunk.length) {
            chunks.addFirst(Arrays.copyOfRange(chunk, n, chunk.length));
        }
        size -= n;
        notifyAll();
        return n;
    }

    private synchronized int write(byte[] source, int offset, int length, Gate gate) throws IOException {
        gate.check();
        while (size >= CAPACITY && !broken) {
            await();
            gate.check();
        }
        if (broken || atEnd) {
            throw new IOException("Broken pipe");
        }
        int n = Math.min(length, CAPACITY - size);
        chunks.add(Arrays.copyOfRange(source, offset, offset + n));
        size += n;
        notifyAll();
        return n;
    }

    @SuppressWarnings("WaitNotInLoop") // its callers loop
    private void await() throws InterruptedIOException {
        try {
            wait();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted while waiting at a pipe");
        }
    }

    InputStream reader(Gate gate) {
        return new InputStream() {
            @Override
            public int read() throws IOException {
                byte[] one = new byte[1];
                return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
            }

            @Override
            public int read(byte[] target, int offset, int length) throws IOException {
                Objects.checkFromIndexSize(offset, length, target.length);
                if (length == 0) {
                    return 0;
                }
                gate.before();
                int n = FakePipe.this.read(target, offset, length, gate);
                gate.after();
                return n;
            }
        };
    }

    /** @param onClose what closing it does */
    OutputStream writer(Gate gate, Runnable onClose) {
        return new OutputStream() {
            @Override
            public void write(int b) throws IOException {
                write(new byte[] {(byte) b}, 0, 1);
            }

            @Override
            public void write(byte[] source, int offset, int length) throws IOException {
                Objects.checkFromIndexSize(offset, length, source.length);
                int done = 0;
                while (done < length) {
                    gate.before();
                    done += FakePipe.this.write(source, offset + done, length - done, gate);
                }
            }

            @Override
            public void close() {
                onClose.run();
            }
        };
    }
}
