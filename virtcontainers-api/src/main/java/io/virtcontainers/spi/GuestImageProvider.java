// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.spi;

import java.nio.file.Path;

/** Makes guest images, found by {@link java.util.ServiceLoader}. Making one and opening it never fails. */
public interface GuestImageProvider {
    /** @param cacheDirectory where images are kept between runs, by content; exists or can be made */
    GuestImages open(Path cacheDirectory);
}
