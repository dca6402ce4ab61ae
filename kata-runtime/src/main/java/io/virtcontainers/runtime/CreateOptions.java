// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * The options of {@code create} and {@code run}.
 *
 * @param id the container's
 * @param bundle absolute
 * @param pidFile where the supervisor's pid is written
 * @param consoleSocket where the master of the container's terminal is sent
 * @param detach {@code run} only: whether it returns after the start
 */
record CreateOptions(String id, Path bundle, Optional<Path> pidFile, Optional<Path> consoleSocket, boolean detach) {
    private static final List<Option> OPTIONS = List.of(
            Option.value("bundle", "b"),
            Option.value("console"),
            Option.value("console-socket"),
            Option.value("pid-file"),
            Option.value("preserve-fds"),
            Option.flag("no-pivot"),
            Option.flag("no-new-keyring"),
            Option.flag("no-subreaper"),
            Option.flag("detach", "d"));

    static CreateOptions parse(String command, List<String> words) {
        Arguments arguments = Arguments.parse(command, words, OPTIONS);
        if (arguments.value("preserve-fds").map(count -> !count.equals("0")).orElse(false)) {
            throw new UsageException(command + ": --preserve-fds: open files cannot be handed to a process in a guest");
        }
        return new CreateOptions(
                Registry.checked(arguments.onlyId()),
                Path.of(arguments.value("bundle").orElse("")).toAbsolutePath(),
                path(arguments, "pid-file"),
                path(arguments, "console-socket"),
                arguments.is("detach"));
    }

    static Optional<Path> path(Arguments arguments, String name) {
        return arguments
                .value(name)
                .filter(text -> !text.isEmpty())
                .map(text -> Path.of(text).toAbsolutePath());
    }

    /** The words for the supervisor, which has another working directory. */
    List<String> words() {
        return List.of("--bundle", bundle.toString(), id);
    }
}
