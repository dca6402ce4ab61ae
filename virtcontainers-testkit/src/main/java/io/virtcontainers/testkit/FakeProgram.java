// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.testkit;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;

/** A program of the fake agent. A signal interrupts its thread. */
@FunctionalInterface
public interface FakeProgram {
    /** The programs that every fake agent knows; {@code sleep} without an argument sleeps for ever, {@code cat} finds no file. */
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
                        for (String file : arguments) {
                            err.write(("cat: can't open '" + file + "': No such file or directory\n")
                                    .getBytes(StandardCharsets.UTF_8));
                        }
                        return arguments.isEmpty() && in.transferTo(out) >= 0 ? 0 : 1;
                    },
            "sleep",
                    (arguments, in, out, err) -> {
                        if (arguments.isEmpty()) {
                            new CountDownLatch(1).await();
                        }
                        Thread.sleep(Duration.ofSeconds(Long.parseLong(arguments.get(0)))
                                .toMillis());
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
