// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

/**
 * How a snapshot is made and restored.
 *
 * @param beforeSnapshot is run with the sandbox before it is halted: for what must not be in the clones, or must have been
 *     done in them. If it fails, no snapshot is made
 * @param afterRestore is run with each clone before anybody else has it, when its containers run, and it has randomness, time
 *     and host name of its own: for what must differ between clones. If it fails, the clone is deleted
 */
public record SnapshotConfig(Hook beforeSnapshot, Hook afterRestore) {
    private static final SnapshotConfig DEFAULTS = new SnapshotConfig(sandbox -> {}, sandbox -> {});

    /** Does something with a sandbox that runs. */
    @FunctionalInterface
    public interface Hook {
        void run(Sandbox sandbox) throws Exception;
    }

    /** Without hooks. */
    public static SnapshotConfig defaults() {
        return DEFAULTS;
    }

    /** The same with this hook. */
    public SnapshotConfig beforeSnapshot(Hook hook) {
        return new SnapshotConfig(hook, afterRestore);
    }

    /** The same with this hook. */
    public SnapshotConfig afterRestore(Hook hook) {
        return new SnapshotConfig(beforeSnapshot, hook);
    }
}
