// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime.log;

import java.util.Locale;
import java.util.Optional;

/** How grave a line is, with the words of logrus and the numbers of syslog. */
public enum Level {
    ERROR(3),
    WARNING(4),
    INFO(6),
    DEBUG(7);

    private final int priority;

    Level(int priority) {
        this.priority = priority;
    }

    /** Of syslog(3). */
    int priority() {
        return priority;
    }

    String word() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** As logrus, slf4j and Kata's components write it. */
    static Optional<Level> of(String word) {
        return switch (word.toLowerCase(Locale.ROOT)) {
            case "error", "fatal", "panic" -> Optional.of(ERROR);
            case "warning", "warn" -> Optional.of(WARNING);
            case "info" -> Optional.of(INFO);
            case "debug", "trace" -> Optional.of(DEBUG);
            default -> Optional.empty();
        };
    }
}
