// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.spi;

/** Where a backend reports the phases of its work, for the sandbox's timeline, its diagnostics and JFR. */
public interface Phases {
    /** Begins a phase; close it when it ends, also when it fails. Phases may nest. Name it {@code subject.action}. */
    Phase begin(String name);

    /** A phase that has begun. */
    interface Phase extends AutoCloseable {
        @Override
        void close();
    }
}
