// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import java.nio.file.Path;

/** Something that a container sees in its file tree besides its root file system. */
public sealed interface Mount {
    /** Where the container sees it. */
    GuestPath destination();

    /**
     * A file or directory of the host. Live if the sandbox shares directories ({@link SharedFsConfig}), else a copy made
     * when the container is created.
     *
     * @param source an existing file or directory
     * @param readOnly whether the container may only read it
     */
    record Bind(Path source, GuestPath destination, boolean readOnly) implements Mount {}
}
