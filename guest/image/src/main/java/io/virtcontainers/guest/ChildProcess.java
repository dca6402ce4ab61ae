// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import io.virtcontainers.spi.Deadline;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** Runs a program of the host to its end. */
final class ChildProcess {
    private static final int MAX_OUTPUT = 8 << 10;
    private static final int POLL_MILLIS = 10;

    /** @param output the end of what it wrote to both its outputs */
    record Result(int exitCode, String output) {}

    private ChildProcess() {}

    /**
     * Runs it with an empty input. It is dead when this returns or throws.
     *
     * @param environment added to ours
     * @param waitedFor the subject of the error message
     * @throws io.virtcontainers.DeadlineExceededException if it takes too long
     * @throws io.virtcontainers.CancelledException if the thread is interrupted
     */
    static Result run(List<String> command, Map<String, String> environment, Deadline deadline, String waitedFor)
            throws IOException {
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().putAll(environment);
        Process process = builder.start();
        try (InputStream output = process.getInputStream()) {
            process.getOutputStream().close();
            StringBuilder tail = new StringBuilder();
            byte[] buffer = new byte[4096];
            // One thread is enough: what is there is read between short waits for the end.
            while (!process.waitFor(POLL_MILLIS, TimeUnit.MILLISECONDS)) {
                Waits.check(deadline, waitedFor);
                drain(output, buffer, tail);
            }
            drain(output, buffer, tail);
            return new Result(process.exitValue(), tail.toString());
        } catch (InterruptedException e) {
            throw Waits.cancelled(waitedFor);
        } finally {
            kill(process);
        }
    }

    /** Reads what is there now; never waits, as a child of the child may hold the pipe open. */
    private static void drain(InputStream output, byte[] buffer, StringBuilder tail) throws IOException {
        int rounds = 0;
        for (int ready = output.available(); ready > 0 && rounds < 1024; ready = output.available(), rounds++) {
            int n = output.read(buffer, 0, Math.min(ready, buffer.length));
            tail.append(new String(buffer, 0, Math.max(0, n), StandardCharsets.UTF_8));
            tail.delete(0, Math.max(0, tail.length() - MAX_OUTPUT));
        }
    }

    private static void kill(Process process) {
        boolean interrupted = Thread.interrupted();
        try {
            process.destroyForcibly().waitFor(5, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            interrupted = true;
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
