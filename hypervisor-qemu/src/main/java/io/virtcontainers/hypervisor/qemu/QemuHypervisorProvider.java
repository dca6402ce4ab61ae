// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.virtcontainers.spi.Hypervisor;
import io.virtcontainers.spi.HypervisorProvider;
import java.nio.file.Path;

/** Offers QEMU as {@code qemu}. Public only because {@link java.util.ServiceLoader} demands it. */
public final class QemuHypervisorProvider implements HypervisorProvider {
    public QemuHypervisorProvider() {}

    @Override
    public Hypervisor open(Path cacheDirectory) {
        return new QemuHypervisor(cacheDirectory);
    }
}
