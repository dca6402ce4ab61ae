// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.linux;

/** Gets what a program writes to its standard output and error. */
@FunctionalInterface
public interface OutputListener {
    /** The first {@code length} bytes of an array that is used again; on the one thread of {@link Processes}. */
    void received(byte[] bytes, int length);
}
