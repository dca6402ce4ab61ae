// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import io.virtcontainers.spi.GuestImageProvider;
import io.virtcontainers.spi.GuestImages;
import java.nio.file.Path;

/** Makes guest images from the host's kernel and crun, and from the agent in this jar. Thread-safe. */
public final class GuestImageBuilderProvider implements GuestImageProvider {

    public GuestImageBuilderProvider() {}

    @Override
    public GuestImages open(Path cacheDirectory) {
        return new CachedGuestImages(new ImageCache(cacheDirectory), Host.local());
    }
}
