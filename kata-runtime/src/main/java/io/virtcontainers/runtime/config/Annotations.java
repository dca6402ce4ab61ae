// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime.config;

import io.virtcontainers.InvalidConfigException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.regex.Pattern;

/**
 * Settings that a container or pod brings along: {@code io.katacontainers.config.<group>.<name>}. Each must be enabled by
 * {@code enable_annotations}, those of the groups runtime and agent too, and by the whole name: in Kata 1.x those cannot be
 * forbidden, and {@code kernel} also enables {@code kernel_params}.
 */
final class Annotations {
    private static final String PREFIX = "io.katacontainers.config.";
    private static final String HASH_TYPE = "io.katacontainers.asset_hash_type";
    private static final Map<String, ConfigOption<Optional<Path>>> HASHES = Map.of(
            PREFIX + "hypervisor.kernel_hash", Options.KERNEL,
            PREFIX + "hypervisor.image_hash", Options.IMAGE,
            PREFIX + "hypervisor.initrd_hash", Options.INITRD,
            PREFIX + "hypervisor.hypervisor_hash", Options.PATH,
            PREFIX + "hypervisor.firmware_hash", Options.FIRMWARE);

    private final Configuration base;
    private final Map<ConfigOption<?>, Configuration.Setting> settings;

    private Annotations(Configuration base) {
        this.base = base;
        this.settings = new LinkedHashMap<>(base.settings());
    }

    static Configuration apply(Configuration base, Map<String, String> annotations) {
        Map<String, String> ours = new TreeMap<>(annotations);
        ours.keySet().removeIf(name -> !name.startsWith(PREFIX));
        if (ours.isEmpty()) {
            return base;
        }
        Annotations result = new Annotations(base);
        ours.forEach(result::take);
        Configuration all = Configuration.of(base.file(), result.settings);
        String type = annotations.getOrDefault(HASH_TYPE, "sha512");
        ours.forEach((name, value) -> {
            if (HASHES.containsKey(name)) {
                requireHash(all, name, value, type);
            }
        });
        return all;
    }

    private static String quoted(String name, String value) {
        return "annotation " + name + " = " + TomlValue.quoted(value);
    }

    private void take(String name, String value) {
        requireEnabled(name, value);
        if (HASHES.containsKey(name)) {
            return;
        }
        ConfigOption<?> option = Options.all().stream()
                .filter(candidate -> candidate.annotation().filter(name::equals).isPresent())
                .findFirst()
                .orElseThrow(() -> new InvalidConfigException(
                        quoted(name, value) + ": there is no such annotation: docs/configuration.md has all"));
        try {
            Object read = option.read(value);
            requireHostHas(option, read);
            requireGlob(option, value);
            settings.put(
                    option,
                    new Configuration.Setting(
                            read, "annotation " + option.annotation().orElse(""), value));
        } catch (BadValueException e) {
            throw new InvalidConfigException(quoted(name, value) + ": " + e.problem());
        }
    }

    private void requireEnabled(String name, String value) {
        String rest = name.substring(PREFIX.length());
        String ownName = rest.substring(rest.indexOf('.') + 1);
        boolean enabled = base.get(Options.ENABLE_ANNOTATIONS).stream()
                .anyMatch(expression -> Pattern.matches(expression, ownName));
        if (!enabled) {
            throw new InvalidConfigException(quoted(name, value) + ": is not enabled: "
                    + Options.ENABLE_ANNOTATIONS + " = "
                    + Options.ENABLE_ANNOTATIONS.written(base.get(Options.ENABLE_ANNOTATIONS))
                    + " must have an expression for " + ownName);
        }
    }

    /** What the configuration may only be asked for, nobody else shall exceed. */
    private static void requireHostHas(ConfigOption<?> option, Object value) throws BadValueException {
        boolean processors = option == Options.DEFAULT_VCPUS || option == Options.DEFAULT_MAXVCPUS;
        int host = Runtime.getRuntime().availableProcessors();
        if (processors && value instanceof Integer count && count > host) {
            throw new BadValueException("is more than the host has: must be at most " + host);
        }
    }

    private void requireGlob(ConfigOption<?> option, String value) throws BadValueException {
        if (option.globs().isEmpty()) {
            return;
        }
        ConfigOption<?> globs = Options.all().stream()
                .filter(candidate -> candidate.table().equals(option.table())
                        && candidate.key().equals(option.globs().get()))
                .findFirst()
                .orElseThrow();
        Path path = Path.of(value).normalize();
        boolean allowed = ((List<?>) base.get(globs))
                .stream()
                        .anyMatch(glob -> FileSystems.getDefault()
                                .getPathMatcher("glob:" + glob)
                                .matches(path));
        if (!allowed || !Files.exists(path)) {
            throw new BadValueException("must be an existing file that " + globs + " = " + written(globs) + " allows");
        }
    }

    private <T> TomlValue written(ConfigOption<T> option) {
        return option.written(base.get(option));
    }

    private static void requireHash(Configuration all, String name, String wanted, String type) {
        if (!type.equals("sha512")) {
            throw new InvalidConfigException(
                    "annotation " + HASH_TYPE + " = " + TomlValue.quoted(type) + ": must be sha512");
        }
        ConfigOption<Optional<Path>> option = HASHES.get(name);
        Path file = option == null ? null : all.get(option).orElse(null);
        if (file == null) {
            throw new InvalidConfigException(
                    quoted(name, wanted) + ": there is no file that it is of: " + option + " is not set");
        }
        String found = hash(file);
        if (!found.equals(wanted.toLowerCase(Locale.ROOT))) {
            throw new InvalidConfigException(
                    quoted(name, wanted) + ": is not the SHA-512 of " + file + ", which is " + found);
        }
    }

    private static String hash(Path file) {
        try (InputStream in = Files.newInputStream(file);
                DigestInputStream digest = new DigestInputStream(in, MessageDigest.getInstance("SHA-512"))) {
            digest.transferTo(java.io.OutputStream.nullOutputStream());
            return HexFormat.of().formatHex(digest.getMessageDigest().digest());
        } catch (IOException e) {
            throw new InvalidConfigException(file + ": cannot be read: " + e);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-512", e);
        }
    }
}
