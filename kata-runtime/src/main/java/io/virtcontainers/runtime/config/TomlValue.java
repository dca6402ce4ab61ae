// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime.config;

import java.util.List;
import java.util.stream.Collectors;

/** A value of a TOML file. {@code toString} gives TOML again. */
sealed interface TomlValue {
    /** What it is, for an error: {@code a string}. */
    String kind();

    record Text(String value) implements TomlValue {
        @Override
        public String kind() {
            return "a string";
        }

        @Override
        public String toString() {
            return quoted(value);
        }
    }

    record Whole(long value) implements TomlValue {
        @Override
        public String kind() {
            return "a whole number";
        }

        @Override
        public String toString() {
            return Long.toString(value);
        }
    }

    record Fraction(double value) implements TomlValue {
        @Override
        public String kind() {
            return "a number with a fraction";
        }

        @Override
        public String toString() {
            return Double.toString(value);
        }
    }

    record Truth(boolean value) implements TomlValue {
        @Override
        public String kind() {
            return "true or false";
        }

        @Override
        public String toString() {
            return Boolean.toString(value);
        }
    }

    record Array(List<TomlValue> values) implements TomlValue {
        public Array {
            values = List.copyOf(values);
        }

        @Override
        public String kind() {
            return "a list";
        }

        @Override
        public String toString() {
            return values.stream().map(TomlValue::toString).collect(Collectors.joining(", ", "[", "]"));
        }
    }

    /** A basic string of TOML. */
    static String quoted(String text) {
        StringBuilder quoted = new StringBuilder("\"");
        text.codePoints().forEach(c -> {
            if (c == '"' || c == '\\') {
                quoted.append('\\').appendCodePoint(c);
            } else if (c < ' ' || c == 0x7f) {
                quoted.append(String.format("\\u%04X", c));
            } else {
                quoted.appendCodePoint(c);
            }
        });
        return quoted.append('"').toString();
    }
}
