// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.ttrpc;

import com.google.protobuf.ByteString;
import com.google.protobuf.CodedInputStream;
import com.google.protobuf.CodedOutputStream;
import com.google.protobuf.InvalidProtocolBufferException;
import java.io.IOException;

/**
 * The message {@code ttrpc.Response} of request.proto. The status is a {@code google.rpc.Status}, whose details are left
 * out here.
 *
 * @param message of the status; empty if all went well
 */
record ResponseMessage(StatusCode code, String message, ByteString payload) {
    private static final int STATUS = 1;
    private static final int PAYLOAD = 2;
    private static final int STATUS_CODE = 1;
    private static final int STATUS_MESSAGE = 2;

    private static final int STATUS_TAG = STATUS << 3 | 2;
    private static final int PAYLOAD_TAG = PAYLOAD << 3 | 2;
    private static final int STATUS_CODE_TAG = STATUS_CODE << 3;
    private static final int STATUS_MESSAGE_TAG = STATUS_MESSAGE << 3 | 2;

    static ResponseMessage ok(ByteString payload) {
        return new ResponseMessage(StatusCode.OK, "", payload);
    }

    static ResponseMessage refusal(StatusCode code, String message) {
        return new ResponseMessage(code, message, ByteString.EMPTY);
    }

    /** A response without a status is one that went well: Go's server sends it so. */
    static ResponseMessage parse(ByteString data) throws InvalidProtocolBufferException {
        Parsed parsed = new Parsed();
        ProtoFields.read(data, parsed::field);
        return new ResponseMessage(parsed.code, parsed.message, parsed.payload);
    }

    /** Always has a status, even an empty one: early clients in Go demand it. */
    ByteString encode() {
        ByteString status = encodeStatus();
        int size = CodedOutputStream.computeBytesSize(STATUS, status)
                + (payload.isEmpty() ? 0 : CodedOutputStream.computeBytesSize(PAYLOAD, payload));
        return ProtoFields.write(size, out -> {
            out.writeBytes(STATUS, status);
            if (!payload.isEmpty()) {
                out.writeBytes(PAYLOAD, payload);
            }
        });
    }

    private ByteString encodeStatus() {
        int number = code.number();
        int size = (number == 0 ? 0 : CodedOutputStream.computeInt32Size(STATUS_CODE, number))
                + (message.isEmpty() ? 0 : CodedOutputStream.computeStringSize(STATUS_MESSAGE, message));
        return ProtoFields.write(size, out -> {
            if (number != 0) {
                out.writeInt32(STATUS_CODE, number);
            }
            if (!message.isEmpty()) {
                out.writeString(STATUS_MESSAGE, message);
            }
        });
    }

    private static final class Parsed {
        private StatusCode code = StatusCode.OK;
        private String message = "";
        private ByteString payload = ByteString.EMPTY;

        boolean field(int tag, CodedInputStream in) throws IOException {
            switch (tag) {
                case STATUS_TAG -> ProtoFields.read(in.readBytes(), this::statusField);
                case PAYLOAD_TAG -> payload = in.readBytes();
                default -> {
                    return false;
                }
            }
            return true;
        }

        private boolean statusField(int tag, CodedInputStream in) throws IOException {
            switch (tag) {
                case STATUS_CODE_TAG -> code = StatusCode.of(in.readInt32());
                case STATUS_MESSAGE_TAG -> message = in.readString();
                default -> {
                    return false;
                }
            }
            return true;
        }
    }
}
