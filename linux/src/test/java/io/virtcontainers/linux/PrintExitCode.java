// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.linux;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** A program that starts a child and tells its exit code. */
final class PrintExitCode {
    private PrintExitCode() {}

    public static void main(String[] arguments) {
        Command command = new Command(List.of("/bin/sh", "-c", "exit 7"), Map.of(), Path.of("/"), false);
        try (Processes processes = new Processes("print-exit-code")) {
            LinuxProcess child = processes.start(command, (bytes, length) -> {}).join();
            int code = child.exit().join().orElse(-1);
            new PrintStream(new FileOutputStream(FileDescriptor.out), true).println(code);
        }
    }
}
