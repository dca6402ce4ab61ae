// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.spi;

import io.virtcontainers.VirtContainers;
import java.nio.file.Path;
import java.util.Optional;

/** The engine behind {@link VirtContainers}. */
public interface EngineProvider {
    /** Opens the engine; an empty directory means the default that {@link VirtContainers.Builder} documents. */
    VirtContainers open(Optional<Path> stateDirectory, Optional<Path> cacheDirectory);
}
