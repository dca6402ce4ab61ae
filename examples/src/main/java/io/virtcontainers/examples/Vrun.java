// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.examples;

import io.virtcontainers.CommandNotFoundException;
import io.virtcontainers.Container;
import io.virtcontainers.ContainerConfig;
import io.virtcontainers.ExitStatus;
import io.virtcontainers.MemorySize;
import io.virtcontainers.ProcessConfig;
import io.virtcontainers.RootFs;
import io.virtcontainers.Sandbox;
import io.virtcontainers.SandboxConfig;
import io.virtcontainers.VirtContainers;
import io.virtcontainers.VirtException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/**
 * Runs a program of any root directory in a virtual machine, with stdin, stdout, stderr and the exit code passed through.
 *
 * <p>Exit codes: the program's own; 128 plus the number of the signal that ended it; 127 if it is not there, 126 if it may
 * not be executed; 125 if the virtual machine could not be run; 2 for wrong options.
 */
@Command(
        name = "vrun",
        sortOptions = false,
        description = "Runs a program of any root directory in a virtual machine.",
        synopsisHeading = "Usage: ",
        mixinStandardHelpOptions = false)
public final class Vrun implements Callable<Integer> {
    private static final int MACHINERY_FAILED = 125;
    private static final Duration FOREVER = Duration.ofDays(36_500);

    @Option(names = "--rootfs", required = true, paramLabel = "DIR", description = "the root directory")
    private Path rootfs = Path.of("");

    @Option(names = "--vcpus", paramLabel = "N", description = "virtual processors (default: ${DEFAULT-VALUE})")
    private int vcpus = 1;

    @Option(names = "--memory", paramLabel = "MiB", description = "memory in MiB (default: ${DEFAULT-VALUE})")
    private long memory = 512;

    @Option(names = "--tty", description = "give the program a terminal")
    private boolean tty;

    @Option(names = "--env", paramLabel = "NAME=VALUE", description = "set a variable; may be repeated")
    private List<String> environment = new ArrayList<>();

    @Option(names = "--workdir", paramLabel = "DIR", description = "where it starts (default: ${DEFAULT-VALUE})")
    private String workingDirectory = "/";

    @Mixin
    private MachineOptions machine = new MachineOptions();

    @Option(names = "--timeline", description = "at the end, print on stderr where the time went")
    private boolean timeline;

    @SuppressWarnings("UnusedVariable") // picocli acts on it
    @Option(names = "--help", usageHelp = true, description = "show this text")
    private boolean help;

    @Parameters(arity = "1..*", paramLabel = "COMMAND", description = "the program and its arguments")
    private List<String> command = List.of();

    private Vrun() {}

    public static void main(String[] args) {
        CommandLine commandLine = new CommandLine(new Vrun())
                .setStopAtPositional(true)
                .setExpandAtFiles(false) // what follows is for the guest, to the letter
                .setCaseInsensitiveEnumValuesAllowed(true)
                .setExecutionExceptionHandler((e, line, parsed) -> {
                    System.err.println("vrun: " + e);
                    return MACHINERY_FAILED;
                });
        int code = commandLine.execute(args);
        System.out.flush();
        System.exit(code);
    }

    @Override
    public Integer call() throws Exception {
        try (VirtContainers vc = VirtContainers.open()) {
            RootFs image = vc.prepare(RootFs.directory(rootfs)); // a mistake shows before anything is booted
            return run(vc, image);
        } catch (CommandNotFoundException e) {
            System.err.println("vrun: " + e.getMessage());
            return e.exitCode();
        } catch (VirtException e) {
            System.err.println("vrun: " + e.getMessage());
            if (!e.diagnostics().isEmpty()) {
                System.err.println(e.diagnostics());
            }
            HostLacks.printAfter(e, machine.hypervisor());
            return MACHINERY_FAILED;
        }
    }

    private int run(VirtContainers vc, RootFs image) throws Exception {
        try (Sandbox sandbox = vc.run(sandboxConfig());
                Terminal terminal = tty ? Terminal.raw() : Terminal.none()) {
            Container container = sandbox.createContainer(containerConfig(image, terminal));
            PassThrough io = new PassThrough(container.process(), terminal);
            io.forwardSignals(container);
            container.start();
            io.start();
            ExitStatus exit = container.process().waitFor(FOREVER);
            io.drain();
            if (timeline) {
                System.err.println(sandbox.timeline());
            }
            return io.readerGone() ? PassThrough.SIGPIPE_CODE : exit.code();
        }
    }

    private SandboxConfig sandboxConfig() {
        return machine.applyTo(SandboxConfig.builder("vrun-" + UUID.randomUUID()))
                .hostname("vrun")
                .vcpus(vcpus)
                .memory(MemorySize.mib(memory))
                .build();
    }

    private ContainerConfig containerConfig(RootFs image, Terminal terminal) {
        ProcessConfig.Builder process = ProcessConfig.builder(command).workingDirectory(workingDirectory);
        terminal.size()
                .ifPresent(size -> process.terminal(size)
                        .environment(
                                "TERM",
                                Optional.ofNullable(System.getenv("TERM")).orElse("xterm")));
        for (String variable : environment) {
            String[] parts = variable.split("=", 2);
            process.environment(parts[0], parts.length == 2 ? parts[1] : "");
        }
        return ContainerConfig.builder("main")
                .rootfs(image)
                .process(process.build())
                .build();
    }
}
