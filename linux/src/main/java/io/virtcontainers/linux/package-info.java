// SPDX-License-Identifier: Apache-2.0
/**
 * What Java cannot do on Linux: start programs without a thread for each, learn of the end of any process, signal a
 * process and never its successor. The only place with native calls (jffi). x86-64 and aarch64; glibc 2.34 and Linux
 * 5.3 or newer.
 */
@NullMarked
package io.virtcontainers.linux;

import org.jspecify.annotations.NullMarked;
