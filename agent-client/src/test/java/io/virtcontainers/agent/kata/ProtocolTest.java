// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.EnumDescriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Descriptors.FileDescriptor;
import com.google.protobuf.MessageLite;
import io.virtcontainers.agent.kata.protocol.AgentProto;
import io.virtcontainers.agent.kata.protocol.CreateSandboxRequest;
import io.virtcontainers.agent.kata.protocol.HealthProto;
import io.virtcontainers.agent.kata.protocol.LinuxMemory;
import io.virtcontainers.agent.kata.protocol.OciProto;
import io.virtcontainers.agent.kata.protocol.ReadStreamRequest;
import io.virtcontainers.agent.kata.protocol.ReseedRandomDevRequest;
import io.virtcontainers.agent.kata.protocol.SignalProcessRequest;
import io.virtcontainers.agent.kata.protocol.Storage;
import io.virtcontainers.agent.kata.protocol.WaitProcessResponse;
import io.virtcontainers.agent.kata.protocol.types.TypesProto;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** Pins the wire contract: the golden file was written from the documentation of the protocol, not from the .proto files. */
class ProtocolTest {
    @Test
    void everyMethodMessageFieldAndNumberIsThatOfKata() throws Exception {
        List<String> actual = new ArrayList<>();
        for (FileDescriptor file : List.of(
                AgentProto.getDescriptor(),
                HealthProto.getDescriptor(),
                OciProto.getDescriptor(),
                TypesProto.getDescriptor())) {
            file.getServices()
                    .forEach(service -> service.getMethods()
                            .forEach(method -> actual.add("rpc /" + service.getFullName() + "/" + method.getName() + " "
                                    + method.getInputType().getFullName() + " "
                                    + method.getOutputType().getFullName())));
            file.getMessageTypes().forEach(message -> {
                actual.add(describe(message));
                message.getEnumTypes().forEach(nested -> actual.add(describe(nested)));
            });
            file.getEnumTypes().forEach(type -> actual.add(describe(type)));
        }
        List<String> golden;
        try (InputStream in = ProtocolTest.class.getResourceAsStream("/agent-protocol.golden")) {
            golden = new String(in.readAllBytes(), StandardCharsets.UTF_8)
                    .lines()
                    .toList();
        }
        assertThat(actual).containsExactlyInAnyOrderElementsOf(golden);
        assertThat(golden).filteredOn(line -> line.startsWith("rpc ")).hasSize(34);
        assertThat(golden).filteredOn(line -> line.startsWith("message ")).hasSize(95);
    }

    private static String describe(Descriptor message) {
        String fields = message.getFields().stream()
                .map(field -> field.getNumber() + " " + field.getName() + " " + type(field))
                .collect(Collectors.joining("; "));
        return ("message " + message.getFullName() + ": " + fields).strip();
    }

    private static String describe(EnumDescriptor type) {
        return "enum " + type.getFullName() + ": "
                + type.getValues().stream()
                        .map(value -> value.getName() + "=" + value.getNumber())
                        .collect(Collectors.joining(" "));
    }

    private static String type(FieldDescriptor field) {
        if (field.isMapField()) {
            Descriptor entry = field.getMessageType();
            return "map<" + plain(entry.findFieldByNumber(1)) + ", " + plain(entry.findFieldByNumber(2)) + ">";
        }
        return (field.isRepeated() ? "repeated " : "") + plain(field);
    }

    private static String plain(FieldDescriptor field) {
        return switch (field.getJavaType()) {
            case MESSAGE -> field.getMessageType().getName();
            case ENUM -> field.getEnumType().getName();
            default -> field.getType().name().toLowerCase(java.util.Locale.ROOT);
        };
    }

    @Test
    void goldenBytes() {
        assertBytes(
                SignalProcessRequest.newBuilder()
                        .setContainerId("c1")
                        .setExecId("e1")
                        .setSignal(15)
                        .build(),
                "0a026331" + "12026531" + "180f");
        assertBytes(
                ReadStreamRequest.newBuilder()
                        .setContainerId("c1")
                        .setExecId("c1")
                        .setLen(1 << 20)
                        .build(),
                "0a026331" + "12026331" + "18808040");
        assertBytes(
                CreateSandboxRequest.newBuilder()
                        .setHostname("h")
                        .setSandboxId("s")
                        .build(),
                "0a0168" + "2a0173");
        assertBytes(
                Storage.newBuilder()
                        .setDriver("blk")
                        .setSource("02/01")
                        .setFstype("erofs")
                        .addOptions("ro")
                        .setMountPoint("/m")
                        .build(),
                "0a03626c6b" + "1a0530322f3031" + "220565726f6673" + "2a02726f" + "32022f6d");
        assertBytes(WaitProcessResponse.newBuilder().setStatus(-1).build(), "08ffffffffffffffffff01");
        assertBytes(WaitProcessResponse.getDefaultInstance(), "");
        assertBytes(
                ReseedRandomDevRequest.newBuilder()
                        .setData(ByteString.copyFrom(new byte[] {7}))
                        .build(),
                "120107");
        assertBytes(LinuxMemory.newBuilder().setDisableOOMKiller(true).build(), "3801");
    }

    @Test
    void toleratesUnknownFields() throws Exception {
        byte[] withField15 = HexFormat.of().parseHex("0805" + "7a0178");
        assertThat(WaitProcessResponse.parseFrom(withField15).getStatus()).isEqualTo(5);
    }

    private static void assertBytes(MessageLite message, String hex) {
        assertThat(HexFormat.of().formatHex(message.toByteArray())).isEqualTo(hex);
    }
}
