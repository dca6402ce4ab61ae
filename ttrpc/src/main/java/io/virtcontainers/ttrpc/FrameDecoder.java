// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.ttrpc;

import com.google.protobuf.UnsafeByteOperations;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.codec.ByteToMessageDecoder;
import java.util.List;

/**
 * Turns bytes into {@link Inbound} frames. Holds one incomplete frame at most, and none of
 * the data of one that is too long: those are reported when the header has come, and skipped as they arrive, so that the
 * connection can go on. One for each channel.
 */
final class FrameDecoder extends ByteToMessageDecoder {
    private long toSkip;

    @Override
    protected void decode(ChannelHandlerContext context, ByteBuf in, List<Object> out) {
        if (toSkip > 0) {
            int skipped = (int) Math.min(toSkip, in.readableBytes());
            in.skipBytes(skipped);
            toSkip -= skipped;
            return;
        }
        if (in.readableBytes() < Frame.HEADER) {
            return;
        }
        long length = in.getUnsignedInt(in.readerIndex());
        boolean tooLong = length > Frame.MOST_DATA;
        if (!tooLong && in.readableBytes() < Frame.HEADER + length) {
            return;
        }
        in.skipBytes(Integer.BYTES);
        int streamId = in.readInt();
        byte type = in.readByte();
        byte flags = in.readByte();
        if (tooLong) {
            toSkip = length;
            out.add(new TooLongFrame(streamId, length));
        } else {
            byte[] data = new byte[(int) length];
            in.readBytes(data);
            out.add(new Frame(streamId, type, flags, UnsafeByteOperations.unsafeWrap(data)));
        }
    }

    /** How much memory holds an incomplete frame, in bytes; for tests. */
    int held() {
        return internalBuffer().capacity();
    }
}
