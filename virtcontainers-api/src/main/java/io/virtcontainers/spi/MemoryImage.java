// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.spi;

import java.nio.file.Path;

/** What a machine's memory has to do with a template, see {@link VirtualMachine#save}. */
public sealed interface MemoryImage {

    /** A machine of its own. */
    record None() implements MemoryImage {}

    /**
     * A machine that will be saved: its memory is this file, which it writes to.
     *
     * @param memory a file to make
     */
    record Template(Path memory) implements MemoryImage {}

    /**
     * A machine that waits to become the copy of another, see {@link Hypervisor#copy}: its memory is this file.
     *
     * @param memory a file to make
     */
    record Copy(Path memory) implements MemoryImage {}

    /**
     * A machine that goes on where another was saved, with a private view of its memory; it runs on as soon as it is launched.
     *
     * @param memory the file of the template
     * @param state what {@link VirtualMachine#save} wrote
     */
    record Clone(Path memory, Path state) implements MemoryImage {}

    static MemoryImage none() {
        return new None();
    }
}
