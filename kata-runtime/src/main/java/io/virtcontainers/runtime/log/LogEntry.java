// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime.log;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.io.JsonStringEncoder;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.Map;
import java.util.TreeMap;

/**
 * A line of a log.
 *
 * @param time when
 * @param message what
 * @param fields with Kata's names: {@code name}, {@code source}, {@code pid}, {@code command}, {@code container}, {@code
 *     sandbox} and others
 */
public record LogEntry(Instant time, Level level, String message, Map<String, String> fields) {
    private static final JsonFactory JSON = new JsonFactory();
    private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm:ss.nnnnnnnnnXXX");

    public LogEntry {
        fields = Map.copyOf(fields);
    }

    private String timeText() {
        return TIME.format(time.atZone(ZoneId.systemDefault()));
    }

    /** As logrus writes it as text: {@code time="..." level=info msg="..." name=...}. */
    public String text() {
        StringBuilder text = new StringBuilder("time=\"")
                .append(timeText())
                .append("\" level=")
                .append(level.word())
                .append(" msg=")
                .append(quoted(message));
        new TreeMap<>(fields)
                .forEach((name, value) ->
                        text.append(' ').append(name).append('=').append(isPlain(value) ? value : quoted(value)));
        return text.toString();
    }

    private static boolean isPlain(String value) {
        return !value.isEmpty()
                && value.chars()
                        .allMatch(c -> (c >= 'a' && c <= 'z')
                                || (c >= 'A' && c <= 'Z')
                                || (c >= '0' && c <= '9')
                                || "-._/@^+:,".indexOf(c) >= 0);
    }

    private static String quoted(String value) {
        StringBuilder quoted = new StringBuilder("\"");
        JsonStringEncoder.getInstance().quoteAsString(value, quoted);
        return quoted.append('"').toString();
    }

    /** As one object: {@code {"level":"info","msg":"...","time":"...","name":...}}. */
    public String json() {
        StringWriter text = new StringWriter();
        try (JsonGenerator json = JSON.createGenerator(text)) {
            json.writeStartObject();
            json.writeStringField("level", level.word());
            json.writeStringField("msg", message);
            json.writeStringField("time", timeText());
            for (Map.Entry<String, String> field : new TreeMap<>(fields).entrySet()) {
                json.writeStringField(field.getKey(), field.getValue());
            }
            json.writeEndObject();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return text.toString();
    }

    /**
     * Reads a line in one of both forms.
     *
     * @throws LogFormatException if it is neither, or lacks time, level or message
     */
    public static LogEntry parse(String line) throws LogFormatException {
        Map<String, String> fields = line.startsWith("{") ? parseJson(line) : Logfmt.parse(line);
        String time = take(fields, "time");
        String level = take(fields, "level");
        String message = take(fields, "msg");
        try {
            return new LogEntry(
                    OffsetDateTime.parse(time).toInstant(),
                    Level.of(level).orElseThrow(() -> new LogFormatException("unknown level " + level)),
                    message,
                    fields);
        } catch (DateTimeException e) {
            throw new LogFormatException("no time of the form RFC 3339: " + time);
        }
    }

    private static String take(Map<String, String> fields, String name) throws LogFormatException {
        String value = fields.remove(name);
        if (value == null) {
            throw new LogFormatException("there is no field " + name);
        }
        return value;
    }

    private static Map<String, String> parseJson(String line) throws LogFormatException {
        Map<String, String> fields = new TreeMap<>();
        try (JsonParser json = JSON.createParser(line)) {
            if (json.nextToken() != JsonToken.START_OBJECT) {
                throw new LogFormatException("is no JSON object");
            }
            while (json.nextToken() == JsonToken.FIELD_NAME) {
                String name = json.currentName();
                JsonToken value = json.nextToken();
                if (value.isStructStart()) {
                    json.skipChildren();
                } else {
                    fields.put(name, json.getText());
                }
            }
            if (json.currentToken() != JsonToken.END_OBJECT || json.nextToken() != null) {
                throw new LogFormatException("is not one JSON object");
            }
        } catch (IOException e) {
            throw new LogFormatException("is no JSON: " + e.getClass().getSimpleName());
        }
        return fields;
    }
}
