// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime.config;

import java.util.List;

/**
 * A key of a TOML file with its value.
 *
 * @param path the names of the tables that it is in, and its own: {@code hypervisor, qemu, path}
 * @param line where the key stands, from 1
 */
record TomlEntry(List<String> path, TomlValue value, int line) {
    TomlEntry {
        path = List.copyOf(path);
    }

    /** With dots, as it is written in a file. */
    String dotted() {
        return String.join(".", path);
    }
}
