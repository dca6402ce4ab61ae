// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.examples;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.virtcontainers.Container;
import io.virtcontainers.ContainerConfig;
import io.virtcontainers.RootFs;
import io.virtcontainers.Sandbox;
import io.virtcontainers.SandboxConfig;
import io.virtcontainers.VirtContainers;
import io.virtcontainers.VirtException;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;

/**
 * A pod: two containers in one virtual machine, which talk over localhost. Usage: {@code bin/example Pod ROOTFS}, with a
 * root file system that has busybox.
 */
public final class Pod {
    private static final Duration PATIENCE = Duration.ofSeconds(60);

    private Pod() {}

    public static void main(String[] args) throws IOException {
        RootFs rootfs = RootFs.directory(Path.of(args[0]));
        try (VirtContainers vc = VirtContainers.open();
                Sandbox pod = vc.run(SandboxConfig.builder("pod").build())) {
            Container server = pod.createContainer(ContainerConfig.builder("server")
                    .rootfs(rootfs)
                    .command(
                            "sh",
                            "-c",
                            "echo 'hello from the other container' > /tmp/hello && httpd -f -p 8080 -h /tmp")
                    .build());
            Container client = pod.createContainer(ContainerConfig.builder("client")
                    .rootfs(rootfs)
                    .command("sh", "-c", "until wget -q -O - http://127.0.0.1:8080/hello; do sleep 0.1; done")
                    .build());
            server.start();
            client.start();
            System.out.print(new String(client.process().stdout().readAllBytes(), UTF_8));
            System.out.println(
                    "client exit code: " + client.process().waitFor(PATIENCE).code());
        } catch (VirtException e) {
            System.err.println(e);
            System.exit(1);
        }
    }
}
