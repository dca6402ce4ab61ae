// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.Resources;
import io.virtcontainers.agent.kata.protocol.LinuxResources;

/** Writes limits as the agent's message, in which 0 and an empty text mean "not set". Pure functions. */
final class ResourceMessages {
    private ResourceMessages() {}

    /** {@code base} with those of {@code limits} that are not empty. */
    static LinuxResources with(LinuxResources base, Resources limits) {
        LinuxResources.Builder all = base.toBuilder();
        limits.cpuShares().ifPresent(shares -> all.getCPUBuilder().setShares(shares));
        limits.cpuQuotaMicros().ifPresent(quota -> all.getCPUBuilder().setQuota(quota)); // -1 is itself there: no limit
        limits.cpuPeriodMicros().ifPresent(period -> all.getCPUBuilder().setPeriod(period));
        limits.cpus().ifPresent(list -> all.getCPUBuilder().setCpus(list));
        limits.memoryLimit().ifPresent(limit -> all.getMemoryBuilder().setLimit(limit.bytes()));
        limits.memoryReservation()
                .ifPresent(reservation -> all.getMemoryBuilder().setReservation(reservation.bytes()));
        limits.memorySwap().ifPresent(bytes -> all.getMemoryBuilder().setSwap(bytes)); // so is -1
        limits.pidsLimit().ifPresent(limit -> all.getPidsBuilder().setLimit(limit)); // and -1
        return all.build();
    }

    /** @throws InvalidConfigException for the one change that the message cannot express */
    static LinuxResources update(Resources limits) {
        limits.memoryReservation().filter(size -> size.bytes() == 0).ifPresent(zero -> {
            throw new InvalidConfigException(
                    "memory reservation", "0", "cannot be taken back by an update: the agent takes 0 as \"not set\"");
        });
        return with(LinuxResources.getDefaultInstance(), limits);
    }
}
