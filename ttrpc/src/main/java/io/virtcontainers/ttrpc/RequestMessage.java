// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.ttrpc;

import com.google.protobuf.ByteString;
import com.google.protobuf.CodedInputStream;
import com.google.protobuf.CodedOutputStream;
import com.google.protobuf.InvalidProtocolBufferException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The message {@code ttrpc.Request} of request.proto.
 *
 * @param timeoutNanos how long the client waits; 0 if it does not say
 */
record RequestMessage(TtrpcRequest request, long timeoutNanos) {
    static final int MOST_METADATA = 1024;

    private static final int SERVICE = 1;
    private static final int METHOD = 2;
    private static final int PAYLOAD = 3;
    private static final int TIMEOUT_NANO = 4;
    private static final int METADATA = 5;
    private static final int KEY = 1;
    private static final int VALUE = 2;

    private static final int SERVICE_TAG = SERVICE << 3 | 2;
    private static final int METHOD_TAG = METHOD << 3 | 2;
    private static final int PAYLOAD_TAG = PAYLOAD << 3 | 2;
    private static final int TIMEOUT_NANO_TAG = TIMEOUT_NANO << 3;
    private static final int METADATA_TAG = METADATA << 3 | 2;
    private static final int KEY_TAG = KEY << 3 | 2;
    private static final int VALUE_TAG = VALUE << 3 | 2;

    /** @throws InvalidProtocolBufferException if it is not this message, or has more than 1024 metadata */
    static RequestMessage parse(ByteString data) throws InvalidProtocolBufferException {
        Parsed parsed = new Parsed();
        ProtoFields.read(data, parsed::field);
        TtrpcRequest request = new TtrpcRequest(parsed.service, parsed.method, parsed.payload, parsed.metadata);
        return new RequestMessage(request, parsed.timeoutNanos);
    }

    ByteString encode() {
        int size = sizeOf(SERVICE, request.service())
                + sizeOf(METHOD, request.method())
                + (request.payload().isEmpty() ? 0 : CodedOutputStream.computeBytesSize(PAYLOAD, request.payload()))
                + (timeoutNanos == 0 ? 0 : CodedOutputStream.computeInt64Size(TIMEOUT_NANO, timeoutNanos));
        List<ByteString> metadata = encodeMetadata();
        for (ByteString entry : metadata) {
            size += CodedOutputStream.computeBytesSize(METADATA, entry);
        }
        return ProtoFields.write(size, out -> {
            write(out, SERVICE, request.service());
            write(out, METHOD, request.method());
            if (!request.payload().isEmpty()) {
                out.writeBytes(PAYLOAD, request.payload());
            }
            if (timeoutNanos != 0) {
                out.writeInt64(TIMEOUT_NANO, timeoutNanos);
            }
            for (ByteString entry : metadata) {
                out.writeBytes(METADATA, entry);
            }
        });
    }

    private List<ByteString> encodeMetadata() {
        List<ByteString> entries = new ArrayList<>();
        request.metadata().forEach((key, values) -> {
            for (String value : values) {
                entries.add(ProtoFields.write(sizeOf(KEY, key) + sizeOf(VALUE, value), out -> {
                    write(out, KEY, key);
                    write(out, VALUE, value);
                }));
            }
        });
        return entries;
    }

    private static int sizeOf(int field, String text) {
        return text.isEmpty() ? 0 : CodedOutputStream.computeStringSize(field, text);
    }

    private static void write(CodedOutputStream out, int field, String text) throws IOException {
        if (!text.isEmpty()) {
            out.writeString(field, text);
        }
    }

    private static final class Parsed {
        private String service = "";
        private String method = "";
        private ByteString payload = ByteString.EMPTY;
        private long timeoutNanos;
        private final Map<String, List<String>> metadata = new LinkedHashMap<>();
        private int metadataCount;

        boolean field(int tag, CodedInputStream in) throws IOException {
            switch (tag) {
                case SERVICE_TAG -> service = in.readStringRequireUtf8();
                case METHOD_TAG -> method = in.readStringRequireUtf8();
                case PAYLOAD_TAG -> payload = in.readBytes();
                case TIMEOUT_NANO_TAG -> timeoutNanos = in.readInt64();
                case METADATA_TAG -> metadata(in.readBytes());
                default -> {
                    return false;
                }
            }
            return true;
        }

        private void metadata(ByteString data) throws InvalidProtocolBufferException {
            metadataCount++;
            if (metadataCount > MOST_METADATA) {
                throw new InvalidProtocolBufferException("more than " + MOST_METADATA + " metadata");
            }
            KeyValue entry = new KeyValue();
            ProtoFields.read(data, entry::field);
            metadata.computeIfAbsent(entry.key, key -> new ArrayList<>()).add(entry.value);
        }
    }

    private static final class KeyValue {
        private String key = "";
        private String value = "";

        boolean field(int tag, CodedInputStream in) throws IOException {
            switch (tag) {
                case KEY_TAG -> key = in.readStringRequireUtf8();
                case VALUE_TAG -> value = in.readStringRequireUtf8();
                default -> {
                    return false;
                }
            }
            return true;
        }
    }
}
