// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core.cgroup;

import io.virtcontainers.HostCgroup;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;

/** Where control groups are, and by which files they are set. */
interface Hierarchies {
    /** The directories of a group, to make and to look for. */
    List<Path> directories(String path);

    /** The directories of a group, in the order in which they can be removed. */
    List<Path> removals(String path);

    /** Lets the parents of a directory, which are there, hand on their controllers. */
    void prepareParents(Path directory) throws IOException;

    /** Makes a group ready for limits and processes. */
    void prepare(HostCgroup group) throws IOException;

    void limit(HostCgroup group) throws IOException;

    /** @param threads of virtual processors */
    void join(HostCgroup group, long pid, List<Long> threads) throws IOException;

    /** Moves a process into it as a whole. */
    void joinWhole(String path, long pid) throws IOException;

    /** Without making the file: what is not there is a controller that the host lacks. */
    static void write(Path file, Object value) throws IOException {
        Path unused = Files.writeString(file, value.toString(), StandardOpenOption.WRITE);
    }
}
