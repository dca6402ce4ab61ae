// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import io.virtcontainers.VirtException;
import io.virtcontainers.spi.Deadline;
import java.io.PrintStream;
import java.nio.file.Path;
import java.time.Duration;

/** Packs a root file system in a process of its own, so that a test can run it as another user. */
final class OrdinaryUserMain {
    private OrdinaryUserMain() {}

    public static void main(String[] arguments) {
        PrintStream out = System.out;
        try {
            out.println(new GuestImageBuilderProvider()
                    .open(Path.of(arguments[0]))
                    .rootfsImage(Path.of(arguments[1]), name -> () -> {}, Deadline.after(Duration.ofSeconds(30))));
        } catch (VirtException e) {
            out.println(e);
        }
    }
}
