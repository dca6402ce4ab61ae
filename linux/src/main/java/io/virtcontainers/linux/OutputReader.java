// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.linux;

import java.time.Duration;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads what children write. After each reading of any, all rest for some milliseconds: a program that floods its output
 * is slowed down by its full pipe and costs little here. Not thread-safe.
 */
final class OutputReader implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(OutputReader.class);
    private static final Duration REST = Duration.ofMillis(5);
    /** As much as a pipe holds. */
    private static final int MAX_BYTES_AT_ONCE = 64 << 10;

    private static final int BUFFER_BYTES = 8 << 10;

    private final Arena arena = new Arena();
    private final long memory = arena.allocate(BUFFER_BYTES);
    private final byte[] buffer = new byte[BUFFER_BYTES];
    private long restsUntil = System.nanoTime();

    boolean isResting(long now) {
        return now - restsUntil < 0;
    }

    /** How long to rest yet, rounded up; {@link PollSet#FOR_EVER} if not resting. */
    int restMillis(long now) {
        return isResting(now) ? (int) ((restsUntil - now) / 1_000_000 + 1) : PollSet.FOR_EVER;
    }

    void read(LinuxProcess process) {
        drain(process);
        restsUntil = System.nanoTime() + REST.toNanos();
    }

    void drain(LinuxProcess process) {
        int fd = process.outputFd();
        int length = 1;
        for (int total = 0; fd != LinuxProcess.NO_FD && length > 0 && total < MAX_BYTES_AT_ONCE; total += length) {
            // Negative if there is nothing now.
            length = (int) Native.call("read", fd, memory, BUFFER_BYTES);
            if (length > 0) {
                deliver(process, length);
            } else if (length == 0) {
                process.closeOutput();
            }
        }
    }

    private void deliver(LinuxProcess process, int length) {
        Native.MEMORY.getByteArray(memory, buffer, 0, length);
        try {
            process.output().received(buffer, length);
        } catch (RuntimeException e) {
            log.warn("output listener failed pid={}", process.pid(), e);
        }
    }

    @Override
    public void close() {
        arena.close();
    }
}
