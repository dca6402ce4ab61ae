// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata.yamux;

import io.netty.buffer.ByteBuf;
import java.net.ProtocolException;

/**
 * A frame of yamux, without the payload of a {@link #DATA} frame, which follows.
 *
 * @param type what it is, 0 to 3
 * @param flags of {@link #SYN}, {@link #ACK}, {@link #FIN}, {@link #RST}
 * @param stream the number of the stream, unsigned; 0: the session
 * @param length by type: of the payload; how much the window grows; a value to send back; why the session ends. 0 to 2^32-1
 */
record YamuxFrame(int type, int flags, int stream, long length) {
    static final int HEADER = 12;

    static final int DATA = 0;
    static final int WINDOW_UPDATE = 1;
    static final int PING = 2;
    static final int GO_AWAY = 3;

    static final int SYN = 1;
    static final int ACK = 2;
    static final int FIN = 4;
    static final int RST = 8;

    private static final int VERSION = 0;
    private static final int KNOWN_FLAGS = SYN | ACK | FIN | RST;

    boolean has(int flag) {
        return (flags & flag) != 0;
    }

    void writeTo(ByteBuf out) {
        out.writeByte(VERSION);
        out.writeByte(type);
        out.writeShort(flags);
        out.writeInt(stream);
        out.writeInt((int) length);
    }

    /**
     * @param in at least {@link #HEADER} bytes
     * @throws ProtocolException if this is no frame of version 0
     */
    static YamuxFrame read(ByteBuf in) throws ProtocolException {
        int version = in.readUnsignedByte();
        int type = in.readUnsignedByte();
        int flags = in.readUnsignedShort();
        int stream = in.readInt();
        long length = in.readUnsignedInt();
        YamuxFrame frame = new YamuxFrame(type, flags, stream, length);
        if (version != VERSION) {
            throw new ProtocolException("the agent does not speak yamux version 0: version " + version + ", " + frame);
        }
        if (type > GO_AWAY || (flags & ~KNOWN_FLAGS) != 0) {
            throw new ProtocolException("the agent sent a yamux frame of unknown type or flags: " + frame);
        }
        if ((type == PING || type == GO_AWAY) != (stream == 0)) {
            throw new ProtocolException("the agent sent a yamux frame of the wrong stream: " + frame);
        }
        return frame;
    }
}
