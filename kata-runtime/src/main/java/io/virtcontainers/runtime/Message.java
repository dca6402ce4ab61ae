// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** What processes of this program tell each other over a unix socket: some texts, each with its length. */
final class Message {
    private static final int MAX_BYTES = 1 << 22; // more than the arguments and variables of a process on Linux
    private static final int MAX_TEXTS = 1 << 16;

    private Message() {}

    /** Only one thread at a time. */
    static void send(SocketChannel connection, List<String> texts) throws IOException {
        List<byte[]> all = texts.stream().map(text -> text.getBytes(UTF_8)).toList();
        int bytes = all.stream().mapToInt(text -> Integer.BYTES + text.length).sum();
        if (bytes > MAX_BYTES || all.size() > MAX_TEXTS) {
            throw new IOException("a message of " + all.size() + " texts with " + bytes + " bytes is too long");
        }
        ByteBuffer buffer = ByteBuffer.allocate(Integer.BYTES + bytes).putInt(all.size());
        all.forEach(text -> buffer.putInt(text.length).put(text));
        buffer.flip();
        while (buffer.hasRemaining()) {
            int unused = connection.write(buffer);
        }
    }

    static void send(SocketChannel connection, String... texts) throws IOException {
        send(connection, List.of(texts));
    }

    /** Empty when the other side has closed the connection. */
    static Optional<List<String>> receive(SocketChannel connection) throws IOException {
        ByteBuffer number = ByteBuffer.allocate(Integer.BYTES);
        if (connection.read(number) < 0) {
            return Optional.empty();
        }
        int count = checked(rest(connection, number).getInt(), MAX_TEXTS);
        List<String> texts = new ArrayList<>();
        int left = MAX_BYTES;
        for (int i = 0; i < count; i++) {
            int length =
                    checked(rest(connection, ByteBuffer.allocate(Integer.BYTES)).getInt(), left);
            left -= length;
            texts.add(new String(rest(connection, ByteBuffer.allocate(length)).array(), UTF_8));
        }
        return Optional.of(texts);
    }

    private static ByteBuffer rest(SocketChannel connection, ByteBuffer buffer) throws IOException {
        while (buffer.hasRemaining()) {
            if (connection.read(buffer) < 0) {
                throw new EOFException("cut off within a message");
            }
        }
        return buffer.flip();
    }

    private static int checked(int number, int most) throws IOException {
        if (number < 0 || number > most) {
            throw new IOException("this is no message: " + number + " is not 0 to " + most);
        }
        return number;
    }
}
