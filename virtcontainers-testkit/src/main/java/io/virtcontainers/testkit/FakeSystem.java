// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.testkit;

import io.virtcontainers.AgentException;
import io.virtcontainers.DeadlineExceededException;
import io.virtcontainers.GuestPath;
import io.virtcontainers.HostSetupException;
import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.MemorySize;
import io.virtcontainers.spi.GuestDetails;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/** The machine side of a fake guest: files that the host sent, the clock; nothing can be plugged into it. Thread-safe. */
final class FakeSystem {
    private static final String ROOT = "/run/kata-containers/";
    private static final Set<String> DRIVERS = Set.of("blk", "ephemeral", "local", "overlayfs");

    private final Map<GuestPath, byte[]> files = new ConcurrentHashMap<>();
    private final AtomicInteger reseedings = new AtomicInteger();
    private volatile @Nullable Instant time;

    static GuestDetails details() {
        return new GuestDetails("fake", Optional.of(MemorySize.mib(128)), false, Set.of("blk"), DRIVERS, true);
    }

    void copy(Path source, GuestPath target) {
        if (!Files.isRegularFile(source)) {
            throw new HostSetupException("cannot copy " + source + ": it is no regular file");
        }
        if (!target.value().startsWith(ROOT)) {
            throw new AgentException("INVALID_ARGUMENT: " + target + " is not below " + ROOT);
        }
        try {
            files.put(target, Files.readAllBytes(source));
        } catch (IOException e) {
            throw new HostSetupException("cannot copy " + source + ": " + e, e);
        }
    }

    Optional<byte[]> file(GuestPath path) {
        return Optional.ofNullable(files.get(path)).map(byte[]::clone);
    }

    void setTime(Instant now) {
        if (now.isBefore(Instant.EPOCH)) {
            throw new InvalidConfigException("time", now.toString(), "must not be before 1970");
        }
        time = now;
    }

    Optional<Instant> time() {
        return Optional.ofNullable(time);
    }

    void reseed() {
        reseedings.incrementAndGet();
    }

    int reseedings() {
        return reseedings.get();
    }

    static void online(int count) {
        if (count < 0) {
            throw new InvalidConfigException("processors", Integer.toString(count), "must be 0 or more");
        }
        if (count > 0) {
            throw new DeadlineExceededException("0 of " + count + " processors are online");
        }
    }
}
