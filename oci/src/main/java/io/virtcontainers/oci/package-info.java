// SPDX-License-Identifier: Apache-2.0
/** draft */
@NullMarked
package io.virtcontainers.oci;

import org.jspecify.annotations.NullMarked;
