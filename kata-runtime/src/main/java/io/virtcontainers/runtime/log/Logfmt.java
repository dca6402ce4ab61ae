// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime.log;

import java.util.Map;
import java.util.TreeMap;

/** Reads {@code name=value name="value with \"quotes\""}. */
final class Logfmt {
    private final String line;
    private int at;

    private Logfmt(String line) {
        this.line = line;
    }

    static Map<String, String> parse(String line) throws LogFormatException {
        Logfmt parser = new Logfmt(line);
        Map<String, String> fields = new TreeMap<>();
        while (parser.skipBlanks()) {
            String name = parser.name();
            fields.put(name, parser.value());
        }
        return fields;
    }

    private boolean skipBlanks() {
        while (at < line.length() && line.charAt(at) == ' ') {
            at++;
        }
        return at < line.length();
    }

    private String name() throws LogFormatException {
        int from = at;
        while (at < line.length() && line.charAt(at) > ' ' && line.charAt(at) != '=' && line.charAt(at) != '"') {
            at++;
        }
        if (at == from || at == line.length() || line.charAt(at) != '=') {
            throw new LogFormatException("is no list of name=value");
        }
        return line.substring(from, at++);
    }

    private String value() throws LogFormatException {
        if (at < line.length() && line.charAt(at) == '"') {
            return quoted();
        }
        int from = at;
        while (at < line.length() && line.charAt(at) != ' ') {
            at++;
        }
        return line.substring(from, at);
    }

    private String quoted() throws LogFormatException {
        StringBuilder value = new StringBuilder();
        for (at++; at < line.length(); at++) {
            char c = line.charAt(at);
            if (c == '"') {
                at++;
                return value.toString();
            }
            value.append(c == '\\' ? escaped() : c);
        }
        throw new LogFormatException("a quote is not closed");
    }

    private char escaped() throws LogFormatException {
        at++;
        char c = at < line.length() ? line.charAt(at) : 0;
        return switch (c) {
            case 'n' -> '\n';
            case 't' -> '\t';
            case 'r' -> '\r';
            case 'b' -> '\b';
            case 'f' -> '\f';
            case '"', '\\', '/' -> c;
            case 'u' -> unicode();
            default -> throw new LogFormatException("an escape that is unknown");
        };
    }

    private char unicode() throws LogFormatException {
        if (at + 4 < line.length()) {
            try {
                int code = Integer.parseInt(line, at + 1, at + 5, 16);
                at += 4;
                return (char) code;
            } catch (NumberFormatException e) {
                throw new LogFormatException("an escape that is no number");
            }
        }
        throw new LogFormatException("an escape that is cut off");
    }
}
