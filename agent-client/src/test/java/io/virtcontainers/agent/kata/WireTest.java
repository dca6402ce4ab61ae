// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Internal.EnumLite;
import com.google.protobuf.Message;
import io.virtcontainers.agent.kata.FieldTable.Field;
import io.virtcontainers.agent.kata.WireSample.Unsigned32;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every message of the protocol: bytes that the field table gives are read by the generated class, and written by it. */
class WireTest {
    private static final String PACKAGE = "io.virtcontainers.agent.kata.protocol.";

    static Stream<String> messages() {
        return FieldTable.MESSAGES.keySet().stream();
    }

    @ParameterizedTest
    @MethodSource("messages")
    void everyFieldIsReadFromItsNumberAndWrittenThere(String name) throws Exception {
        WireSample sample = WireSample.of(name);
        Message parsed = parse(name, sample.bytes().toByteArray());
        assertHas(parsed, sample);
        assertThat(parsed.toByteString()).isEqualTo(sample.bytes());
        assertThat(parsed.getUnknownFields().asMap()).isEmpty();
    }

    @ParameterizedTest
    @MethodSource("messages")
    void numbersMayComeOneByOne(String name) throws Exception {
        WireSample sample = WireSample.unpacked(name);
        assertHas(parse(name, sample.bytes().toByteArray()), sample);
    }

    @ParameterizedTest
    @MethodSource("messages")
    void whatIsAbsentTakesNoBytesAndWhatIsUnknownIsTolerated(String name) throws Exception {
        Message empty = parse(name, new byte[0]);
        assertThat(empty.toByteArray()).isEmpty();
        Message unknown = parse(name, new byte[] {(byte) 0xfa, 0x7f, 1, 'x'}); // field 2047
        for (Field field : FieldTable.MESSAGES.get(name)) {
            assertThat(get(unknown, field)).as(field.name()).isEqualTo(get(empty, field));
        }
    }

    private static Message parse(String name, byte[] bytes) throws ReflectiveOperationException {
        String type = name.startsWith("grpc.") ? name.substring("grpc.".length()) : name;
        return (Message) Class.forName(PACKAGE + type)
                .getMethod("parseFrom", byte[].class)
                .invoke(null, (Object) bytes);
    }

    private static void assertHas(Message message, WireSample sample) throws ReflectiveOperationException {
        for (Field field : FieldTable.MESSAGES.get(sample.message())) {
            assertSame(
                    sample.message() + "." + field.name(),
                    get(message, field),
                    sample.values().get(field.name()));
        }
    }

    private static void assertSame(String what, Object actual, Object expected) throws ReflectiveOperationException {
        if (expected instanceof WireSample sample) {
            assertHas((Message) actual, sample);
        } else if (expected instanceof List<?> list) {
            List<?> all = (List<?>) actual;
            assertThat(all).as(what).hasSameSizeAs(list);
            for (int i = 0; i < list.size(); i++) {
                assertSame(what + "[" + i + "]", all.get(i), list.get(i));
            }
        } else if (expected instanceof Map<?, ?> map) {
            Map<?, ?> all = (Map<?, ?>) actual;
            assertThat(all.keySet()).as(what).isEqualTo(map.keySet());
            for (Object key : map.keySet()) {
                assertSame(what + "[" + key + "]", all.get(key), map.get(key));
            }
        } else if (expected instanceof Unsigned32 unsigned) {
            assertThat(actual).as(what).isEqualTo(unsigned.value());
        } else {
            assertThat(actual instanceof EnumLite value ? value.getNumber() : actual)
                    .as(what)
                    .isEqualTo(expected);
        }
    }

    /** By the accessor that the client's code would use. */
    private static Object get(Message message, Field field) throws ReflectiveOperationException {
        String name = Arrays.stream(field.name().split("_"))
                .map(word -> word.substring(0, 1).toUpperCase(java.util.Locale.ROOT) + word.substring(1))
                .collect(Collectors.joining());
        String suffix = switch (field.label()) {
            case "singular" -> "";
            case "map" -> "Map";
            default -> "List";
        };
        return message.getClass().getMethod("get" + name + suffix).invoke(message);
    }
}
