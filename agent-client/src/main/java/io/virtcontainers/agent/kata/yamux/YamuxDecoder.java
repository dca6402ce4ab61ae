// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata.yamux;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.codec.ByteToMessageDecoder;
import java.net.ProtocolException;
import java.util.List;

/**
 * Takes frames apart: hands on each {@link YamuxFrame}, and the payload of a data frame behind it in pieces, as it comes, so
 * that nothing but part of a header is ever kept here. After an error it hands on nothing more.
 */
final class YamuxDecoder extends ByteToMessageDecoder {
    private long payload; // still to come
    private boolean failed;

    @Override
    protected void decode(ChannelHandlerContext context, ByteBuf in, List<Object> out) {
        if (failed || !context.channel().isOpen()) { // the stream may have closed it for the frame before
            in.skipBytes(in.readableBytes());
        } else if (payload > 0) {
            int piece = (int) Math.min(payload, in.readableBytes());
            payload -= piece;
            out.add(in.readRetainedSlice(piece));
        } else if (in.readableBytes() >= YamuxFrame.HEADER) {
            try {
                YamuxFrame frame = YamuxFrame.read(in);
                payload = frame.type() == YamuxFrame.DATA ? frame.length() : 0;
                out.add(frame);
            } catch (ProtocolException e) {
                fail(context, e);
            }
        }
    }

    private void fail(ChannelHandlerContext context, ProtocolException error) {
        failed = true;
        context.fireExceptionCaught(error);
        var unused = context.close();
    }

    @Override
    protected void decodeLast(ChannelHandlerContext context, ByteBuf in, List<Object> out) {
        in.skipBytes(in.readableBytes()); // part of a header
    }
}
