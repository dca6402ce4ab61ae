// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Path;
import java.time.Duration;

/**
 * A program that uses the container {@code c} of the detached sandbox {@code d} until it is killed: ends the process that
 * its forerunner left, checks that streams and exec work, then starts a process of its own, tells its id, and reads its
 * output, a line for each piece. Arguments: state directory, id of the forerunner's process or {@code none}.
 */
final class KilledUser {
    private static final Duration SOON = Duration.ofSeconds(60);
    private static final int PIECE = 256 << 10;
    private static final String LINE = "0123456789abcde\n";

    private KilledUser() {}

    public static void main(String[] args) throws IOException {
        VirtContainers vc =
                VirtContainers.builder().stateDirectory(Path.of(args[0])).open();
        Container container = vc.sandbox("d").container("c");
        if (!args[1].equals("none")) {
            GuestProcess left = container.process(args[1]);
            require(left.stdout().readNBytes(2 * PIECE).length == 2 * PIECE, "output of the forerunner's process");
            left.signal(Signal.KILL);
            require(left.waitFor(SOON).code() == 137, "end of the forerunner's process");
        }
        GuestProcess cat = container.exec(ProcessConfig.of("cat"));
        try (OutputStream stdin = cat.stdin()) {
            stdin.write(LINE.repeat(10_000).getBytes(UTF_8));
        }
        require(new String(cat.stdout().readAllBytes(), UTF_8).equals(LINE.repeat(10_000)), "echo");
        require(cat.waitFor(SOON).code() == 0, "exit code of cat");

        GuestProcess endless = container.exec(ProcessConfig.of("yes", LINE.strip()));
        System.out.println(endless.id());
        InputStream output = endless.stdout();
        while (true) {
            require(new String(output.readNBytes(PIECE), UTF_8).equals(LINE.repeat(PIECE / LINE.length())), "lines");
            System.out.println("piece");
        }
    }

    private static void require(boolean held, String what) {
        if (!held) {
            System.out.println("failed: " + what);
            throw new IllegalStateException(what);
        }
    }
}
