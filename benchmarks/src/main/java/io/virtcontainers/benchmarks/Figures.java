// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.benchmarks;

import java.util.List;
import java.util.Locale;

/** Figures of many runs. */
final class Figures {
    private Figures() {}

    static double median(List<Double> values) {
        List<Double> sorted = values.stream().sorted().toList();
        int middle = sorted.size() / 2;
        return sorted.size() % 2 == 1 ? sorted.get(middle) : (sorted.get(middle - 1) + sorted.get(middle)) / 2;
    }

    /** Median and spread, in milliseconds. */
    static String shown(List<Double> millis) {
        List<Double> sorted = millis.stream().sorted().toList();
        return String.format(
                Locale.ROOT, "%.0f ms (%.0f to %.0f)", median(millis), sorted.get(0), sorted.get(sorted.size() - 1));
    }
}
