// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.examples;

import io.virtcontainers.Container;
import io.virtcontainers.ContainerConfig;
import io.virtcontainers.ExitStatus;
import io.virtcontainers.GuestProcess;
import io.virtcontainers.HypervisorConfig;
import io.virtcontainers.ProcessConfig;
import io.virtcontainers.RootFs;
import io.virtcontainers.Sandbox;
import io.virtcontainers.SandboxConfig;
import io.virtcontainers.VirtContainers;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/**
 * A sandbox that outlives the process that made it. Each step is a process of its own:
 *
 * <pre>
 * bin/example Detached run ID ROOTFS COMMAND...
 * bin/example Detached list
 * bin/example Detached exec ID COMMAND...   its output and exit code
 * bin/example Detached wait ID              output and exit code of what was run
 * bin/example Detached delete ID
 * </pre>
 */
@Command(name = "Detached", description = "Runs a program in a virtual machine that outlives this process.")
public final class Detached {
    private Detached() {}

    public static void main(String[] args) {
        CommandLine commandLine = new CommandLine(new Detached())
                .setCaseInsensitiveEnumValuesAllowed(true)
                .setExecutionExceptionHandler((e, line, parsed) -> {
                    System.err.println(e);
                    HostLacks.printAfter(e, HypervisorConfig.defaults());
                    return 1;
                });
        commandLine.getSubcommands().values().forEach(command -> command.setStopAtPositional(true));
        int code = commandLine.execute(args);
        System.out.flush();
        System.exit(code);
    }

    @Command
    void run(
            @Mixin MachineOptions machine,
            @Parameters(paramLabel = "ID") String id,
            @Parameters(paramLabel = "ROOTFS") Path rootfs,
            @Parameters(paramLabel = "COMMAND", arity = "1..*") List<String> command) {
        try (VirtContainers vc = VirtContainers.open()) {
            Sandbox sandbox = vc.run(
                    machine.applyTo(SandboxConfig.builder(id)).detached(true).build());
            Container main = sandbox.createContainer(ContainerConfig.builder("main")
                    .rootfs(RootFs.directory(rootfs))
                    .command(command)
                    .build());
            main.start();
        }
    }

    @Command
    void list() {
        try (VirtContainers vc = VirtContainers.open()) {
            vc.list()
                    .forEach(status -> System.out.println(
                            status.id() + " " + status.state() + " " + (status.detached() ? "detached" : "scoped")));
        }
    }

    @Command
    int exec(
            @Parameters(paramLabel = "ID") String id,
            @Parameters(paramLabel = "COMMAND", arity = "1..*") List<String> command)
            throws IOException {
        try (VirtContainers vc = VirtContainers.open()) {
            GuestProcess process =
                    vc.sandbox(id).container("main").exec(ProcessConfig.of(command.toArray(String[]::new)));
            process.stdout().transferTo(System.out);
            return process.waitFor(Duration.ofMinutes(5)).code();
        }
    }

    @Command(name = "wait")
    int waitFor(@Parameters(paramLabel = "ID") String id) throws IOException {
        try (VirtContainers vc = VirtContainers.open()) {
            // README-Detached:begin
            Sandbox sandbox = vc.sandbox(id);
            GuestProcess process = sandbox.container("main").process();
            process.stdout().transferTo(System.out);
            ExitStatus exit = process.waitFor(Duration.ofMinutes(5));
            // README-Detached:end
            return exit.code();
        }
    }

    @Command
    void delete(@Parameters(paramLabel = "ID") String id) {
        try (VirtContainers vc = VirtContainers.open()) {
            vc.cleanup(id);
        }
    }
}
