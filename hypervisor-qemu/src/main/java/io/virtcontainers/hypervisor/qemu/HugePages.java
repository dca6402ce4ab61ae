// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.virtcontainers.HostSetupException;
import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.MemorySize;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The host's huge pages of the default size. */
final class HugePages {
    private static final Path MEMINFO = Path.of("/proc/meminfo");

    private HugePages() {}

    /** @throws HostSetupException if there are fewer than the guest needs */
    static void requireFree(MemorySize memory) {
        String meminfo;
        try {
            meminfo = Files.readString(MEMINFO);
        } catch (IOException e) {
            throw new HostSetupException("cannot read " + MEMINFO + ": " + e, e);
        }
        long size = number(meminfo, "Hugepagesize") << 10;
        if (size == 0) {
            throw new HostSetupException("the kernel of this host has no huge pages: do not ask for them");
        }
        if (memory.bytes() % size != 0) {
            throw new InvalidConfigException(
                    "memory", memory.toString(), "is no multiple of a huge page, " + (size >> 20) + " MiB");
        }
        long needed = memory.bytes() / size;
        long free = number(meminfo, "HugePages_Free") - number(meminfo, "HugePages_Rsvd");
        if (free < needed) {
            throw new HostSetupException("the guest needs " + needed + " huge pages of " + (size >> 20)
                    + " MiB and the host has " + free + " free: \"sysctl vm.nr_hugepages=N\" makes more");
        }
    }

    private static long number(String meminfo, String name) {
        Matcher line = Pattern.compile("(?m)^" + name + ":\\s*(\\d{1,12})").matcher(meminfo);
        return line.find() ? Long.parseLong(line.group(1)) : 0;
    }
}
