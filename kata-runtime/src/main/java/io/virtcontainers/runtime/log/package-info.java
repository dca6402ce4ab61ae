// SPDX-License-Identifier: Apache-2.0
/** The runtime's log: lines with Kata's fields, to a file and to the system's log, and how they are read again. */
@NullMarked
package io.virtcontainers.runtime.log;

import org.jspecify.annotations.NullMarked;
