// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The rate of the host's time stamp counter, which emulated guests see unchanged. */
final class HostTsc {
    private static final Path SYSTEM_ROOT = Path.of("/");
    private static final Pattern MHZ = Pattern.compile("(?m)^cpu MHz\\s*:\\s*(\\d{2,5})\\.(\\d{3})$");

    private HostTsc() {}

    static Optional<String> khz() {
        return khz(SYSTEM_ROOT);
    }

    /** Empty if the host does not tell it, or changes it. */
    static Optional<String> khz(Path root) {
        try {
            String cpuinfo = Files.readString(root.resolve("proc/cpuinfo"));
            Path base = root.resolve("sys/devices/system/cpu/cpu0/cpufreq/base_frequency");
            if (!cpuinfo.contains(" constant_tsc ")) {
                return Optional.empty();
            } else if (Files.exists(base)) {
                return Optional.of(Files.readString(base).strip());
            } else if (Files.exists(base.getParent())) {
                return Optional.empty(); // what cpuinfo tells is the rate of the moment
            }
            Matcher mhz = MHZ.matcher(cpuinfo);
            return mhz.find() ? Optional.of(mhz.group(1) + mhz.group(2)) : Optional.empty();
        } catch (IOException e) {
            return Optional.empty();
        }
    }
}
