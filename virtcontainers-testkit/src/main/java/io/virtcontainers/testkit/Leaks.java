// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.testkit;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.awaitility.Awaitility;
import org.awaitility.core.ConditionTimeoutException;

/**
 * What this Java process holds at one moment: threads, open files, child processes, and the files below some directories.
 * Compare a moment before with now to find what was not given back; warm up first, as pools and class loading leave traces
 * at their first use.
 */
public final class Leaks {
    private static final Duration PATIENCE = Duration.ofSeconds(10);

    /** What the JVM starts and opens for itself, whenever it likes. */
    private static final List<Pattern> OF_THE_JVM = List.of(
            Pattern.compile("^thread (process reaper|ForkJoinPool\\.commonPool|CompletableFutureDelayScheduler"
                    + "|Common-Cleaner|Cleaner-|Attach Listener|JFR |JVMCI|Notification Thread|awaitility)"),
            Pattern.compile("^open .*\\.(jar|so|jmod)( \\(deleted\\))?$"),
            Pattern.compile("^open .*/lib/modules$"),
            Pattern.compile("^open (/dev/u?random|/proc/.*)$"));

    private final List<Path> directories;
    private final List<String> held;

    private Leaks(List<Path> directories) {
        this.directories = directories;
        this.held = held(directories);
    }

    /** What is held now, with the files below these directories, which need not exist. */
    public static Leaks snapshot(Path... directories) {
        return new Leaks(List.of(directories));
    }

    /**
     * Waits at most some seconds until nothing is held that was not held before.
     *
     * @param allowed regular expressions of what may stay, found in lines such as {@code thread name}, {@code open target},
     *     {@code process pid command} and {@code file path}
     * @throws AssertionError if something stays; the message lists it
     */
    public static void none(Leaks before, String... allowed) {
        none(before, PATIENCE, allowed);
    }

    static void none(Leaks before, Duration patience, String... allowed) {
        List<Pattern> ignored = Stream.concat(
                        OF_THE_JVM.stream(), Stream.of(allowed).map(Pattern::compile))
                .toList();
        try {
            Awaitility.await()
                    .pollInSameThread()
                    .pollDelay(Duration.ZERO)
                    .pollInterval(Duration.ofMillis(20))
                    .atMost(patience)
                    .until(() -> more(before, ignored).isEmpty());
        } catch (ConditionTimeoutException e) {
            List<String> left = more(before, ignored);
            if (!left.isEmpty()) {
                throw new AssertionError("left behind:\n  " + String.join("\n  ", left), e);
            }
        }
    }

    private static List<String> more(Leaks before, List<Pattern> ignored) {
        List<String> more = new ArrayList<>(held(before.directories));
        before.held.forEach(more::remove);
        more.removeIf(line ->
                ignored.stream().anyMatch(pattern -> pattern.matcher(line).find()));
        return more;
    }

    private static List<String> held(List<Path> directories) {
        List<String> held = new ArrayList<>();
        Thread.getAllStackTraces().keySet().forEach(thread -> held.add("thread " + thread.getName()));
        try (Stream<Path> descriptors = Files.list(Path.of("/proc/self/fd"))) {
            descriptors.forEach(descriptor -> target(descriptor).ifPresent(target -> held.add("open " + target)));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        ProcessHandle.current()
                .descendants()
                .forEach(process -> held.add("process " + process.pid() + " "
                        + process.info().command().orElse("")));
        directories.forEach(directory -> files(directory).forEach(file -> held.add("file " + file)));
        return held;
    }

    /** Empty if it was closed meanwhile, as the one of the listing itself. */
    private static Optional<String> target(Path descriptor) {
        try {
            return Optional.of(Files.readSymbolicLink(descriptor).toString());
        } catch (IOException closed) {
            return Optional.empty();
        }
    }

    private static List<Path> files(Path directory) {
        try (Stream<Path> files = Files.walk(directory)) {
            return files.skip(1).toList();
        } catch (NoSuchFileException e) {
            return List.of();
        } catch (UncheckedIOException deletedMeanwhile) {
            return files(directory);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
