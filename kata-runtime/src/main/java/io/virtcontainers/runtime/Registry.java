// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.virtcontainers.AlreadyExistsException;
import io.virtcontainers.DamagedStateException;
import io.virtcontainers.HostProcess;
import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.NotFoundException;
import io.virtcontainers.runtime.log.RuntimeLog;
import java.io.IOException;
import java.io.Reader;
import java.io.StringWriter;
import java.nio.file.DirectoryStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.TreeMap;
import java.util.regex.Pattern;

/**
 * Which containers there are: what an engine calls a container, and where it is. One file for each in {@code
 * <root>/containers}, whole from its first moment, which also claims the name across processes.
 */
final class Registry {
    private static final Pattern ID = Pattern.compile("[A-Za-z0-9][A-Za-z0-9_.-]{0,63}");
    private static final String ANNOTATION = "annotation.";

    private final Path directory;

    Registry(Path root) {
        directory = root.resolve("containers");
    }

    /**
     * @param id the container's
     * @param sandbox that of its sandbox
     * @param bundle its bundle, absolute
     * @param ociVersion the version that its configuration names
     * @param supervisor the process that stands for it
     * @param annotations those of its configuration, and of {@link io.virtcontainers.oci.Annotations}
     */
    record Entry(
            String id,
            String sandbox,
            Path bundle,
            String ociVersion,
            HostProcess supervisor,
            Map<String, String> annotations) {
        /** Whether the sandbox is this container's, so ends with it. */
        boolean isSandbox() {
            return id.equals(sandbox);
        }
    }

    static String checked(String id) {
        if (!ID.matcher(id).matches()) {
            throw new InvalidConfigException(
                    "container id",
                    '"' + id + '"',
                    "must be 1 to 64 letters, digits, '_', '.' or '-', beginning with a letter or digit");
        }
        return id;
    }

    Path file(String id) {
        return directory.resolve(checked(id));
    }

    /** @throws AlreadyExistsException if there is a container of this id */
    void claim(Entry entry) throws IOException {
        RuntimeLog.current().about(entry.id(), entry.sandbox());
        Files.createDirectories(
                directory, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        Path target = file(entry.id());
        Path temporary = Files.createTempFile(directory, ".", "");
        try {
            Files.writeString(temporary, text(entry));
            Files.createLink(target, temporary);
        } catch (FileAlreadyExistsException e) {
            throw new AlreadyExistsException("ID already in use: " + entry.id());
        } finally {
            Files.delete(temporary);
        }
    }

    /** As properties, which Java reads without a library: the command {@code state} shall be quick. */
    private static String text(Entry entry) throws IOException {
        Properties properties = new Properties();
        properties.setProperty("id", entry.id());
        properties.setProperty("sandbox", entry.sandbox());
        properties.setProperty("bundle", entry.bundle().toString());
        properties.setProperty("ociVersion", entry.ociVersion());
        properties.setProperty("pid", Long.toString(entry.supervisor().pid()));
        properties.setProperty("startTime", Long.toString(entry.supervisor().startTime()));
        properties.setProperty("bootId", entry.supervisor().bootId());
        entry.annotations().forEach((key, value) -> properties.setProperty(ANNOTATION + key, value));
        StringWriter text = new StringWriter();
        properties.store(text, null);
        return text.toString();
    }

    Optional<Entry> find(String id) throws IOException {
        return readIfThere(file(id));
    }

    private static Optional<Entry> readIfThere(Path file) throws IOException {
        try {
            return Optional.of(read(file));
        } catch (NoSuchFileException e) {
            return Optional.empty();
        }
    }

    private static Entry read(Path file) throws IOException {
        Properties properties = new Properties();
        try (Reader reader = Files.newBufferedReader(file, UTF_8)) {
            properties.load(reader);
            Map<String, String> annotations = new TreeMap<>();
            for (String key : properties.stringPropertyNames()) {
                if (key.startsWith(ANNOTATION)) {
                    annotations.put(key.substring(ANNOTATION.length()), required(properties, key));
                }
            }
            return new Entry(
                    required(properties, "id"),
                    required(properties, "sandbox"),
                    Path.of(required(properties, "bundle")),
                    required(properties, "ociVersion"),
                    new HostProcess(
                            Long.parseLong(required(properties, "pid")),
                            Long.parseLong(required(properties, "startTime")),
                            required(properties, "bootId")),
                    annotations);
        } catch (IllegalArgumentException e) {
            throw new DamagedStateException(file + " is no record of a container: " + e.getMessage(), file, e);
        }
    }

    private static String required(Properties properties, String key) {
        String value = properties.getProperty(key);
        if (value == null) {
            throw new IllegalArgumentException(key + " is missing");
        }
        return value;
    }

    /** @throws NotFoundException if there is none */
    Entry get(String id) throws IOException {
        Entry entry = find(id).orElseThrow(() -> notFound(id));
        RuntimeLog.current().about(entry.id(), entry.sandbox());
        return entry;
    }

    static NotFoundException notFound(String id) {
        return new NotFoundException("Container ID (" + id + ") does not exist");
    }

    /** All, in the order of their ids. */
    List<Entry> all() throws IOException {
        List<Entry> all = new ArrayList<>();
        try (DirectoryStream<Path> files = Files.newDirectoryStream(directory, "[!.]*")) {
            for (Path file : files) {
                try {
                    readIfThere(file).ifPresent(all::add);
                } catch (DamagedStateException e) {
                    System.err.println(e.getMessage() + "; left out of the list");
                }
            }
        } catch (NoSuchFileException e) {
            return List.of();
        }
        all.sort(Comparator.comparing(Entry::id));
        return all;
    }

    void remove(String id) throws IOException {
        Files.deleteIfExists(file(id));
    }
}
