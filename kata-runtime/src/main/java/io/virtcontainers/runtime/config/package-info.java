// SPDX-License-Identifier: Apache-2.0
/**
 * Kata's {@code configuration.toml}: its options, each declared once in {@link io.virtcontainers.runtime.config.Options}, how
 * they are read, and what they mean to the library.
 */
@NullMarked
package io.virtcontainers.runtime.config;

import org.jspecify.annotations.NullMarked;
