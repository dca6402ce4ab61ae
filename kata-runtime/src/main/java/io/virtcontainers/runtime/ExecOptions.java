// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import io.virtcontainers.Capabilities;
import io.virtcontainers.GuestPath;
import io.virtcontainers.ProcessConfig;
import io.virtcontainers.TerminalSize;
import io.virtcontainers.User;
import io.virtcontainers.oci.OciProcess;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * The options of {@code exec}.
 *
 * @param id the container's
 * @param command the program and its arguments; empty if the process comes from a file
 * @param pidFile where the supervisor's pid is written
 * @param consoleSocket where the master of the process's terminal is sent
 * @param detach whether it returns after the start
 */
record ExecOptions(
        String id,
        List<String> command,
        Optional<Path> pidFile,
        Optional<Path> consoleSocket,
        boolean detach,
        Arguments arguments) {
    private static final TerminalSize SIZE = new TerminalSize(24, 80);

    private static final List<Option> OPTIONS = List.of(
            Option.value("process", "p"),
            Option.value("console"),
            Option.value("console-socket"),
            Option.value("cwd"),
            Option.value("env", "e"),
            Option.flag("tty", "t"),
            Option.value("user", "u"),
            Option.value("additional-gids", "g"),
            Option.flag("detach", "d"),
            Option.value("pid-file"),
            Option.value("process-label"),
            Option.value("apparmor"),
            Option.flag("no-new-privs"),
            Option.value("cap", "c"),
            Option.flag("no-subreaper"),
            Option.value("preserve-fds"),
            Option.flag("ignore-paused"));

    static ExecOptions parse(List<String> words) {
        Arguments arguments = Arguments.parse("exec", words, OPTIONS);
        String id = Registry.checked(arguments.id());
        List<String> command = arguments.rest().subList(1, arguments.rest().size());
        if (command.isEmpty() && arguments.value("process").isEmpty()) {
            throw new UsageException("exec: Missing process: name a program, or a file with --process");
        }
        if (arguments.value("preserve-fds").map(count -> !count.equals("0")).orElse(false)) {
            throw new UsageException("exec: --preserve-fds: open files cannot be handed to a process in a guest");
        }
        return new ExecOptions(
                id,
                command,
                CreateOptions.path(arguments, "pid-file"),
                CreateOptions.path(arguments, "console-socket"),
                arguments.is("detach"),
                arguments);
    }

    /**
     * The process to start.
     *
     * @param container the container's own, whose settings count where nothing else is said
     */
    ProcessConfig process(ProcessConfig container) {
        Optional<String> file = arguments.value("process");
        return file.isPresent() ? ofFile(Path.of(file.get())) : ofWords(container);
    }

    private static ProcessConfig ofFile(Path file) {
        try {
            return OciProcess.parse(Files.readString(file)).toExecConfig();
        } catch (IOException e) {
            throw new UncheckedIOException("exec: cannot read --process " + file + ": " + e, e);
        }
    }

    private ProcessConfig ofWords(ProcessConfig container) {
        return new ProcessConfig(
                command,
                environment(container.environment()),
                arguments.value("cwd").map(GuestPath::of).orElse(container.workingDirectory()),
                user(container.user()),
                arguments.is("tty") ? Optional.of(SIZE) : Optional.empty(),
                arguments.is("no-new-privs") || container.noNewPrivileges(),
                capabilities(container.capabilities()),
                List.of());
    }

    private Map<String, String> environment(Map<String, String> container) {
        Map<String, String> variables = new LinkedHashMap<>(container);
        for (String variable : arguments.values("env")) {
            int equals = variable.indexOf('=');
            if (equals < 1) {
                throw new UsageException("exec: --env \"" + variable + "\" is not of the form NAME=VALUE");
            }
            variables.put(variable.substring(0, equals), variable.substring(equals + 1));
        }
        return variables;
    }

    private User user(User container) {
        Optional<String> text = arguments.value("user");
        List<Long> more = arguments.values("additional-gids").stream()
                .map(ExecOptions::number)
                .toList();
        if (text.isEmpty()) {
            return more.isEmpty() ? container : new User(container.uid(), container.gid(), more);
        }
        String[] parts = text.get().split(":", 2);
        return new User(number(parts[0]), parts.length == 2 ? number(parts[1]) : container.gid(), more);
    }

    private static long number(String text) {
        try {
            return Long.parseLong(text);
        } catch (NumberFormatException e) {
            throw new UsageException("exec: \"" + text + "\" is no numeric id: --user takes UID[:GID]");
        }
    }

    /** Those of the container and what is named. */
    private Optional<Capabilities> capabilities(Optional<Capabilities> container) {
        List<String> more = arguments.values("cap");
        if (more.isEmpty()) {
            return Optional.empty();
        }
        Capabilities own = container.orElse(Capabilities.defaults());
        return Optional.of(new Capabilities(
                union(own.bounding(), more),
                union(own.effective(), more),
                own.inheritable(),
                union(own.permitted(), more),
                own.ambient()));
    }

    private static List<String> union(List<String> one, List<String> other) {
        Set<String> all = new LinkedHashSet<>(one);
        all.addAll(other);
        return List.copyOf(all);
    }

    /** The words for the supervisor, which has another working directory and needs no files. */
    List<String> words() {
        List<String> words = new ArrayList<>();
        arguments.value("process").ifPresent(file -> {
            words.add("--process");
            words.add(Path.of(file).toAbsolutePath().toString());
        });
        for (String name : List.of("cwd", "env", "user", "additional-gids", "cap")) {
            for (String value : arguments.values(name)) {
                words.add("--" + name);
                words.add(value);
            }
        }
        for (String name : List.of("tty", "no-new-privs")) {
            words.add("--" + name + '=' + arguments.is(name));
        }
        words.add("--");
        words.add(id);
        words.addAll(command);
        return words;
    }
}
