// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime.config;

import io.virtcontainers.InvalidConfigException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Reads {@code configuration.toml}. An error is one line: the file, the line, the option, its value, and what is allowed.
 */
public final class ConfigurationFile {
    private static final int MAX_BYTES = 1 << 20;
    private static final int NEAR = 3;

    private static final List<Path> DEFAULT_PATHS = List.of(
            Path.of("/etc/kata-containers/configuration.toml"),
            Path.of("/usr/share/defaults/kata-containers/configuration.toml"));

    private ConfigurationFile() {}

    /** Where it is looked for, in this order. */
    public static List<Path> defaultPaths() {
        return DEFAULT_PATHS;
    }

    /**
     * Reads the given file, or the first of {@link #defaultPaths} that is there, or takes all options by default.
     *
     * @throws InvalidConfigException if the given file is missing, or a file has a mistake
     */
    public static Configuration load(Optional<Path> given) {
        return load(given, DEFAULT_PATHS);
    }

    static Configuration load(Optional<Path> given, List<Path> defaults) {
        Optional<Path> found =
                given.or(() -> defaults.stream().filter(Files::exists).findFirst());
        return found.map(ConfigurationFile::read).orElseGet(Configuration::defaults);
    }

    private static Configuration read(Path file) {
        try {
            Path real = file.toRealPath();
            if (!Files.isRegularFile(real)) {
                throw new InvalidConfigException(file + ": is no file: must be a configuration.toml");
            }
            if (Files.size(real) > MAX_BYTES) {
                throw new InvalidConfigException(file + ": has more than " + MAX_BYTES + " bytes");
            }
            return parse(real, Files.readString(real));
        } catch (NoSuchFileException e) {
            throw new InvalidConfigException(file + ": there is no such file: must be a configuration.toml");
        } catch (IOException e) {
            throw new InvalidConfigException(file + ": cannot be read: " + e);
        }
    }

    /**
     * Reads a text.
     *
     * @param file where it comes from, for errors
     * @throws InvalidConfigException if it has a mistake
     */
    public static Configuration parse(Path file, String text) {
        Map<String, ConfigOption<?>> known = new LinkedHashMap<>();
        for (ConfigOption<?> option : Options.all()) {
            if (option.isInFile()) {
                known.put(option.table() + '.' + option.key(), option);
            }
        }
        Map<ConfigOption<?>, Configuration.Setting> settings = new LinkedHashMap<>();
        List<TomlEntry> entries;
        try {
            entries = TomlParser.parse(text);
        } catch (TomlException e) {
            throw new InvalidConfigException(file + ":" + e.line() + ": is no TOML: " + e.getMessage());
        }
        for (TomlEntry entry : entries) {
            String place = file + ":" + entry.line();
            ConfigOption<?> option = known.get(entry.dotted());
            if (option == null) {
                throw unknown(place, entry, known);
            }
            try {
                Object value = option.read(entry.value());
                settings.put(
                        option,
                        new Configuration.Setting(value, place, entry.value().toString()));
            } catch (BadValueException e) {
                throw error(place, option, entry.value().toString(), e.problem());
            }
        }
        return Configuration.of(Optional.of(file), settings);
    }

    static InvalidConfigException error(String place, ConfigOption<?> option, String value, String problem) {
        return new InvalidConfigException(place + ": " + option + " = " + value + ": " + problem);
    }

    private static InvalidConfigException unknown(String place, TomlEntry entry, Map<String, ConfigOption<?>> known) {
        List<String> path = entry.path();
        String table = String.join(".", path.subList(0, path.size() - 1));
        String key = path.get(path.size() - 1);
        String what = place + ": " + (table.isEmpty() ? "" : "[" + table + "] ") + key + " = " + entry.value() + ": ";
        String vmm = Options.OTHER_TABLES.get(table);
        if (vmm != null) {
            return new InvalidConfigException(what + vmm + " is not supported: use [" + Options.QEMU + "]");
        }
        if (Options.OTHER_KEYS.contains(key)) {
            return new InvalidConfigException(
                    what + "is not supported: QEMU has no such option, other hypervisors have; remove the key");
        }
        List<String> keys = known.values().stream()
                .filter(option -> option.table().equals(table))
                .map(ConfigOption::key)
                .toList();
        if (keys.isEmpty()) {
            List<String> tables =
                    known.values().stream().map(ConfigOption::table).distinct().toList();
            return new InvalidConfigException(what + "unknown table: must be one of " + String.join(", ", tables));
        }
        return new InvalidConfigException(what + "unknown key: "
                + EditDistance.nearest(key, keys, NEAR)
                        .map(near -> "did you mean " + near + "?")
                        .orElse("must be one of " + String.join(", ", keys)));
    }
}
