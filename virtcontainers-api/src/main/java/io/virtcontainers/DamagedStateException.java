// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * The file that describes a sandbox cannot be understood: it was torn, edited, or written by a newer version. It is kept
 * as it is; {@link VirtContainers#cleanup} ends what runs for the sandbox and sets the file aside.
 */
public final class DamagedStateException extends VirtException {
    private static final long serialVersionUID = 1L;

    private final transient @Nullable Path file;

    public DamagedStateException(String message, Path file, @Nullable Throwable cause) {
        super(message, cause);
        this.file = file;
    }

    /** The file in question. */
    public Path file() {
        Path known = file;
        return known == null ? Path.of("") : known;
    }
}
