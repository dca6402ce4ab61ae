// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import java.nio.file.Path;

/**
 * A kernel to use.
 *
 * @param path absolute
 * @param origin who chose it, for error messages: {@code kernel}, {@code VIRTCONTAINERS_KERNEL}
 */
record KernelFile(Path path, String origin) {}
