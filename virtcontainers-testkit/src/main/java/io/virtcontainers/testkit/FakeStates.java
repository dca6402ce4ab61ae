// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.testkit;

import io.virtcontainers.HypervisorException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Saved fake machines, as long as their hypervisor lives: a file only names one. Thread-safe.
 */
final class FakeStates {
    private final Map<String, FakeGuest> saved = new ConcurrentHashMap<>();

    void write(Path file, FakeGuest guest) {
        String name = UUID.randomUUID().toString();
        saved.put(name, guest.saved());
        write(file, name);
    }

    /** @throws HypervisorException if the file names none */
    FakeGuest read(Path file) {
        try {
            FakeGuest found = saved.get(Files.readString(file));
            if (found == null) {
                throw new HypervisorException("the state in " + file + " is not one that this hypervisor has saved");
            }
            return found;
        } catch (IOException e) {
            throw new HypervisorException("cannot read the state in " + file + ": " + e, e);
        }
    }

    static void write(Path file, String content) {
        try {
            Files.writeString(file, content);
        } catch (IOException e) {
            throw new HypervisorException("cannot write " + file + ": " + e, e);
        }
    }
}
