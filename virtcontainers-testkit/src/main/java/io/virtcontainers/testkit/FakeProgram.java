// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.testkit;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;

/** A program of the fake agent. A signal interrupts its thread. */
@FunctionalInterface
public interface FakeProgram {
    /** The programs that every fake agent knows. */
    Map<String, FakeProgram> DEFAULTS = Map.of(
            "true", (arguments, in, out, err) -> 0,
            "false", (arguments, in, out, err) -> 1,
            "exit", (arguments, in, out, err) -> Integer.parseInt(arguments.get(0)),
            "echo",
                    (arguments, in, out, err) -> {
                        out.write((String.join(" ", arguments) + "\n").getBytes(StandardCharsets.UTF_8));
                        return 0;
                    },
            "cat",
                    (arguments, in, out, err) -> {
                        in.transferTo(out);
                        return 0;
                    },
            "sleep",
                    (arguments, in, out, err) -> {
                        new CountDownLatch(1).await();
                        return 0;
                    });

    /**
     * Runs the program.
     *
     * @return its exit code
     */
    int run(List<String> arguments, InputStream in, OutputStream out, OutputStream err)
            throws IOException, InterruptedException;
}
