// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import java.nio.file.Path;
import java.util.Optional;

/**
 * A file of the initrd.
 *
 * @param path in the guest, absolute and normal
 * @param permissions of the mode
 * @param source the file on the host that the content is from, if one
 */
record GuestFile(String path, int permissions, Content content, Optional<Path> source) {}
