// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

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
 *     PR_SET_NO_NEW_PRIVS)
 */
public record ProcessConfig(
        List<String> command,
        Map<String, String> environment,
        GuestPath workingDirectory,
        User user,
        Optional<TerminalSize> terminal,
        boolean noNewPrivileges) {
    static final String DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    public ProcessConfig {
        command = List.copyOf(command);
        environment = java.util.Collections.unmodifiableMap(new LinkedHashMap<>(environment));
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

        public ProcessConfig build() {
            return new ProcessConfig(command, environment, workingDirectory, user, terminal, noNewPrivileges);
        }
    }
}
