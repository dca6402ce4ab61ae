// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.examples;

import io.virtcontainers.Container;
import io.virtcontainers.ContainerConfig;
import io.virtcontainers.ExitStatus;
import io.virtcontainers.GuestProcess;
import io.virtcontainers.RootFs;
import io.virtcontainers.Sandbox;
import io.virtcontainers.SandboxConfig;
import io.virtcontainers.VirtContainers;
import io.virtcontainers.VirtException;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/**
 * A sandbox that outlives the process that made it. Each step is a process of its own:
 *
 * <pre>
 * bin/example Detached run ID ROOTFS COMMAND...
 * bin/example Detached list
 * bin/example Detached wait ID      its output and exit code
 * bin/example Detached delete ID
 * </pre>
 */
public final class Detached {
    private Detached() {}

    public static void main(String[] args) throws IOException {
        int code = 0;
        try (VirtContainers vc = VirtContainers.open()) {
            switch (args.length == 0 ? "" : args[0]) {
                case "run" -> run(vc, args[1], Path.of(args[2]), List.of(args).subList(3, args.length));
                case "list" ->
                    vc.list()
                            .forEach(status -> System.out.println(status.id() + " " + status.state() + " "
                                    + (status.detached() ? "detached" : "scoped")));
                case "wait" -> code = waitFor(vc, args[1]).code();
                case "delete" -> vc.cleanup(args[1]);
                default -> {
                    System.err.println("usage: Detached run ID ROOTFS COMMAND... | list | wait ID | delete ID");
                    code = 2;
                }
            }
        } catch (VirtException e) {
            System.err.println(e);
            code = 1;
        }
        System.exit(code);
    }

    private static void run(VirtContainers vc, String id, Path rootfs, List<String> command) {
        Sandbox sandbox = vc.run(SandboxConfig.builder(id).detached(true).build());
        Container main = sandbox.createContainer(ContainerConfig.builder("main")
                .rootfs(RootFs.directory(rootfs))
                .command(command)
                .build());
        main.start();
    }

    private static ExitStatus waitFor(VirtContainers vc, String id) throws IOException {
        // README-Detached:begin
        Sandbox sandbox = vc.sandbox(id);
        GuestProcess process = sandbox.container("main").process();
        process.stdout().transferTo(System.out);
        ExitStatus exit = process.waitFor(Duration.ofMinutes(5));
        // README-Detached:end
        return exit;
    }
}
