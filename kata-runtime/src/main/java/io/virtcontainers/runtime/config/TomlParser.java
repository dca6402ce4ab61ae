// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime.config;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Reads TOML 1.0, which is all that a configuration file needs of it: no dates, and no arrays of tables, as no option is
 * one.
 *
 * <p>Not a library, as those that tell the line of a key ({@code tomlj}) or do not ({@code jackson-dataformat-toml}) take 70
 * to 100 ms more at the start of a program, and {@code state} has 150 ms in all. This one loads ten classes.
 */
final class TomlParser {
    private static final int MAX_DEPTH = 32;

    private final TomlScanner in;
    private final Map<List<String>, TomlEntry> entries = new LinkedHashMap<>();

    /** Tables with a header of their own, by line: a second header is an error. */
    private final Map<List<String>, Integer> headers = new HashMap<>();

    /** Tables that a dotted key made: they can have no header. */
    private final Set<List<String>> dotted = new HashSet<>();

    /** Nothing can be added to them. */
    private final Set<List<String>> inline = new HashSet<>();

    private final Set<List<String>> tables = new HashSet<>();
    private List<String> table = List.of();

    private TomlParser(String text) {
        this.in = new TomlScanner(text);
    }

    /**
     * @return the keys in the order of the file, those of inline tables like all others
     * @throws TomlException if it is not TOML, or has a key twice
     */
    static List<TomlEntry> parse(String text) throws TomlException {
        TomlParser parser = new TomlParser(text);
        parser.document();
        return List.copyOf(parser.entries.values());
    }

    private void document() throws TomlException {
        while (true) {
            in.skipBlankLines();
            if (in.atEnd()) {
                return;
            }
            if (in.peek() == '[') {
                header();
            } else {
                keyAndValue(table);
            }
            in.endOfLine();
        }
    }

    private void header() throws TomlException {
        int line = in.line();
        in.expect('[', "[");
        if (in.peek() == '[') {
            throw in.error("[[...]], an array of tables, is not used in this file");
        }
        in.skipBlanks();
        List<String> path = path();
        in.expect(']', "the ] of a table's name");
        Integer before = headers.put(path, line);
        if (before != null) {
            throw new TomlException(line, "the table [" + String.join(".", path) + "] is already in line " + before);
        }
        if (dotted.contains(path) || inline.contains(path) || entries.containsKey(path)) {
            throw new TomlException(line, "[" + String.join(".", path) + "] is already a key");
        }
        requireNoValueAbove(path, 0, line);
        enter(path);
        table = path;
    }

    private void keyAndValue(List<String> base) throws TomlException {
        int line = in.line();
        List<String> path = new ArrayList<>(base);
        List<String> own = path();
        path.addAll(own);
        in.expect('=', "= after the key " + String.join(".", own));
        in.skipBlanks();
        requireFree(List.copyOf(path), base.size(), line);
        value(List.copyOf(path), line);
    }

    private void requireFree(List<String> path, int base, int line) throws TomlException {
        TomlEntry before = entries.get(path);
        if (before != null) {
            throw new TomlException(line, "the key " + before.dotted() + " is already in line " + before.line());
        }
        if (tables.contains(path)) {
            throw new TomlException(line, "the key " + String.join(".", path) + " is already a table");
        }
        requireNoValueAbove(path, base, line);
        for (int length = base + 1; length < path.size(); length++) {
            List<String> above = List.copyOf(path.subList(0, length));
            if (headers.containsKey(above)) {
                throw new TomlException(
                        line, "the table [" + String.join(".", above) + "] is in line " + headers.get(above));
            }
            dotted.add(above);
        }
        enter(path.subList(0, path.size() - 1));
    }

    private void requireNoValueAbove(List<String> path, int base, int line) throws TomlException {
        for (int length = base + 1; length < path.size(); length++) {
            List<String> name = List.copyOf(path.subList(0, length));
            if (inline.contains(name)) {
                throw new TomlException(line, "the table " + String.join(".", name) + " ended with its }");
            }
            TomlEntry above = entries.get(name);
            if (above != null) {
                throw new TomlException(
                        line, "the key " + above.dotted() + " in line " + above.line() + " is no table but a value");
            }
        }
    }

    private void enter(List<String> path) {
        for (int length = 1; length <= path.size(); length++) {
            tables.add(List.copyOf(path.subList(0, length)));
        }
    }

    /** A key, and the blanks behind it. */
    private List<String> path() throws TomlException {
        List<String> names = new ArrayList<>();
        do {
            in.skipBlanks();
            names.add(in.key());
            in.skipBlanks();
        } while (in.take('.'));
        if (names.size() > MAX_DEPTH) {
            throw in.error("a key of more than " + MAX_DEPTH + " names");
        }
        return List.copyOf(names);
    }

    private void value(List<String> path, int line) throws TomlException {
        if (in.peek() == '{') {
            inlineTable(path);
        } else {
            entries.put(path, new TomlEntry(path, simple(0), line));
        }
    }

    private void inlineTable(List<String> path) throws TomlException {
        if (path.size() > MAX_DEPTH) {
            throw in.error("tables in tables, more than " + MAX_DEPTH);
        }
        in.expect('{', "{");
        tables.add(path);
        inline.add(path);
        in.skipBlanks();
        if (in.take('}')) {
            return;
        }
        do {
            in.skipBlanks();
            keyAndValue(path);
            in.skipBlanks();
        } while (in.take(','));
        in.expect('}', "the } of an inline table, or a comma");
    }

    private TomlValue simple(int depth) throws TomlException {
        return switch (in.peek()) {
            case '"', '\'' -> new TomlValue.Text(in.string());
            case '[' -> array(depth);
            case '{' -> throw in.error("a table in a list is not used in this file");
            default -> in.word();
        };
    }

    private TomlValue array(int depth) throws TomlException {
        if (depth == MAX_DEPTH) {
            throw in.error("lists in lists, more than " + MAX_DEPTH);
        }
        in.expect('[', "[");
        List<TomlValue> values = new ArrayList<>();
        while (true) {
            in.skipBlankLines();
            if (in.take(']')) {
                return new TomlValue.Array(values);
            }
            values.add(simple(depth + 1));
            in.skipBlankLines();
            if (!in.take(',')) {
                in.expect(']', "the ] of a list, or a comma");
                return new TomlValue.Array(values);
            }
        }
    }
}
