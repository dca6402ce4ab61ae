// SPDX-License-Identifier: Apache-2.0
/**
 * In-memory backends for tests: a hypervisor, an agent and guest images that run nothing but behave as the real ones do,
 * with scripted faults. For tests of code that uses the library, and of the library itself.
 */
@NullMarked
package io.virtcontainers.testkit;

import org.jspecify.annotations.NullMarked;
