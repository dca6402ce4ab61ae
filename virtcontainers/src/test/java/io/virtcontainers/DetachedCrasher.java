// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import java.nio.file.Path;

/**
 * A program that makes, starts and deletes a container {@code c} in a detached sandbox {@code d}, and dies as by {@code
 * kill -9} when it enters a phase. Arguments: state directory, root file system, phase.
 */
final class DetachedCrasher {
    private DetachedCrasher() {}

    public static void main(String[] args) {
        VirtContainers vc =
                VirtContainers.builder().stateDirectory(Path.of(args[0])).open();
        Sandbox sandbox = vc.sandbox("d");
        Thread killer = new Thread(() -> {
            while (sandbox.timeline().phases().stream()
                    .noneMatch(reached -> reached.name().equals(args[2]))) {
                Thread.onSpinWait();
            }
            Runtime.getRuntime().halt(99);
        });
        killer.start();
        Container container = sandbox.createContainer(ContainerConfig.builder("c")
                .rootfs(RootFs.directory(Path.of(args[1])))
                .command("sleep", "1000000")
                .build());
        container.start();
        container.delete();
    }
}
