// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import java.nio.file.Path;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * Something that sandboxes need of the host, and how it was found.
 *
 * @param name what was looked at, for example {@code kvm}
 * @param outcome whether it is as it must be
 * @param finding one line: what was found, and unless all is well, what to do
 * @param file the file that sandboxes will use, if it is about one
 */
public record HostCheck(String name, Outcome outcome, String finding, Optional<Path> file) {
    /** How it was found. */
    public enum Outcome {
        /** As it must be. */
        OK,
        /** Sandboxes run without it, but slower or with less. */
        WARNING,
        /** No sandbox with these settings can run. */
        FAILED
    }

    public HostCheck {
        finding = finding.replace('\n', ' ').strip();
    }

    public static HostCheck ok(String name, String finding) {
        return new HostCheck(name, Outcome.OK, finding, Optional.empty());
    }

    /** A file that was looked for. */
    public static HostCheck ok(String name, String finding, Path file) {
        return new HostCheck(name, Outcome.OK, finding, Optional.of(file));
    }

    public static HostCheck warning(String name, String finding) {
        return new HostCheck(name, Outcome.WARNING, finding, Optional.empty());
    }

    public static HostCheck failed(String name, String finding) {
        return new HostCheck(name, Outcome.FAILED, finding, Optional.empty());
    }

    /** {@link Outcome#OK} with the file that {@code look} finds; {@link Outcome#FAILED} if it throws an error of ours. */
    public static HostCheck ofFile(String name, Supplier<Path> look) {
        return of(name, () -> {
            Path file = look.get();
            return ok(name, file.toString(), file);
        });
    }

    /** What {@code look} gives; {@link Outcome#FAILED} if it throws an error of ours. */
    public static HostCheck of(String name, Supplier<HostCheck> look) {
        try {
            return look.get();
        } catch (CancelledException e) {
            throw e;
        } catch (VirtException e) {
            return failed(name, String.valueOf(e.getMessage()));
        }
    }

    public boolean isFailed() {
        return outcome == Outcome.FAILED;
    }

    /** One line for a person: {@code warning  kvm: there is no /dev/kvm ...}. */
    @Override
    public String toString() {
        String word = switch (outcome) {
            case OK -> "ok";
            case WARNING -> "warning";
            case FAILED -> "FAILED";
        };
        return String.format("%-8s %s: %s", word, name, finding);
    }
}
