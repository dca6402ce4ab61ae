// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import com.google.protobuf.ByteString;
import io.virtcontainers.agent.kata.FieldTable.Field;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A message with a value of its own in each of its fields, and its bytes, made from {@link FieldTable} without
 * protobuf's encoder. Numbers are such that their sign and width show: the largest unsigned and the smallest signed ones.
 *
 * @param values by the name of the field: texts, bytes, booleans, numbers, samples of messages; lists and maps of them
 */
record WireSample(String message, Map<String, Object> values, ByteString bytes) {
    private static final int VARINT = 0;
    private static final int LENGTH = 2;

    static WireSample of(String message) {
        return new Maker(true).message(message);
    }

    /** The same values, but with each number of a repeated field on its own. */
    static WireSample unpacked(String message) {
        return new Maker(false).message(message);
    }

    private static final class Maker {
        private final boolean packed;
        private int count;

        Maker(boolean packed) {
            this.packed = packed;
        }

        WireSample message(String name) {
            Map<String, Object> values = new LinkedHashMap<>();
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            for (Field field : FieldTable.MESSAGES.get(name)) {
                values.put(field.name(), field(field, out));
            }
            return new WireSample(name, values, ByteString.copyFrom(out.toByteArray()));
        }

        private Object field(Field field, ByteArrayOutputStream out) {
            if (field.label().equals("singular")) {
                Object value = value(field);
                write(out, field.number(), value);
                return value;
            }
            if (field.label().equals("map")) {
                String key = "key " + ++count;
                Object value = value(field);
                ByteArrayOutputStream entry = new ByteArrayOutputStream();
                write(entry, 1, key);
                write(entry, 2, value);
                write(out, field.number(), ByteString.copyFrom(entry.toByteArray()));
                return Map.of(key, value);
            }
            List<Object> values = new ArrayList<>(List.of(value(field), value(field)));
            if (field.label().equals("packed") && packed) {
                ByteArrayOutputStream numbers = new ByteArrayOutputStream();
                values.forEach(number -> varint(numbers, bits(number)));
                write(out, field.number(), ByteString.copyFrom(numbers.toByteArray()));
            } else {
                values.forEach(value -> write(out, field.number(), value));
            }
            return values;
        }

        private Object value(Field field) {
            int n = ++count;
            if (field.isMessage()) {
                return message(field.type());
            }
            return switch (field.type()) {
                case "string" -> field.name() + " \u00e9 " + n;
                case "bytes" -> ByteString.copyFrom(new byte[] {0, (byte) n, -1});
                case "bool" -> true;
                case "int32" -> Integer.MIN_VALUE + n;
                case "int64" -> Long.MIN_VALUE + n;
                case "uint32" -> new Unsigned32(-n);
                case "uint64" -> (long) -n;
                default -> 1; // the second value of each enum
            };
        }
    }

    /** Java's int for it: the wire has no sign bits above. */
    record Unsigned32(int value) {}

    private static void write(ByteArrayOutputStream out, int number, Object value) {
        Object plain = value instanceof WireSample sample ? sample.bytes() : value;
        if (plain instanceof String text) {
            plain = ByteString.copyFrom(text, StandardCharsets.UTF_8);
        }
        if (plain instanceof ByteString bytes) {
            varint(out, ((long) number << 3) | LENGTH);
            varint(out, bytes.size());
            out.writeBytes(bytes.toByteArray());
        } else {
            varint(out, ((long) number << 3) | VARINT);
            varint(out, bits(plain));
        }
    }

    private static long bits(Object value) {
        if (value instanceof Unsigned32 unsigned) {
            return Integer.toUnsignedLong(unsigned.value());
        }
        return value instanceof Boolean bool ? (bool ? 1 : 0) : ((Number) value).longValue();
    }

    private static void varint(ByteArrayOutputStream out, long value) {
        long rest = value;
        while ((rest & ~0x7fL) != 0) {
            out.write((int) ((rest & 0x7f) | 0x80));
            rest >>>= 7;
        }
        out.write((int) rest);
    }
}
