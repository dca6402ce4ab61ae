// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The options before the command.
 *
 * @param root where the containers of this call are kept: two roots do not know each other's
 * @param kataConfig the configuration file; empty: one of the default places
 * @param log where errors are also written
 * @param json whether that is written as JSON
 * @param debug whether everything is logged
 * @param command the command
 * @param arguments what follows it
 * @param words all before the command, to hand on
 */
record GlobalOptions(
        Path root,
        Optional<Path> kataConfig,
        Optional<Path> log,
        boolean json,
        boolean debug,
        Optional<String> command,
        List<String> arguments,
        List<String> words) {
    /** The command that the option of this name is. */
    static final String SHOW_PATHS = "kata-show-default-config-paths";

    private static final Set<String> PATHS = Set.of("kata-config", "log", "root");

    private static final List<Option> OPTIONS = List.of(
            Option.value("kata-config"),
            Option.value("log"),
            Option.value("log-format"),
            Option.value("root"),
            Option.value("rootless"),
            Option.flag("systemd-cgroup"),
            Option.value("cgroup-manager"), // crun's, as podman says it
            Option.flag("debug"),
            Option.flag(SHOW_PATHS),
            Option.flag("version", "v"),
            Option.flag("help", "h"));

    static GlobalOptions parse(List<String> words) {
        Arguments arguments = Arguments.parse("kata-runtime", words, OPTIONS);
        String format = arguments.value("log-format").orElse("text");
        if (!format.equals("text") && !format.equals("json")) {
            throw new UsageException("unknown log-format \"" + format + '"');
        }
        List<String> rest = arguments.rest();
        Optional<String> command = arguments.is("version")
                ? Optional.of("version")
                : arguments.is("help")
                        ? Optional.of("help")
                        : arguments.is(SHOW_PATHS)
                                ? Optional.of(SHOW_PATHS)
                                : rest.isEmpty() ? Optional.empty() : Optional.of(rest.get(0));
        return new GlobalOptions(
                arguments
                        .value("root")
                        .map(Path::of)
                        .orElseGet(GlobalOptions::defaultRoot)
                        .toAbsolutePath(),
                arguments.value("kata-config").filter(file -> !file.isEmpty()).map(Path::of),
                arguments.value("log").filter(log -> !log.isEmpty()).map(Path::of),
                format.equals("json"),
                arguments.is("debug"),
                command,
                rest.isEmpty() ? List.of() : rest.subList(1, rest.size()),
                normalized(arguments));
    }

    /** For a process that has another directory as its own. */
    private static List<String> normalized(Arguments arguments) {
        List<String> words = new ArrayList<>();
        for (Option option : OPTIONS) {
            arguments
                    .value(option.name())
                    .map(value -> PATHS.contains(option.name()) && !value.isEmpty()
                            ? Path.of(value).toAbsolutePath().toString()
                            : value)
                    .ifPresent(value -> words.add("--" + option.name() + '=' + value));
        }
        return words;
    }

    private static Path defaultRoot() {
        @Nullable String runtime = System.getenv("XDG_RUNTIME_DIR");
        return isRoot() || runtime == null || !runtime.startsWith("/")
                ? Path.of("/run/kata-containers")
                : Path.of(runtime, "kata-containers");
    }

    static boolean isRoot() {
        return Files.isWritable(Path.of("/proc/1/oom_score_adj"));
    }
}
