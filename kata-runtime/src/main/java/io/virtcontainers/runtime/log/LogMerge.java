// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime.log;

import java.io.BufferedReader;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Logs of several files, in the order of their times. Not thread-safe. */
public final class LogMerge {
    /** As the agent writes on the console. */
    private static final Pattern AGENT =
            Pattern.compile(".*?\\bagent (error|warning|info|debug|trace): (.*)", Pattern.DOTALL);

    private static final List<String> REQUIRED = List.of("name", "source", "pid");
    private static final int MAX_PROBLEMS = 100;

    private final Optional<String> sandbox;
    private final Optional<String> container;
    private final List<LogEntry> entries = new ArrayList<>();
    private final List<String> problems = new ArrayList<>();
    private final Set<String> seen = new HashSet<>();
    private int lines;
    private int bad;

    /**
     * @param sandbox whose lines are wanted; empty: all
     * @param container the same
     */
    public LogMerge(Optional<String> sandbox, Optional<String> container) {
        this.sandbox = sandbox;
        this.container = container;
    }

    /** @param name of the file, for errors */
    public void read(String name, BufferedReader in) throws IOException {
        int number = 0;
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            number++;
            if (line.isBlank()) {
                continue;
            }
            lines++;
            try {
                take(LogEntry.parse(line));
            } catch (LogFormatException e) {
                bad++;
                if (problems.size() < MAX_PROBLEMS) {
                    problems.add(name + ":" + number + ": " + e.problem());
                }
            }
        }
    }

    private void take(LogEntry entry) throws LogFormatException {
        for (String field : REQUIRED) {
            if (!entry.fields().containsKey(field)) {
                throw new LogFormatException("there is no field " + field);
            }
        }
        LogEntry known = ofAgent(entry);
        boolean wanted = matches(known, "sandbox", sandbox) && matches(known, "container", container);
        // The same line is in the log of a command and in that of an engine that collects them.
        if (wanted && seen.add(known.json())) {
            entries.add(known);
        }
    }

    private static boolean matches(LogEntry entry, String field, Optional<String> wanted) {
        return wanted.isEmpty() || wanted.get().equals(entry.fields().get(field));
    }

    private static LogEntry ofAgent(LogEntry entry) {
        Matcher agent = AGENT.matcher(entry.message());
        if (!"vmconsole".equals(entry.fields().get("source")) || !agent.matches()) {
            return entry;
        }
        Map<String, String> fields = new TreeMap<>(entry.fields());
        fields.put("source", "agent");
        return new LogEntry(entry.time(), Level.of(agent.group(1)).orElse(entry.level()), agent.group(2), fields);
    }

    /** By time; of the same time, in the order of the files. */
    public List<LogEntry> entries() {
        return entries.stream().sorted(Comparator.comparing(LogEntry::time)).toList();
    }

    /** One line for each line that is not of a log's form, the first hundred. */
    public List<String> problems() {
        return List.copyOf(problems);
    }

    /** One line. */
    public String summary() {
        Map<String, Integer> sources = new TreeMap<>();
        entries.forEach(entry -> sources.merge(entry.fields().getOrDefault("source", ""), 1, Integer::sum));
        return lines + " lines read, " + bad + " of them not of a log's form; " + entries.size() + " entries "
                + sources;
    }
}
