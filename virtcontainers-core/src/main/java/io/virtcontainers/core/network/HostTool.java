// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core.network;

import io.virtcontainers.CancelledException;
import io.virtcontainers.HostSetupException;
import io.virtcontainers.spi.Deadline;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** Runs ip(8) and tc(8), in a network namespace by nsenter(1), each call to its end. No shell. */
final class HostTool {
    private static final long MAX_OUTPUT = 4 << 20;

    private final Optional<Path> namespace;
    private final Deadline deadline;

    HostTool(Path namespace, Deadline deadline) {
        this(Optional.of(namespace), deadline);
    }

    private HostTool(Optional<Path> namespace, Deadline deadline) {
        this.namespace = namespace;
        this.deadline = deadline;
    }

    /** In the namespace of this process. */
    static HostTool here(Deadline deadline) {
        return new HostTool(Optional.empty(), deadline);
    }

    /**
     * Its output.
     *
     * @throws HostSetupException with what it wrote, if it is missing or fails
     */
    String run(String... arguments) {
        List<String> command = new ArrayList<>();
        namespace.ifPresent(path -> command.addAll(List.of(require("nsenter"), "--net=" + path, "--")));
        command.add(require(arguments[0]));
        command.addAll(List.of(arguments).subList(1, arguments.length));
        String shown = String.join(" ", arguments)
                + namespace
                        .map(path -> ", in the network namespace " + path + ",")
                        .orElse("");
        try {
            // A file, not a pipe: nothing to drain, and nobody can hold it open.
            Path output = Files.createTempFile("vc-host-tool", ".out");
            try {
                Process process = new ProcessBuilder(command)
                        .redirectErrorStream(true)
                        .redirectOutput(output.toFile())
                        .redirectInput(new File("/dev/null"))
                        .start();
                await(process, shown);
                String text = Files.size(output) > MAX_OUTPUT ? "(too long)" : Files.readString(output);
                if (process.exitValue() != 0) {
                    throw new HostSetupException(shown + " failed: " + text.strip());
                }
                return text;
            } finally {
                Files.delete(output);
            }
        } catch (IOException e) {
            throw new HostSetupException("cannot run " + shown + " " + e.getMessage(), e);
        }
    }

    private void await(Process process, String shown) {
        try {
            if (!process.waitFor(deadline.remaining().toMillis(), TimeUnit.MILLISECONDS)) {
                throw new HostSetupException(shown + " did not end in time and is killed");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CancelledException("interrupted while waiting for " + shown + " which is killed");
        } finally {
            process.destroyForcibly();
        }
    }

    /** @throws HostSetupException with what to install, if it is missing */
    static String require(String program) {
        String path = Optional.ofNullable(System.getenv("PATH")).orElse("/usr/bin:/bin") + ":/usr/sbin:/sbin";
        return Stream.of(path.split(File.pathSeparator))
                .filter(directory -> !directory.isEmpty())
                .map(directory -> Path.of(directory, program))
                .filter(Files::isExecutable)
                .findFirst()
                .map(Path::toString)
                .orElseThrow(() -> new HostSetupException(program + " is not in PATH (" + path
                        + "); network namespaces need it: install iproute2 and util-linux"));
    }
}
