// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Message;
import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.agent.kata.protocol.LinuxDeviceCgroup;
import io.virtcontainers.agent.kata.protocol.LinuxSeccomp;
import io.virtcontainers.agent.kata.protocol.LinuxSyscall;
import io.virtcontainers.agent.kata.protocol.Spec;
import java.math.BigInteger;
import java.util.Optional;

/**
 * Reads an OCI runtime-spec configuration (JSON) into the agent's message. The messages were made from the Go structs of
 * the specification, and Go reads JSON without regard to case, so one rule serves them all: a key is the field of that
 * name in any case. What has no field is a matter of {@link LackingFields}. Null is as absent.
 *
 * <p>One thing more is carried than the messages were made for: the error number of a seccomp action, without which the
 * profiles of Docker and podman break programs. It follows the action, {@code SCMP_ACT_ERRNO=38}; an agent that does not
 * know this refuses the action.
 */
final class SpecJson {
    private static final JsonMapper JSON = JsonMapper.builder()
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();
    private static final int UINT32_BITS = 32;
    private static final int UINT64_BITS = 64;
    private static final int SHOWN = 80;
    private static final int ERRNO_BITS = 12; // MAX_ERRNO is 4095
    private static final String ERRNO = "errnoRet";
    private static final String DEFAULT_ERRNO = "defaultErrnoRet";

    private final LackingFields lacking = new LackingFields();

    private SpecJson() {}

    /**
     * @throws InvalidConfigException if it is not JSON or not of the specification's types; the message says where
     * @throws io.virtcontainers.UnsupportedException if the protocol cannot say it
     */
    static Spec parse(String json) {
        Spec.Builder spec = Spec.newBuilder();
        SpecJson reader = new SpecJson();
        try {
            JsonNode root = JSON.readTree(json);
            refuseHooks(root.path("hooks"));
            reader.fill(spec, root, "$");
        } catch (JsonProcessingException e) {
            JsonLocation at = e.getLocation() == null ? JsonLocation.NA : e.getLocation();
            throw new InvalidConfigException("the container's specification is not JSON: line " + at.getLineNr()
                    + ", column " + at.getColumnNr() + ": " + e.getOriginalMessage());
        }
        reader.lacking.log();
        return spec.build();
    }

    /** That a hook is silently not run would be worse than an error. */
    private static void refuseHooks(JsonNode hooks) {
        for (JsonNode kind : hooks) {
            if (!kind.isEmpty()) {
                throw wrong("$.hooks", hooks, "must be empty: hooks are run on the host");
            }
        }
    }

    private void fill(Message.Builder message, JsonNode object, String path) {
        if (!object.isObject()) {
            throw wrong(path, object, "must be an object");
        }
        object.properties().forEach(property -> {
            String at = path + "." + property.getKey();
            Optional<FieldDescriptor> field = field(message, property.getKey());
            if (isErrno(message, property.getKey())) {
                return; // a part of the action
            }
            if (field.isEmpty()) {
                lacking.add(at, property.getValue());
            } else if (!property.getValue().isNull()) {
                put(message, field.get(), property.getValue(), at);
            }
        });
    }

    private static Optional<FieldDescriptor> field(Message.Builder message, String key) {
        String name = key.equals("ociVersion") ? "Version" : key; // the one that Go's struct names differently
        return message.getDescriptorForType().getFields().stream()
                .filter(field -> field.getName().equalsIgnoreCase(name))
                .findFirst();
    }

    private void put(Message.Builder message, FieldDescriptor field, JsonNode value, String path) {
        message.clearField(field); // a repeated key counts once, the last time
        if (field.isMapField()) {
            putMap(message, field, value, path);
        } else if (field.isRepeated()) {
            if (!value.isArray()) {
                throw wrong(path, value, "must be an array");
            }
            for (int i = 0; i < value.size(); i++) {
                message.addRepeatedField(field, read(message, field, value.get(i), path + "[" + i + "]"));
            }
        } else {
            message.setField(field, read(message, field, value, path));
        }
    }

    private void putMap(Message.Builder message, FieldDescriptor field, JsonNode object, String path) {
        if (!object.isObject()) {
            throw wrong(path, object, "must be an object");
        }
        FieldDescriptor key = field.getMessageType().findFieldByName("key");
        FieldDescriptor value = field.getMessageType().findFieldByName("value");
        object.properties().forEach(property -> {
            Message.Builder entry = message.newBuilderForField(field).setField(key, property.getKey());
            Object read = read(entry, value, property.getValue(), path + "." + property.getKey());
            message.addRepeatedField(field, entry.setField(value, read).build());
        });
    }

    private Object read(Message.Builder parent, FieldDescriptor field, JsonNode value, String path) {
        return switch (field.getType()) {
            case STRING -> {
                if (!value.isTextual()) {
                    throw wrong(path, value, "must be a string");
                }
                yield value.textValue();
            }
            case BOOL -> {
                if (!value.isBoolean()) {
                    throw wrong(path, value, "must be true or false");
                }
                yield value.booleanValue();
            }
            case UINT32 -> unsigned(value, UINT32_BITS, path).intValue();
            case UINT64 -> unsigned(value, UINT64_BITS, path).longValue();
            case INT64 -> {
                if (!value.isIntegralNumber() || !value.canConvertToLong()) {
                    throw wrong(path, value, "must be an integer of 64 bits");
                }
                yield value.longValue();
            }
            case MESSAGE -> readMessage(parent.newBuilderForField(field), value, path);
            default -> throw new IllegalStateException("oci.proto has no such type: " + field);
        };
    }

    private Message readMessage(Message.Builder message, JsonNode value, String path) {
        if (message instanceof LinuxDeviceCgroup.Builder rule) {
            rule.setMajor(-1).setMinor(-1); // without a number: any, which 0 would not be
        }
        fill(message, value, path);
        if (message instanceof LinuxSeccomp.Builder filter) {
            filter.setDefaultAction(withErrno(filter.getDefaultAction(), value, path, DEFAULT_ERRNO));
        } else if (message instanceof LinuxSyscall.Builder call) {
            call.setAction(withErrno(call.getAction(), value, path, ERRNO));
        }
        return message.build();
    }

    private static boolean isErrno(Message.Builder message, String key) {
        return (message instanceof LinuxSeccomp.Builder && key.equals(DEFAULT_ERRNO))
                || (message instanceof LinuxSyscall.Builder && key.equals(ERRNO));
    }

    private static String withErrno(String action, JsonNode object, String path, String key) {
        JsonNode errno = object.path(key);
        return errno.isMissingNode() || errno.isNull()
                ? action
                : action + '=' + unsigned(errno, ERRNO_BITS, path + "." + key);
    }

    private static BigInteger unsigned(JsonNode value, int bits, String path) {
        BigInteger number = value.isIntegralNumber() ? value.bigIntegerValue() : BigInteger.ONE.negate();
        if (number.signum() < 0 || number.bitLength() > bits) {
            throw wrong(path, value, "must be an integer of 0 to 2^" + bits + "-1");
        }
        return number;
    }

    private static InvalidConfigException wrong(String path, JsonNode value, String problem) {
        return new InvalidConfigException("the container's specification, " + path, shown(value), problem);
    }

    static String shown(JsonNode value) {
        String text = value.toString();
        return text.length() > SHOWN ? text.substring(0, SHOWN) + "..." : text;
    }
}
