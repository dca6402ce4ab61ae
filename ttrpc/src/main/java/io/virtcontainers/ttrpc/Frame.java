// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.ttrpc;

import com.google.protobuf.ByteString;

/**
 * One message of the protocol (PROTOCOL.md, "Message Frame").
 *
 * @param streamId unsigned; odd if the client began the stream
 * @param flags their meaning depends on the type; a unary request and a response have none
 * @param data at most {@link #MOST_DATA} bytes
 */
record Frame(int streamId, byte type, byte flags, ByteString data) implements Inbound {
    /** Bytes of the header: length of the data (4), stream (4), type (1), flags (1), big-endian. */
    static final int HEADER = 10;

    static final int MOST_DATA = 4 << 20;

    static final byte REQUEST = 1;
    static final byte RESPONSE = 2;
    static final byte DATA = 3;

    static Frame request(int streamId, ByteString data) {
        return new Frame(streamId, REQUEST, (byte) 0, data);
    }

    static Frame response(int streamId, ByteString data) {
        return new Frame(streamId, RESPONSE, (byte) 0, data);
    }

    /** Whether a message of this size can be sent. */
    static boolean fits(ByteString data) {
        return data.size() <= MOST_DATA;
    }
}
