// SPDX-License-Identifier: Apache-2.0
/**
 * Makes what a virtual machine boots and mounts: the host's kernel unpacked for a direct (PVH) boot, an initrd with the
 * guest agent, crun and the kernel modules, and EROFS images of directories. Everything is made once per content and
 * kept in a cache that threads and processes share. Only the provider is public.
 */
@NullMarked
package io.virtcontainers.guest;

import org.jspecify.annotations.NullMarked;
