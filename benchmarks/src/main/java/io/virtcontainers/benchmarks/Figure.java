// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.benchmarks;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * One thing that was measured, once or many times in one run, and what it is held against.
 *
 * @param what is measured
 * @param unit of the values
 * @param values in the order in which they were measured
 * @param baseline what was measured in turn with it
 * @param target which it shall reach
 */
record Figure(String what, String unit, List<Double> values, Optional<Baseline> baseline, Optional<Target> target) {
    /** Values in the unit of the figure. */
    record Baseline(String name, List<Double> values) {}

    /** Of the median, or of a ratio of medians. */
    record Target(Kind kind, double limit) {
        enum Kind {
            AT_MOST,
            AT_LEAST,
            /** Of the figure to its baseline. */
            RATIO_AT_MOST,
            /** Of the baseline to the figure. */
            TIMES_LESS_AT_LEAST
        }
    }

    Figure {
        values = List.copyOf(values);
    }

    static Figure of(String what, String unit, List<Double> values) {
        return new Figure(what, unit, values, Optional.empty(), Optional.empty());
    }

    static Figure of(String what, String unit, double value) {
        return of(what, unit, List.of(value));
    }

    Figure against(String name, List<Double> baselineValues) {
        return new Figure(what, unit, values, Optional.of(new Baseline(name, List.copyOf(baselineValues))), target);
    }

    Figure atMost(double limit) {
        return with(Target.Kind.AT_MOST, limit);
    }

    Figure atLeast(double limit) {
        return with(Target.Kind.AT_LEAST, limit);
    }

    Figure ratioAtMost(double limit) {
        return with(Target.Kind.RATIO_AT_MOST, limit);
    }

    Figure timesLess(double limit) {
        return with(Target.Kind.TIMES_LESS_AT_LEAST, limit);
    }

    private Figure with(Target.Kind kind, double limit) {
        return new Figure(what, unit, values, baseline, Optional.of(new Target(kind, limit)));
    }

    double median() {
        return Figures.median(values);
    }

    /** Of the figure to its baseline; 0 without one. */
    double ratio() {
        return baseline.map(known -> median() / Figures.median(known.values())).orElse(0.0);
    }

    Optional<Boolean> isMet() {
        return target.map(wanted -> switch (wanted.kind()) {
            case AT_MOST -> median() <= wanted.limit();
            case AT_LEAST -> median() >= wanted.limit();
            case RATIO_AT_MOST -> ratio() <= wanted.limit();
            case TIMES_LESS_AT_LEAST -> 1 / ratio() >= wanted.limit();
        });
    }

    String shownTarget() {
        return target.map(wanted -> switch (wanted.kind()) {
                    case AT_MOST -> "at most " + number(wanted.limit()) + " " + unit;
                    case AT_LEAST -> "at least " + number(wanted.limit()) + " " + unit;
                    case RATIO_AT_MOST -> "ratio at most " + number(wanted.limit());
                    case TIMES_LESS_AT_LEAST -> "at least " + number(wanted.limit()) + " times less";
                })
                .orElse("-");
    }

    String shownRatio() {
        if (baseline.isEmpty()) {
            return "-";
        }
        boolean less = target.filter(wanted -> wanted.kind() == Target.Kind.TIMES_LESS_AT_LEAST)
                .isPresent();
        return less ? number(1 / ratio()) + " times less" : number(ratio());
    }

    /** Median, and of several values the spread and how many. */
    static String shown(List<Double> values, String unit) {
        String median = number(Figures.median(values)) + " " + unit;
        if (values.size() == 1) {
            return median;
        }
        List<Double> sorted = values.stream().sorted().toList();
        return median + " (" + number(sorted.get(0)) + " to " + number(sorted.get(sorted.size() - 1)) + "; "
                + values.size() + ")";
    }

    /** Three digits that count. */
    static String number(double value) {
        double size = Math.abs(value);
        return String.format(Locale.ROOT, size >= 100 ? "%.0f" : size >= 10 ? "%.1f" : "%.2f", value);
    }

    String line() {
        return what + ": " + shown(values, unit)
                + baseline.map(known -> ", against " + known.name() + " " + shown(known.values(), unit) + ": ratio "
                                + shownRatio())
                        .orElse("")
                + isMet().map(met -> "; target " + shownTarget() + ": " + (met ? "met" : "MISSED"))
                        .orElse("");
    }

    Map<String, Object> json() {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("what", what);
        json.put("unit", unit);
        json.put("median", median());
        json.put("values", values);
        baseline.ifPresent(known -> {
            json.put("baseline", known.name());
            json.put("baselineMedian", Figures.median(known.values()));
            json.put("baselineValues", known.values());
            json.put("ratio", ratio());
        });
        json.put("shown", shown(values, unit));
        json.put(
                "shownBaseline",
                baseline.map(known -> known.name() + ": " + shown(known.values(), unit))
                        .orElse("-"));
        json.put("shownRatio", shownRatio());
        json.put("target", shownTarget());
        isMet().ifPresent(met -> json.put("met", met));
        return json;
    }
}
