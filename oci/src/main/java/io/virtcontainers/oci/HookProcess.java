// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.oci;

import io.virtcontainers.CancelledException;
import io.virtcontainers.DeadlineExceededException;
import io.virtcontainers.HostSetupException;
import java.io.File;
import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * One run of one hook, by the calling thread alone. Its input and output are files: with pipes, a daemon that the hook leaves
 * behind would keep their readers waiting, and a hook that does not read would keep the writer waiting.
 */
final class HookProcess {
    private static final Path PERL = Path.of("/usr/bin/perl");
    private static final long LOOK_EVERY_MILLIS = 20;

    private final String name;
    private final Process process;
    private final OutputTail output;

    private HookProcess(String name, Process process, OutputTail output) {
        this.name = name;
        this.process = process;
        this.output = output;
    }

    /** @param name the hook, as the subject of error messages */
    static void run(String name, OciHooks.Hook hook, OciState state, Duration timeout) {
        List<String> command = command(name, hook);
        try (HookFiles files = new HookFiles(state.toJson())) {
            ProcessBuilder builder = new ProcessBuilder(command)
                    .directory(new File(state.bundle()))
                    .redirectInput(files.input().toFile())
                    .redirectErrorStream(true)
                    .redirectOutput(Redirect.appendTo(files.output().toFile()));
            setEnvironment(builder.environment(), hook.env());
            Process process = builder.start();
            new HookProcess(name, process, new OutputTail(files.written())).await(files, timeout);
        } catch (IOException e) {
            throw new HookFailedException(name + " could not be run: " + e.getMessage());
        }
    }

    /**
     * A program that goes by another name than its path may need it: Docker's hook is {@code /proc/PID/exe}, which finds out
     * by its name what to do. {@link ProcessBuilder} makes the path the name; Perl's exec does not.
     */
    private static List<String> command(String name, OciHooks.Hook hook) {
        List<String> args = hook.args();
        List<String> command = new ArrayList<>();
        if (args.isEmpty() || args.get(0).equals(hook.path())) {
            command.add(hook.path());
            command.addAll(args.subList(Math.min(1, args.size()), args.size()));
            return command;
        }
        if (!Files.isExecutable(PERL)) {
            throw new HostSetupException(name + " goes by the name " + JsonObject.shown(args.get(0)) + ", which takes "
                    + PERL + " to do: install perl");
        }
        command.addAll(List.of(PERL.toString(), "-e", "exec { shift } @ARGV or die \"$!\\n\"", "--", hook.path()));
        command.addAll(args);
        return command;
    }

    /** Entries without a name cannot be given; of two with one name the first counts, as for getenv(3). */
    private static void setEnvironment(Map<String, String> environment, List<String> entries) {
        environment.clear();
        for (String entry : entries) {
            int end = entry.indexOf('=');
            if (end > 0) {
                environment.putIfAbsent(entry.substring(0, end), entry.substring(end + 1));
            }
        }
    }

    private void await(HookFiles files, Duration timeout) throws IOException {
        long end = System.nanoTime() + timeout.toNanos();
        try {
            files.removeNames();
            while (!process.waitFor(LOOK_EVERY_MILLIS, TimeUnit.MILLISECONDS)) {
                output.keepShort();
                if (System.nanoTime() - end > 0) {
                    throw new DeadlineExceededException(name + " did not end within " + timeout.toSeconds()
                            + " s and is killed" + output.describe());
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CancelledException("interrupted while waiting for " + name + ", which is killed");
        } finally {
            if (process.isAlive()) {
                killTree();
            }
        }
        if (process.exitValue() != 0) {
            throw new HookFailedException(name + " ended with " + process.exitValue() + output.describe());
        }
    }

    /** Parents first, so that none sees its child die and starts another. */
    private void killTree() {
        Stream.concat(Stream.of(process.toHandle()), process.descendants())
                .toList()
                .forEach(ProcessHandle::destroyForcibly);
    }
}
