// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.spi;

import io.virtcontainers.VirtContainers;
import java.nio.file.Path;
import java.util.Optional;

/** The engine behind {@link VirtContainers}. */
public interface EngineProvider {
    /**
     * Opens the engine; an empty directory means the default that {@link VirtContainers.Builder} documents.
     *
     * @param sweep whether it removes at once what a crashed process left behind
     */
    VirtContainers open(Optional<Path> stateDirectory, Optional<Path> cacheDirectory, boolean sweep);
}
