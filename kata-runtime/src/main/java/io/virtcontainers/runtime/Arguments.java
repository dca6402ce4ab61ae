// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The words of a command line: options, and after them what they apply to. The first word that is no option, or {@code --},
 * ends the options: what follows belongs to the container, to the letter. Options are written as Go's programs take them,
 * {@code --name value}, {@code --name=value}, {@code -name value}, {@code -n value}.
 */
final class Arguments {
    private final String command;
    private final Map<String, List<String>> values;
    private final List<String> rest;

    private Arguments(String command, Map<String, List<String>> values, List<String> rest) {
        this.command = command;
        this.values = values;
        this.rest = List.copyOf(rest);
    }

    /**
     * @param command its name, for errors
     * @throws UsageException if an option is unknown, or has no value
     */
    static Arguments parse(String command, List<String> words, List<Option> options) {
        Map<String, List<String>> values = new HashMap<>();
        int next = 0;
        while (next < words.size()) {
            String word = words.get(next);
            if (!word.startsWith("-") || word.equals("-")) {
                break;
            }
            next++;
            if (word.equals("--")) {
                break;
            }
            String bare = word.substring(word.startsWith("--") ? 2 : 1);
            int equals = bare.indexOf('=');
            String name = equals < 0 ? bare : bare.substring(0, equals);
            Option option = options.stream()
                    .filter(candidate -> candidate.isCalled(name))
                    .findFirst()
                    .orElseThrow(() -> new UsageException(command + ": flag provided but not defined: -" + name));
            String value;
            if (equals >= 0) {
                value = bare.substring(equals + 1);
            } else if (!option.takesValue()) {
                value = "true";
            } else if (next < words.size()) {
                value = words.get(next++);
            } else {
                throw new UsageException(command + ": flag needs an argument: -" + name);
            }
            values.computeIfAbsent(option.name(), n -> new ArrayList<>()).add(value);
        }
        return new Arguments(command, values, words.subList(next, words.size()));
    }

    /** The last value of an option. */
    Optional<String> value(String name) {
        List<String> all = values(name);
        return all.isEmpty() ? Optional.empty() : Optional.of(all.get(all.size() - 1));
    }

    /** All values of an option that may be repeated. */
    List<String> values(String name) {
        return values.getOrDefault(name, List.of());
    }

    /** @throws UsageException if it is neither true nor false */
    boolean is(String flag) {
        String value = value(flag).orElse("false");
        return switch (value) {
            case "true", "1" -> true;
            case "false", "0" -> false;
            default -> throw new UsageException(command + ": invalid boolean value \"" + value + "\" for -" + flag);
        };
    }

    /** What follows the options. */
    List<String> rest() {
        return rest;
    }

    /** The first word after the options, a container's id. */
    String id() {
        if (rest.isEmpty() || rest.get(0).isEmpty()) {
            throw new UsageException(command + ": Missing container ID");
        }
        return rest.get(0);
    }

    /** The only word after the options, a container's id. */
    String onlyId() {
        String id = id();
        if (rest.size() > 1) {
            throw new UsageException(command + ": too many arguments: " + rest.subList(1, rest.size()));
        }
        return id;
    }
}
