// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import io.virtcontainers.GuestRoot;
import io.virtcontainers.HostCheck;
import io.virtcontainers.HostSetupException;
import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.spi.Deadline;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Looks at what guest images are made of, and makes none. */
final class GuestHostChecks {
    private GuestHostChecks() {}

    static List<HostCheck> of(
            Host host, Path cacheDirectory, Optional<Path> kernel, GuestRoot root, Deadline deadline) {
        List<HostCheck> found = new ArrayList<>();
        found.add(HostCheck.of("guest kernel", () -> kernel(host, cacheDirectory, kernel, root, deadline)));
        if (root instanceof GuestRoot.BuiltIn) {
            found.add(HostCheck.of(
                    "guest agent",
                    () -> HostCheck.ok("guest agent", AgentBinary.of(host).location())));
            found.add(HostCheck.ofFile("crun", () -> GuestInputs.findCrun(host)));
        } else {
            Path file = root instanceof GuestRoot.Image image ? image.file() : ((GuestRoot.Initrd) root).file();
            found.add(HostCheck.ofFile("guest image", () -> readable(file)));
        }
        found.add(HostCheck.ofFile("mkfs.erofs", () -> ErofsPacker.findProgram(host)));
        return found;
    }

    private static HostCheck kernel(
            Host host, Path cacheDirectory, Optional<Path> asked, GuestRoot root, Deadline deadline) {
        KernelFinder finder = new KernelFinder(host, cacheDirectory);
        try {
            KernelFile kernel = finder.find(asked);
            String release = kernel.release(deadline);
            Optional<Path> modules = finder.modulesDirectory(kernel.path(), release);
            if (modules.isEmpty() && root instanceof GuestRoot.BuiltIn) {
                throw new HostSetupException("kernel " + kernel.path() + " is version " + release
                        + ", but its modules are in none of " + finder.modulesCandidates(kernel.path(), release)
                        + ": install the kernel's whole package, or unpack it with `dpkg -x`");
            }
            return HostCheck.ok(
                    "guest kernel",
                    kernel.path() + ", version " + release
                            + modules.map(directory -> ", modules in " + directory)
                                    .orElse(""),
                    kernel.path());
        } catch (IOException e) {
            throw new HostSetupException("cannot look for a kernel: " + e, e);
        }
    }

    private static Path readable(Path file) {
        if (!Files.isRegularFile(file) || !Files.isReadable(file)) {
            throw new InvalidConfigException("guest root", file.toString(), "is no file that this user can read");
        }
        return file;
    }
}
