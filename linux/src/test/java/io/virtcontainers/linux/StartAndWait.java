// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.linux;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;

/** A program that starts a child which dies with it, tells the child's pid and waits to be killed. */
final class StartAndWait {
    private StartAndWait() {}

    @SuppressWarnings("resource")
    public static void main(String[] arguments) throws InterruptedException {
        Command command = new Command(
                List.of("/usr/bin/setpriv", "--pdeathsig", "KILL", "--", "/bin/sh", "-c", "echo up; exec sleep 1000"),
                Map.of(),
                Path.of("/"),
                false);
        CountDownLatch up = new CountDownLatch(1);
        LinuxProcess child = new Processes("start-and-wait")
                .start(command, (bytes, length) -> up.countDown())
                .join();
        up.await();
        new PrintStream(new FileOutputStream(FileDescriptor.out), true).println(child.pid());
        new CountDownLatch(1).await();
    }
}
