// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.virtcontainers.Device;
import io.virtcontainers.HypervisorConfig;
import io.virtcontainers.spi.GuestImage;
import io.virtcontainers.spi.VirtualMachine;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;

/** A program that owns a virtual machine, tells its pid and waits to be killed. */
final class LaunchAndWait {
    private LaunchAndWait() {}

    /** Arguments: the machine's directory, a cache, the kernel, the initrd, detached or scoped, and as whom to run it, if not as itself. */
    public static void main(String[] arguments) throws InterruptedException {
        Path directory = Path.of(arguments[0]);
        GuestImage image = new GuestImage(Path.of(arguments[2]), Path.of(arguments[3]), "");
        boolean detached = arguments[4].equals("detached");
        QemuHypervisor hypervisor = new QemuHypervisor(Path.of(arguments[1]));
        HypervisorConfig.Builder settings = TestGuest.settings();
        if (arguments.length > 5) {
            settings.user(arguments[5]);
        }
        VirtualMachine machine = hypervisor.launch(
                TestGuest.config(directory, image, "chatty", detached, settings.build()),
                TestGuest.NO_PHASES,
                TestGuest.seconds(30));
        String unused =
                machine.addDevice(new Device.Block("left", image.initrd().orElseThrow(), true), TestGuest.seconds(10));
        new PrintStream(new FileOutputStream(FileDescriptor.out), true)
                .println("pid " + machine.process().pid());
        new CountDownLatch(1).await();
    }
}
