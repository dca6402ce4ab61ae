// SPDX-License-Identifier: Apache-2.0
/** Benchmarks: each figure is a ratio between two things measured in one run, in turn. */
@NullMarked
package io.virtcontainers.benchmarks;

import org.jspecify.annotations.NullMarked;
