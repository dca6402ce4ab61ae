// SPDX-License-Identifier: Apache-2.0
/** Programs to copy from. Each is run by a test. */
@NullMarked
package io.virtcontainers.examples;

import org.jspecify.annotations.NullMarked;
