// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.virtcontainers.HostSetupException;
import io.virtcontainers.linux.Command;
import io.virtcontainers.linux.LinuxException;
import io.virtcontainers.linux.LinuxProcess;
import io.virtcontainers.linux.Processes;
import io.virtcontainers.spi.Deadline;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/**
 * Starts programs, and watches others. Unless detached, a program dies when this Java process dies, also by
 * {@code kill -9}: {@code setpriv --pdeathsig KILL} asks the kernel for it and then becomes the program, with the same
 * pid. The kernel acts when the <em>thread</em> ends that started it, which {@link Processes} keeps until {@link #close}.
 *
 * <p>A gap of a few milliseconds remains: if this process dies after the start and before setpriv has asked, the program
 * lives on. {@code Hypervisor.reap} finds it, as its command line names the sandbox's directory from the start.
 */
final class ProcessLauncher implements AutoCloseable {
    private static final String SETPRIV_REMEDY =
            "QEMU is started by it so that it gains no privileges and dies with this"
                    + " process: install util-linux (\"apt install util-linux\")";

    private static final String NSENTER_REMEDY =
            "QEMU is started by it in a namespace: install util-linux (\"apt install util-linux\")";

    private final Processes processes = new Processes("virtcontainers-qemu-processes");

    /** Loads native code in another thread, so that the first start need not wait for it. */
    ProcessLauncher() {
        Processes.warmUp();
    }

    /**
     * Starts a program that ends with this process. When this throws, it does not run or is killed as soon as it does.
     *
     * @param workingDirectory where it leaves a core dump, should it crash
     */
    ManagedProcess start(List<String> arguments, Path workingDirectory, Deadline deadline) {
        return start(arguments, workingDirectory, false, Surroundings.OURS, deadline);
    }

    /**
     * What a program finds around it.
     *
     * @param privileges options of setpriv
     * @param files what it gets open, as the descriptors 3, 4, ...
     * @param namespaces options of nsenter, in which namespaces it runs; empty: ours
     */
    record Surroundings(List<String> privileges, List<Command.OpenFile> files, List<String> namespaces) {
        static final Surroundings OURS = new Surroundings(List.of(), List.of(), List.of());
    }

    /** @param detached whether it outlives this process, in a session of its own */
    ManagedProcess start(
            List<String> arguments,
            Path workingDirectory,
            boolean detached,
            Surroundings surroundings,
            Deadline deadline) {
        List<String> line = new ArrayList<>();
        if (!surroundings.namespaces().isEmpty()) {
            line.add(Programs.require("nsenter", NSENTER_REMEDY).toString());
            line.addAll(surroundings.namespaces());
            line.addAll(List.of("--wd=" + workingDirectory.toAbsolutePath(), "--"));
        }
        line.add(Programs.require("setpriv", SETPRIV_REMEDY).toString());
        if (!detached) {
            line.addAll(List.of("--pdeathsig", "KILL"));
        }
        line.addAll(surroundings.privileges());
        line.addAll(List.of("--no-new-privs", "--"));
        line.addAll(arguments);
        String program = arguments.get(0);
        TailBuffer output = ManagedProcess.newOutput();
        CompletableFuture<LinuxProcess> started;
        try {
            started = processes
                    .start(
                            new Command(
                                    line,
                                    environment(),
                                    workingDirectory.toAbsolutePath(),
                                    detached,
                                    surroundings.files()),
                            (bytes, length) -> output.append(bytes, 0, length))
                    .exceptionally(error -> {
                        throw new HostSetupException("cannot start " + program + ": " + error.getMessage(), error);
                    });
        } catch (LinuxException e) {
            throw new HostSetupException("cannot start " + program + ": " + e.getMessage(), e);
        }
        try {
            return new ManagedProcess(deadline.await(started, "the start of " + program), output);
        } catch (RuntimeException e) {
            var unused = started.thenAccept(process -> new ManagedProcess(process, output).kill());
            throw e;
        }
    }

    private static Map<String, String> environment() {
        Map<String, String> environment = new HashMap<>();
        // The rest is none of its business, and may hold secrets of the application.
        for (String name : List.of("PATH", "LD_LIBRARY_PATH")) {
            Optional.ofNullable(System.getenv(name)).ifPresent(value -> environment.put(name, value));
        }
        // Messages that we show and match must not be translated.
        environment.put("LC_ALL", "C");
        return environment;
    }

    /**
     * Watches a process that another program started; empty if there is none with this pid. What the caller finds out about
     * the process after this holds for all signals and for the end that the result tells.
     */
    Optional<ManagedProcess> watch(long pid) {
        try {
            return processes.watch(pid).map(process -> new ManagedProcess(process, ManagedProcess.newOutput()));
        } catch (LinuxException e) {
            throw new HostSetupException("cannot watch the process " + pid + ": " + e.getMessage(), e);
        }
    }

    /** Ends every program that still runs and is not detached. */
    @Override
    public void close() {
        processes.close();
    }
}
