// SPDX-License-Identifier: Apache-2.0
/** Control groups of the host for hypervisors. */
@NullMarked
package io.virtcontainers.core.cgroup;

import org.jspecify.annotations.NullMarked;
