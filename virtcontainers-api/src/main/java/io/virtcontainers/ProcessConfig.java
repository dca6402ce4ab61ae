// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * A process to run in a container (OCI runtime-spec, {@code process}).
 *
 * @param command the program and its arguments; the program is looked up in the container's {@code PATH}
 * @param environment the whole environment; {@code PATH} has a default
 * @param workingDirectory an absolute path inside the container
 * @param user whom it runs as
 * @param terminal the size of its terminal, or empty for three separate streams. With a terminal all output comes on
 *     standard output.
 * @param noNewPrivileges whether programs may not gain rights when they are executed, as set-uid programs do (prctl(2),
 *     PR_SET_NO_NEW_PRIVS). In a container whose own process has this set, every process has it.
 * @param capabilities its rights. Empty for a container's own process: those of {@link ContainerConfig#spec}, or without one
 *     {@link Capabilities#defaults} for root and only their bounding set for other users. Empty for a further process
 *     ({@link Container#exec}): exactly those of the container's own process, never more; so also root has none to use
 *     in the container of another user. To give a further process more than that, name them.
 * @param rlimits its limits, each type at most once. A type that is not here has the value of
 *     {@link ContainerConfig#spec}, without one 1024 and 1048576 open files; for a further process the value of the
 *     container's own process.
 */
public record ProcessConfig(
        List<String> command,
        Map<String, String> environment,
        GuestPath workingDirectory,
        User user,
        Optional<TerminalSize> terminal,
        boolean noNewPrivileges,
        Optional<Capabilities> capabilities,
        List<Rlimit> rlimits) {
    static final String DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    public ProcessConfig {
        command = List.copyOf(command);
        environment = java.util.Collections.unmodifiableMap(new LinkedHashMap<>(environment));
        rlimits = List.copyOf(rlimits);
        if (command.isEmpty() || command.get(0).isEmpty()) {
            throw new InvalidConfigException("command", command.toString(), "names no program");
        }
        command.forEach(argument -> noNul("command argument", argument));
        environment.forEach((name, value) -> {
            if (name.isEmpty() || name.indexOf('=') >= 0) {
                throw new InvalidConfigException(
                        "environment variable", '"' + name + '"', "a name is not empty and has no '='");
            }
            noNul("environment variable", name);
            noNul("environment variable " + name, value);
        });
        Set<String> types = new HashSet<>();
        rlimits.forEach(limit -> {
            if (!types.add(limit.type())) {
                throw new InvalidConfigException("resource limit", limit.type(), "is there twice");
            }
        });
    }

    private static void noNul(String what, String value) {
        if (value.indexOf('\0') >= 0) {
            throw new InvalidConfigException(what, '"' + value.replace("\0", "\\0") + '"', "contains a NUL character");
        }
    }

    /** A process with the given program and arguments and all else by default. */
    public static ProcessConfig of(String... command) {
        return builder(command).build();
    }

    public static Builder builder(String... command) {
        return new Builder(List.of(command));
    }

    public static Builder builder(List<String> command) {
        return new Builder(command);
    }

    /** Collects the settings of a {@link ProcessConfig}; not thread-safe. */
    public static final class Builder {
        private final List<String> command;
        private final Map<String, String> environment = new LinkedHashMap<>(Map.of("PATH", DEFAULT_PATH));
        private GuestPath workingDirectory = GuestPath.of("/");
        private User user = User.ROOT;
        private Optional<TerminalSize> terminal = Optional.empty();
        private boolean noNewPrivileges = true;
        private Optional<Capabilities> capabilities = Optional.empty();
        private final List<Rlimit> rlimits = new ArrayList<>();

        private Builder(List<String> command) {
            this.command = new ArrayList<>(command);
        }

        /** Sets one variable of the environment. */
        public Builder environment(String name, String value) {
            environment.put(name, value);
            return this;
        }

        public Builder environment(Map<String, String> variables) {
            environment.putAll(variables);
            return this;
        }

        /** An absolute path inside the container; default {@code /}. */
        public Builder workingDirectory(String path) {
            workingDirectory = GuestPath.of(path);
            return this;
        }

        /** Default: root of the container. */
        public Builder user(User newUser) {
            user = newUser;
            return this;
        }

        /** Gives the process a terminal of this size. Default: none. */
        public Builder terminal(TerminalSize size) {
            terminal = Optional.of(size);
            return this;
        }

        /** Default: true. Set it to false for images in which users become root by {@code su} or {@code sudo}. */
        public Builder noNewPrivileges(boolean forbidden) {
            noNewPrivileges = forbidden;
            return this;
        }

        /** Default: those of the container, see {@link ProcessConfig#capabilities}. */
        public Builder capabilities(Capabilities rights) {
            capabilities = Optional.of(rights);
            return this;
        }

        /** Adds a limit. Default: those of the container, see {@link ProcessConfig#rlimits}. */
        public Builder rlimit(Rlimit limit) {
            rlimits.add(limit);
            return this;
        }

        public ProcessConfig build() {
            return new ProcessConfig(
                    command, environment, workingDirectory, user, terminal, noNewPrivileges, capabilities, rlimits);
        }
    }
}
