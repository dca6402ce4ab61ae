// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The messages of the protocol as its documentation has them: {@code agent-fields.tsv}. */
final class FieldTable {
    static final Map<String, List<Field>> MESSAGES = read();

    private FieldTable() {}

    /**
     * @param type a scalar of protobuf, {@code enum} with the name of one, or the full name of a message
     * @param label {@code singular}, {@code repeated}, {@code packed}, or {@code map} with text as the key
     */
    record Field(int number, String name, String type, String label) {
        boolean isMessage() {
            return MESSAGES.containsKey(type);
        }
    }

    static String resource(String name) {
        try (InputStream in = FieldTable.class.getResourceAsStream("/" + name)) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Map<String, List<Field>> read() {
        Map<String, List<Field>> messages = new LinkedHashMap<>();
        List<Field> fields = List.of();
        for (String line : resource("agent-fields.tsv").lines().toList()) {
            String[] cells = line.split("\t", -1);
            if (line.startsWith("#")) {
                continue;
            }
            if (cells.length == 1) {
                fields = new ArrayList<>();
                messages.put(line, fields);
            } else {
                fields.add(new Field(Integer.parseInt(cells[1]), cells[2], cells[3], cells[4]));
            }
        }
        return messages;
    }
}
