// SPDX-License-Identifier: Apache-2.0
/** What a sandbox's network is made of, on the host and in the guest. */
@NullMarked
package io.virtcontainers.core.network;

import org.jspecify.annotations.NullMarked;
