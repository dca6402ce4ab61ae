// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.ttrpc;

import com.google.protobuf.ByteString;
import java.io.EOFException;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;

/** The other end of a unix socket, which speaks the protocol by hand, or something else. */
final class RawPeer implements AutoCloseable {
    final SocketChannel socket;

    private RawPeer(SocketChannel socket) {
        this.socket = socket;
    }

    static RawPeer connect(Path path) throws IOException {
        return new RawPeer(SocketChannel.open(UnixDomainSocketAddress.of(path)));
    }

    static ServerSocketChannel listen(Path path) throws IOException {
        return ServerSocketChannel.open(StandardProtocolFamily.UNIX).bind(UnixDomainSocketAddress.of(path));
    }

    static RawPeer accept(ServerSocketChannel listening) throws IOException {
        return new RawPeer(listening.accept());
    }

    void header(int length, int streamId, int type, int flags) throws IOException {
        send(ByteBuffer.allocate(10)
                .putInt(length)
                .putInt(streamId)
                .put((byte) type)
                .put((byte) flags)
                .flip());
    }

    void send(ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            socket.write(bytes);
        }
    }

    void send(int streamId, int type, int flags, ByteString data) throws IOException {
        header(data.size(), streamId, type, flags);
        send(data.asReadOnlyByteBuffer());
    }

    void request(int streamId, String service, String method, ByteString payload, long timeoutNanos)
            throws IOException {
        TtrpcRequest request = new TtrpcRequest(service, method, payload);
        send(streamId, Frame.REQUEST, 0, new RequestMessage(request, timeoutNanos).encode());
    }

    void response(int streamId, ByteString payload) throws IOException {
        send(streamId, Frame.RESPONSE, 0, ResponseMessage.ok(payload).encode());
    }

    Frame read() throws IOException {
        ByteBuffer header = read(10);
        int length = header.getInt();
        int streamId = header.getInt();
        byte type = header.get();
        byte flags = header.get();
        return new Frame(streamId, type, flags, ByteString.copyFrom(read(length)));
    }

    ResponseMessage readResponse(int streamId) throws IOException {
        Frame frame = read();
        if (frame.streamId() != streamId || frame.type() != Frame.RESPONSE) {
            throw new AssertionError("not a response on stream " + streamId + ": " + frame);
        }
        return ResponseMessage.parse(frame.data());
    }

    /** Whether the other side ends the connection without a further byte. */
    boolean isAtEnd() throws IOException {
        return socket.read(ByteBuffer.allocate(1)) < 0;
    }

    private ByteBuffer read(int length) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(length);
        while (bytes.hasRemaining()) {
            if (socket.read(bytes) < 0) {
                throw new EOFException("the connection ended");
            }
        }
        return bytes.flip();
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }
}
