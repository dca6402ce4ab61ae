// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.EnumDescriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Descriptors.FileDescriptor;
import io.virtcontainers.agent.kata.FieldTable.Field;
import io.virtcontainers.agent.kata.protocol.AgentProto;
import io.virtcontainers.agent.kata.protocol.HealthProto;
import io.virtcontainers.agent.kata.protocol.OciProto;
import io.virtcontainers.agent.kata.protocol.types.TypesProto;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** The .proto files say what the documentation of the protocol says, no less and no more. */
class ProtocolTest {
    private static final List<FileDescriptor> FILES = List.of(
            AgentProto.getDescriptor(),
            HealthProto.getDescriptor(),
            OciProto.getDescriptor(),
            TypesProto.getDescriptor());

    @Test
    void everyMethodAndEnumIsThatOfKata() {
        List<String> actual = new ArrayList<>();
        for (FileDescriptor file : FILES) {
            file.getServices()
                    .forEach(service -> service.getMethods()
                            .forEach(method -> actual.add("rpc /" + service.getFullName() + "/" + method.getName() + " "
                                    + method.getInputType().getFullName() + " "
                                    + method.getOutputType().getFullName())));
            file.getMessageTypes()
                    .forEach(message -> message.getEnumTypes().forEach(nested -> actual.add(describe(nested))));
            file.getEnumTypes().forEach(type -> actual.add(describe(type)));
        }
        List<String> golden =
                FieldTable.resource("agent-protocol.golden").lines().toList();
        assertThat(actual).containsExactlyInAnyOrderElementsOf(golden);
        assertThat(golden).filteredOn(line -> line.startsWith("rpc ")).hasSize(34);
    }

    @Test
    void everyMessageHasTheFieldsOfTheTable() {
        Map<String, List<Field>> actual = FILES.stream()
                .flatMap(file -> file.getMessageTypes().stream())
                .collect(Collectors.toMap(
                        Descriptor::getFullName,
                        message -> message.getFields().stream()
                                .map(ProtocolTest::describe)
                                .toList()));
        assertThat(actual).containsExactlyInAnyOrderEntriesOf(FieldTable.MESSAGES);
        assertThat(actual).hasSize(95);
        assertThat(actual.values().stream().mapToInt(List::size).sum()).isEqualTo(310);
    }

    private static String describe(EnumDescriptor type) {
        return "enum " + type.getFullName() + ": "
                + type.getValues().stream()
                        .map(value -> value.getName() + "=" + value.getNumber())
                        .collect(Collectors.joining(" "));
    }

    private static Field describe(FieldDescriptor field) {
        if (field.isMapField()) {
            Descriptor entry = field.getMessageType();
            return new Field(field.getNumber(), field.getName(), type(entry.findFieldByNumber(2)), "map");
        }
        String label = field.isPacked() ? "packed" : field.isRepeated() ? "repeated" : "singular";
        return new Field(field.getNumber(), field.getName(), type(field), label);
    }

    private static String type(FieldDescriptor field) {
        return switch (field.getJavaType()) {
            case MESSAGE -> field.getMessageType().getFullName();
            case ENUM -> "enum " + field.getEnumType().getFullName();
            default -> field.getType().name().toLowerCase(Locale.ROOT);
        };
    }
}
