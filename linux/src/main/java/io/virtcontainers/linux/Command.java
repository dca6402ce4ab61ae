// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.linux;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * A program to start. It gets no other file descriptors than /dev/null as its standard input, a pipe to this process as
 * its standard output and error, and the files that are named here; and no signal blocked or ignored.
 *
 * @param arguments the program's path first; no PATH is searched
 * @param environment all of it
 * @param directory where it runs
 * @param detached whether it runs in a session of its own, out of reach of the terminal's signals, and is left alone by
 *     {@link Processes#close}
 * @param files opened as the descriptors 3, 4, ... with the rights of this process
 */
public record Command(
        List<String> arguments,
        Map<String, String> environment,
        Path directory,
        boolean detached,
        List<OpenFile> files) {
    /**
     * @param path absolute
     * @param writable whether it is opened for writing too
     */
    public record OpenFile(Path path, boolean writable) {}

    /** A program that needs no open files. */
    public Command(List<String> arguments, Map<String, String> environment, Path directory, boolean detached) {
        this(arguments, environment, directory, detached, List.of());
    }

    public Command {
        files = List.copyOf(files);
        arguments = List.copyOf(arguments);
        environment = Map.copyOf(environment);
        if (arguments.isEmpty()) {
            throw new IllegalArgumentException("no program in the arguments");
        }
    }
}
