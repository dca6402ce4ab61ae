// SPDX-License-Identifier: Apache-2.0
/**
 * The OCI command line {@code kata-runtime}: a program on the library's public API. Each command is one short process;
 * what lives as long as a container is a supervisor ({@link io.virtcontainers.runtime.Supervisor}), whose pid engines watch.
 */
@NullMarked
package io.virtcontainers.runtime;

import org.jspecify.annotations.NullMarked;
