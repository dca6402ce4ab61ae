// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import java.util.Optional;
import java.util.OptionalLong;

/**
 * Limits of a container, enforced by the guest's cgroups (OCI runtime-spec, {@code linux.resources}). What is empty is
 * left as it is.
 *
 * @param cpuShares the relative weight of its processors' time, 2 to 262144 ({@code cpu.shares})
 * @param cpuQuotaMicros the processors' time per period in microseconds, -1 for no limit ({@code cpu.quota})
 * @param cpuPeriodMicros the period in microseconds, 1000 to 1000000 ({@code cpu.period})
 * @param cpus the processors of the guest that it may use, for example {@code 0-1,3} ({@code cpu.cpus})
 * @param memoryLimit the memory that it may use ({@code memory.limit})
 * @param memoryReservation the memory that it is left when memory is short ({@code memory.reservation})
 * @param memorySwap the memory and the swap that it may use together, in bytes, with a memory limit only; -1 for no limit
 *     ({@code memory.swap})
 * @param pidsLimit how many processes and threads it may have, -1 for no limit ({@code pids.limit})
 */
public record Resources(
        OptionalLong cpuShares,
        OptionalLong cpuQuotaMicros,
        OptionalLong cpuPeriodMicros,
        Optional<String> cpus,
        Optional<MemorySize> memoryLimit,
        Optional<MemorySize> memoryReservation,
        OptionalLong memorySwap,
        OptionalLong pidsLimit) {
    private static final Resources NONE = builder().build();
    private static final long MIN_SHARES = 2;
    private static final long MAX_SHARES = 262144;
    private static final long MIN_PERIOD = 1000;
    private static final long MAX_PERIOD = 1_000_000;
    private static final String CPU_LIST = "\\d{1,4}(-\\d{1,4})?(,\\d{1,4}(-\\d{1,4})?)*";

    public Resources {
        cpuShares.ifPresent(shares -> range("cpu shares", shares, MIN_SHARES, MAX_SHARES));
        cpuPeriodMicros.ifPresent(period -> range("cpu period in microseconds", period, MIN_PERIOD, MAX_PERIOD));
        cpuQuotaMicros.ifPresent(quota -> {
            if (quota != -1) {
                range("cpu quota in microseconds", quota, MIN_PERIOD, Long.MAX_VALUE);
            }
        });
        pidsLimit.ifPresent(limit -> {
            if (limit != -1) {
                range("pids limit", limit, 1, Long.MAX_VALUE);
            }
        });
        memorySwap.ifPresent(bytes -> {
            if (bytes != -1) {
                range("memory and swap in bytes", bytes, 1, Long.MAX_VALUE);
            }
        });
        cpus.ifPresent(list -> {
            if (!list.matches(CPU_LIST)) {
                throw new InvalidConfigException(
                        "cpus",
                        '"' + list + '"',
                        "must be a list of processors such as 0-1,3 (cpuset(7), List format)");
            }
        });
        memoryLimit.ifPresent(limit -> {
            if (limit.bytes() == 0) {
                throw new InvalidConfigException("memory limit", "0", "must be positive");
            }
        });
    }

    private static void range(String what, long value, long least, long most) {
        if (value < least || value > most) {
            throw new InvalidConfigException(
                    what,
                    Long.toString(value),
                    most == Long.MAX_VALUE
                            ? "must be -1 or " + least + " or more"
                            : "must be " + least + " to " + most);
        }
    }

    /** No limit but those of the sandbox. */
    public static Resources none() {
        return NONE;
    }

    public boolean isEmpty() {
        return equals(NONE);
    }

    /**
     * These limits, replaced by those of {@code changes} that are not empty. A memory limit that comes without {@link
     * #memorySwap} makes that empty, as it includes the memory: the swap stays what it is.
     */
    public Resources with(Resources changes) {
        return new Resources(
                changes.cpuShares.isPresent() ? changes.cpuShares : cpuShares,
                changes.cpuQuotaMicros.isPresent() ? changes.cpuQuotaMicros : cpuQuotaMicros,
                changes.cpuPeriodMicros.isPresent() ? changes.cpuPeriodMicros : cpuPeriodMicros,
                changes.cpus.isPresent() ? changes.cpus : cpus,
                changes.memoryLimit.isPresent() ? changes.memoryLimit : memoryLimit,
                changes.memoryReservation.isPresent() ? changes.memoryReservation : memoryReservation,
                changes.memorySwap.isPresent() || changes.memoryLimit.isPresent() ? changes.memorySwap : memorySwap,
                changes.pidsLimit.isPresent() ? changes.pidsLimit : pidsLimit);
    }

    public static Builder builder() {
        return new Builder();
    }

    /** Collects the settings of a {@link Resources}; not thread-safe. All are empty by default. */
    public static final class Builder {
        private OptionalLong cpuShares = OptionalLong.empty();
        private OptionalLong cpuQuotaMicros = OptionalLong.empty();
        private OptionalLong cpuPeriodMicros = OptionalLong.empty();
        private Optional<String> cpus = Optional.empty();
        private Optional<MemorySize> memoryLimit = Optional.empty();
        private Optional<MemorySize> memoryReservation = Optional.empty();
        private OptionalLong memorySwap = OptionalLong.empty();
        private OptionalLong pidsLimit = OptionalLong.empty();

        private Builder() {}

        /** The relative weight of its processors' time, 2 to 262144. */
        public Builder cpuShares(long shares) {
            cpuShares = OptionalLong.of(shares);
            return this;
        }

        /** The processors' time in microseconds per period, -1 for no limit. */
        public Builder cpuQuotaMicros(long quota) {
            cpuQuotaMicros = OptionalLong.of(quota);
            return this;
        }

        /** The period in microseconds, 1000 to 1000000. */
        public Builder cpuPeriodMicros(long period) {
            cpuPeriodMicros = OptionalLong.of(period);
            return this;
        }

        /** The processors of the guest, for example {@code 0-1,3}. */
        public Builder cpus(String list) {
            cpus = Optional.of(list);
            return this;
        }

        public Builder memoryLimit(MemorySize limit) {
            memoryLimit = Optional.of(limit);
            return this;
        }

        public Builder memoryReservation(MemorySize reservation) {
            memoryReservation = Optional.of(reservation);
            return this;
        }

        /** The memory and the swap together, in bytes; -1 for no limit. */
        public Builder memorySwap(long bytes) {
            memorySwap = OptionalLong.of(bytes);
            return this;
        }

        /** How many processes and threads it may have, -1 for no limit. */
        public Builder pidsLimit(long limit) {
            pidsLimit = OptionalLong.of(limit);
            return this;
        }

        public Resources build() {
            return new Resources(
                    cpuShares,
                    cpuQuotaMicros,
                    cpuPeriodMicros,
                    cpus,
                    memoryLimit,
                    memoryReservation,
                    memorySwap,
                    pidsLimit);
        }
    }
}
