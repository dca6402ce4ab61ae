// SPDX-License-Identifier: Apache-2.0
/**
 * Virtual machines by QEMU, on KVM where it really works and on software emulation elsewhere. QEMU runs as a child
 * process that dies with this one; it is controlled over QMP and its disks are plugged in and out while it runs. Only
 * the provider is public; use it through {@link io.virtcontainers.spi.HypervisorProvider}.
 */
@NullMarked
package io.virtcontainers.hypervisor.qemu;

import org.jspecify.annotations.NullMarked;
