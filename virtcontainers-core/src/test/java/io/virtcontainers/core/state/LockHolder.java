// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core.state;

import io.virtcontainers.spi.Deadline;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;

/** A program that takes the lock of a sandbox, says so, and holds it until a line comes. Arguments: state directory, id. */
final class LockHolder {
    private LockHolder() {}

    public static void main(String[] args) throws IOException {
        try (StateDirectory state = StateDirectory.open(Path.of(args[0]));
                SandboxLocks.Lock lock = state.place(args[1]).lock("hold it", Deadline.after(Duration.ofSeconds(10)))) {
            System.out.println("locked");
            int unused = System.in.read();
        }
        System.out.println("released");
    }
}
