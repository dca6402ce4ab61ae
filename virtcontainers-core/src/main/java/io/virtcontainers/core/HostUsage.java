// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import io.virtcontainers.HostProcess;
import io.virtcontainers.MemorySize;
import io.virtcontainers.VirtException;
import io.virtcontainers.VmDiedException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;

/** What the host's kernel says that a process uses. */
record HostUsage(Duration cpu, MemorySize pss, MemorySize rss) {
    /** USER_HZ, in which {@code /proc/pid/stat} counts on every architecture of Linux that QEMU's hosts have. */
    private static final long TICKS_PER_SECOND = 100;

    private static final int USER_TIME = 11; // fields after the name in parentheses; utime is field 14 of proc(5)
    private static final int SYSTEM_TIME = 12;

    /** @throws VmDiedException if it is dead */
    static HostUsage of(HostProcess process) {
        Path proc = Path.of("/proc", Long.toString(process.pid()));
        try {
            String line = Files.readString(proc.resolve("stat"), StandardCharsets.ISO_8859_1);
            String memory = Files.readString(proc.resolve("smaps_rollup"), StandardCharsets.ISO_8859_1);
            if (process.isAlive()) {
                String[] fields = line.substring(line.lastIndexOf(')') + 2).split(" ", -1);
                long ticks = Long.parseLong(fields[USER_TIME]) + Long.parseLong(fields[SYSTEM_TIME]);
                return new HostUsage(
                        Duration.ofMillis(ticks * 1000 / TICKS_PER_SECOND),
                        kibibytes(memory, "Pss:"),
                        kibibytes(memory, "Rss:"));
            }
        } catch (IOException e) {
            if (process.isAlive()) {
                throw new VirtException("cannot read what the hypervisor uses from " + proc + ": " + e, e);
            }
        }
        throw new VmDiedException("the hypervisor's process (" + process + ") has ended");
    }

    private static MemorySize kibibytes(String smaps, String name) {
        return smaps.lines()
                .filter(line -> line.startsWith(name))
                .findFirst()
                .map(line -> MemorySize.ofBytes(Long.parseLong(line.split("\\s+", -1)[1]) << 10))
                .orElseThrow(() -> new VirtException("the kernel's smaps_rollup has no " + name));
    }
}
