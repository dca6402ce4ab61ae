// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import io.virtcontainers.VirtContainers;
import io.virtcontainers.core.state.Directories;
import io.virtcontainers.spi.EngineProvider;
import java.nio.file.Path;
import java.util.Optional;

/** Opens an {@link Engine} with the backends of the class path. Found by {@link java.util.ServiceLoader}. */
public final class CoreEngineProvider implements EngineProvider {
    @Override
    public VirtContainers open(Optional<Path> stateDirectory, Optional<Path> cacheDirectory, boolean sweep) {
        Path cache = cacheDirectory.orElseGet(Directories::defaultCache);
        Path state = stateDirectory.orElseGet(Directories::defaultState);
        return Engine.open(state, () -> Backends.load(cache), sweep);
    }
}
