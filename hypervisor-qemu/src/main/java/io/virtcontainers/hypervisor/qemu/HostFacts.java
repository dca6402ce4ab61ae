// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Facts about the host that take time to find out, kept in small files between runs. Each is valid for a key that names
 * what it was found from. It is only a cache: what cannot be read or written is found out again. Safe across processes.
 */
final class HostFacts {
    private static final Logger log = LoggerFactory.getLogger(HostFacts.class);
    private static final JsonMapper JSON = JsonMapper.builder().build();
    private static final int MAX_FILE_BYTES = 64 << 10;

    private final Path directory;

    HostFacts(Path cacheDirectory) {
        this.directory = cacheDirectory.resolve("qemu");
    }

    /** @return what was kept under this name with exactly this key, if it is not older than {@code maxAge} */
    Optional<Map<String, String>> read(String name, String key, Duration maxAge) {
        Path file = file(name);
        try {
            if (!Files.exists(file) || Files.size(file) > MAX_FILE_BYTES) {
                return Optional.empty();
            }
            Duration age = Duration.ofMillis(
                    System.currentTimeMillis() - Files.getLastModifiedTime(file).toMillis());
            if (age.compareTo(maxAge) > 0 || age.isNegative()) {
                return Optional.empty();
            }
            Map<String, String> facts = JSON.readValue(Files.readAllBytes(file), new TypeReference<>() {});
            return key.equals(facts.get("key")) ? Optional.of(facts) : Optional.empty();
        } catch (IOException e) {
            log.debug("cached fact unreadable file={} error={}", file, e.toString());
            return Optional.empty();
        }
    }

    void write(String name, String key, Map<String, String> facts) {
        Path file = file(name);
        try {
            Files.createDirectories(directory);
            Path temporary = Files.createTempFile(directory, name, ".tmp");
            try {
                Map<String, String> content = new TreeMap<>(facts);
                content.put("key", key);
                Files.write(temporary, JSON.writeValueAsBytes(content));
                Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            } finally {
                Files.deleteIfExists(temporary);
            }
        } catch (IOException e) {
            log.debug("fact not cached file={} error={}", file, e.toString());
        }
    }

    private Path file(String name) {
        return directory.resolve(name + ".json");
    }
}
