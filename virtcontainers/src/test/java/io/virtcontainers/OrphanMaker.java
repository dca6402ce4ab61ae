// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;

/** A program that runs a container and waits to be killed. Arguments: state directory, sandbox id, root file system. */
final class OrphanMaker {
    private OrphanMaker() {}

    public static void main(String[] args) throws InterruptedException {
        VirtContainers vc =
                VirtContainers.builder().stateDirectory(Path.of(args[0])).open();
        Sandbox sandbox = vc.run(
                SandboxConfig.builder(args[1]).memory(MemorySize.mib(256)).build());
        Container container = sandbox.createContainer(ContainerConfig.builder("c")
                .rootfs(RootFs.directory(Path.of(args[2])))
                .command("sleep", "1000000")
                .build());
        container.start();
        System.out.println("running");
        new CountDownLatch(1).await();
    }
}
