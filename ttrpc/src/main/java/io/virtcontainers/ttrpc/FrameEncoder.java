// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.ttrpc;

import com.google.protobuf.ByteString;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.codec.MessageToByteEncoder;

/** Turns {@link Frame}s into bytes; who sends them has seen to it that they are not too long. */
final class FrameEncoder extends MessageToByteEncoder<Frame> {
    FrameEncoder() {
        super(Frame.class);
    }

    @Override
    protected void encode(ChannelHandlerContext context, Frame frame, ByteBuf out) {
        ByteString data = frame.data();
        if (!Frame.fits(data)) {
            throw new IllegalArgumentException(data.size() + " bytes of data are more than " + Frame.MOST_DATA);
        }
        out.ensureWritable(Frame.HEADER + data.size());
        out.writeInt(data.size());
        out.writeInt(frame.streamId());
        out.writeByte(frame.type());
        out.writeByte(frame.flags());
        data.asReadOnlyByteBufferList().forEach(out::writeBytes);
    }
}
