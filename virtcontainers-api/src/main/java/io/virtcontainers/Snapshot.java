// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import java.time.Instant;
import java.util.List;

/**
 * A sandbox as it was at one moment, with its containers and all that they had in memory: {@link Sandbox#snapshot} makes it,
 * {@link VirtContainers#restore} makes sandboxes that go on from it. It belongs to its {@link VirtContainers}: it ends with
 * {@link #close}, with that, and with the Java process, however that ends. Thread-safe.
 *
 * <p>Whatever a program keeps in memory is in every clone: passwords, keys, session identifiers, the state of random
 * generators in user space. {@link SnapshotConfig} has hooks for programs that must change it.
 */
public interface Snapshot extends AutoCloseable {
    /** Made by the library, unique. */
    String id();

    /** What the sandbox was made of. */
    SandboxConfig config();

    /** The ids of its containers, in the order of their creation. */
    List<String> containers();

    Instant createdAt();

    /** What it takes of the state directory now. */
    MemorySize size();

    /** Frees its files. Sandboxes that were restored from it run on. Does nothing if it is closed already. */
    @Override
    void close();
}
