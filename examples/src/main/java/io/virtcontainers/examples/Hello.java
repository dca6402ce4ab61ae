// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.examples;

import io.virtcontainers.CommandResult;
import io.virtcontainers.HypervisorConfig;
import io.virtcontainers.RootFs;
import io.virtcontainers.VirtContainers;
import io.virtcontainers.VirtException;
import java.nio.file.Path;

/** The short form: one command in a virtual machine of its own. Usage: {@code bin/example Hello ROOTFS}. */
public final class Hello {
    private Hello() {}

    public static void main(String[] args) {
        Path rootfs = Path.of(args[0]);
        try {
            // One statement: boot a VM, run the command in a container in it, get output and exit code, leave nothing.
            CommandResult result = VirtContainers.runCommand(
                    RootFs.directory(rootfs), "sh", "-c", "uname -r; echo 'hello from a container'; exit 42");

            System.out.println("host kernel:   " + System.getProperty("os.version"));
            System.out.println(
                    "guest kernel:  " + result.stdout().lines().findFirst().orElse("?"));
            System.out.println("output:        "
                    + result.stdout().lines().skip(1).findFirst().orElse("?"));
            System.out.println("exit code:     " + result.exitCode());
            System.out.println(result.timeline());
        } catch (VirtException e) {
            System.err.println(e);
            HostLacks.printAfter(e, HypervisorConfig.defaults());
            System.exit(1);
        }
    }
}
