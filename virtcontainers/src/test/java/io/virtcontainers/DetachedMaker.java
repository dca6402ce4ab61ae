// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CountDownLatch;

/**
 * A program that starts a detached sandbox with one container, says so, and waits to be killed. Arguments: state
 * directory, sandbox id, root file system, command.
 */
final class DetachedMaker {
    private DetachedMaker() {}

    public static void main(String[] args) throws InterruptedException {
        VirtContainers vc =
                VirtContainers.builder().stateDirectory(Path.of(args[0])).open();
        Sandbox sandbox = vc.run(SandboxConfig.builder(args[1])
                .memory(MemorySize.mib(256))
                .detached(true)
                .build());
        Container container = sandbox.createContainer(ContainerConfig.builder("c")
                .rootfs(RootFs.directory(Path.of(args[2])))
                .command(List.of(args).subList(3, args.length))
                .build());
        container.start();
        System.out.println("running");
        new CountDownLatch(1).await();
    }
}
