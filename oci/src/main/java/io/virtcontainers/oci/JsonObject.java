// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.oci;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.virtcontainers.InvalidConfigException;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.BiFunction;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Reads the fields of one JSON object; what is wrong is an {@link InvalidConfigException} that begins with the field's path:
 * {@code linux.resources.memory.limit: "1g" must be a whole number}. A null is an absent field, as engines that are
 * written in Go put one where they have nothing to say; so is an empty string where the text is optional.
 */
final class JsonObject {
    static final long UINT16 = 0xffff;
    static final long UINT32 = 0xffff_ffffL;

    private static final BigInteger UINT64 = BigInteger.ONE.shiftLeft(Long.SIZE).subtract(BigInteger.ONE);
    private static final int MAX_SHOWN = 64;

    private final ObjectNode node;
    private final String path;

    /** @param path where it stands in the document; empty for the document itself */
    JsonObject(ObjectNode node, String path) {
        this.node = node;
        this.path = path;
    }

    /** The text of a field, if it has one. */
    Optional<String> text(String name) {
        return find(name, JsonObject::text).filter(text -> !text.isEmpty());
    }

    String requiredText(String name) {
        String text = required(name, JsonObject::text);
        if (text.isEmpty()) {
            throw error(name, "must not be empty");
        }
        return text;
    }

    /** One of these words, which is required. */
    String word(String name, String... words) {
        String word = requiredText(name);
        if (!Arrays.asList(words).contains(word)) {
            throw error(name, shown(word) + " must be one of " + String.join(", ", words));
        }
        return word;
    }

    /** A boolean; false if it is absent. */
    boolean flag(String name) {
        return find(name, JsonObject::flag).orElse(false);
    }

    boolean requiredFlag(String name) {
        return required(name, JsonObject::flag);
    }

    /** A whole number in the given bounds. */
    OptionalLong number(String name, long least, long most) {
        Optional<Long> number = find(name, (at, value) -> number(at, value, least, most));
        return number.isPresent() ? OptionalLong.of(number.get()) : OptionalLong.empty();
    }

    OptionalLong number(String name) {
        return number(name, Long.MIN_VALUE, Long.MAX_VALUE);
    }

    long requiredNumber(String name, long least, long most) {
        return required(name, (at, value) -> number(at, value, least, most));
    }

    long requiredNumber(String name) {
        return requiredNumber(name, Long.MIN_VALUE, Long.MAX_VALUE);
    }

    /** A whole number of 64 bits without a sign: a long whose sign bit is a part of the value. */
    OptionalLong unsigned(String name) {
        Optional<Long> number = find(name, JsonObject::unsigned);
        return number.isPresent() ? OptionalLong.of(number.get()) : OptionalLong.empty();
    }

    /** As {@link #unsigned}, and required. */
    long requiredUnsigned(String name) {
        return required(name, JsonObject::unsigned);
    }

    /** A list of texts, which may be empty; no entries if the field is absent. */
    List<String> texts(String name) {
        return list(name, JsonObject::text);
    }

    List<Long> numbers(String name, long least, long most) {
        return list(name, (at, value) -> number(at, value, least, most));
    }

    Map<String, String> textMap(String name) {
        return map(name, JsonObject::text);
    }

    <T> Optional<T> object(String name, Function<JsonObject, T> reader) {
        return find(name, (at, value) -> reader.apply(object(at, value)));
    }

    /** As {@link #object}; an absent object is read as an empty one. */
    <T> T objectOrEmpty(String name, Function<JsonObject, T> reader) {
        return object(name, reader)
                .orElseGet(() -> reader.apply(new JsonObject(JsonNodeFactory.instance.objectNode(), at(name))));
    }

    <T> List<T> objects(String name, Function<JsonObject, T> reader) {
        return list(name, (at, value) -> reader.apply(object(at, value)));
    }

    <T> Map<String, T> objectMap(String name, Function<JsonObject, T> reader) {
        return map(name, (at, value) -> reader.apply(object(at, value)));
    }

    boolean isList(String name) {
        return node.path(name).isArray();
    }

    /** The error to throw for this field, or one of its entries: {@code args[0]}. */
    InvalidConfigException error(String name, String problem) {
        return new InvalidConfigException(at(name) + ": " + problem);
    }

    /** A value for an error message: quoted and not too long. */
    static String shown(String text) {
        return abbreviated(JsonNodeFactory.instance.textNode(text).toString());
    }

    private <T> Optional<T> find(String name, BiFunction<String, JsonNode, T> reader) {
        @Nullable JsonNode value = node.get(name);
        return value == null || value.isNull() ? Optional.empty() : Optional.of(reader.apply(at(name), value));
    }

    private <T> T required(String name, BiFunction<String, JsonNode, T> reader) {
        return find(name, reader).orElseThrow(() -> error(name, "missing"));
    }

    private <T> List<T> list(String name, BiFunction<String, JsonNode, T> reader) {
        return find(name, (at, value) -> {
                    if (!value.isArray()) {
                        throw wrong(at, value, "a list");
                    }
                    List<T> entries = new ArrayList<>(value.size());
                    for (int i = 0; i < value.size(); i++) {
                        entries.add(reader.apply(at + '[' + i + ']', value.get(i)));
                    }
                    return Collections.unmodifiableList(entries);
                })
                .orElseGet(List::of);
    }

    /** Keeps the order of the document. */
    private <T> Map<String, T> map(String name, BiFunction<String, JsonNode, T> reader) {
        return find(name, (at, value) -> {
                    Map<String, T> entries = new LinkedHashMap<>();
                    object(at, value).node.properties().forEach(entry -> {
                        String where = at + '[' + shown(entry.getKey()) + ']';
                        if (entry.getKey().isEmpty()) {
                            throw new InvalidConfigException(where + ": a key must not be empty");
                        }
                        entries.put(plain(where, entry.getKey()), reader.apply(where, entry.getValue()));
                    });
                    return Collections.unmodifiableMap(entries);
                })
                .orElseGet(Map::of);
    }

    private String at(String name) {
        return path.isEmpty() ? name : path + '.' + name;
    }

    private static String text(String at, JsonNode value) {
        if (!value.isTextual()) {
            throw wrong(at, value, "a string");
        }
        return plain(at, value.textValue());
    }

    /** All texts of a specification become C strings in the end, and most of them names of files. */
    private static String plain(String at, String text) {
        if (text.indexOf('\0') >= 0 || !StandardCharsets.UTF_8.newEncoder().canEncode(text)) {
            throw new InvalidConfigException(at + ": " + shown(text) + " must be Unicode text without NUL");
        }
        return text;
    }

    private static boolean flag(String at, JsonNode value) {
        if (!value.isBoolean()) {
            throw wrong(at, value, "true or false");
        }
        return value.booleanValue();
    }

    private static long number(String at, JsonNode value, long least, long most) {
        BigInteger number = integer(at, value);
        if (number.compareTo(BigInteger.valueOf(least)) < 0 || number.compareTo(BigInteger.valueOf(most)) > 0) {
            throw wrong(at, value, least + " to " + most);
        }
        return number.longValue();
    }

    private static long unsigned(String at, JsonNode value) {
        BigInteger number = integer(at, value);
        if (number.signum() < 0 || number.compareTo(UINT64) > 0) {
            throw wrong(at, value, "0 to " + UINT64);
        }
        return number.longValue();
    }

    private static BigInteger integer(String at, JsonNode value) {
        if (!value.isIntegralNumber()) {
            throw wrong(at, value, "a whole number");
        }
        return value.bigIntegerValue();
    }

    private static JsonObject object(String at, JsonNode value) {
        if (!(value instanceof ObjectNode object)) {
            throw wrong(at, value, "an object");
        }
        return new JsonObject(object, at);
    }

    private static InvalidConfigException wrong(String at, JsonNode value, String wanted) {
        return new InvalidConfigException(at + ": " + abbreviated(value.toString()) + " must be " + wanted);
    }

    private static String abbreviated(String json) {
        return json.length() > MAX_SHOWN ? json.substring(0, MAX_SHOWN) + "..." : json;
    }
}
