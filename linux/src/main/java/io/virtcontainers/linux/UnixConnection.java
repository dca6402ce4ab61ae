// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.linux;

import java.nio.file.Path;
import java.time.Duration;

/**
 * A connection to a unix socket over which open files can be sent (SCM_RIGHTS of unix(7)), which Java's channels cannot.
 * Its calls block the thread for a bounded time. Not thread-safe.
 */
public final class UnixConnection implements AutoCloseable {
    private static final int AF_UNIX = 1;
    private static final int SOCK_STREAM_CLOEXEC = 1 | 0x80000;
    private static final int SOL_SOCKET = 1;
    private static final int SCM_RIGHTS = 1;
    private static final int SO_RCVTIMEO = 20;
    private static final int SO_SNDTIMEO = 21;
    private static final int MSG_NOSIGNAL = 0x4000;
    private static final int O_RDWR = 2;
    private static final int O_CLOEXEC = 0x80000;
    private static final int EAGAIN = 11;

    private static final int MAX_PATH_BYTES = 107;
    private static final int SOCKADDR_BYTES = 2 + MAX_PATH_BYTES + 1;
    private static final int TIMEVAL_BYTES = 16;
    private static final int MSGHDR_BYTES = 56;
    private static final int CMSG_LENGTH = 20;
    private static final int CMSG_SPACE = 24;

    private final int socket;

    private UnixConnection(int socket) {
        this.socket = socket;
    }

    /**
     * Connects.
     *
     * @param timeout how long each later call may wait; a {@link LinuxException} ends it
     * @throws LinuxException if nobody listens there
     */
    public static UnixConnection connect(Path path, Duration timeout) {
        byte[] name = path.toString().getBytes(Native.CHARSET);
        if (name.length > MAX_PATH_BYTES) {
            throw new LinuxException("the path of the socket " + path + " is longer than " + MAX_PATH_BYTES + " bytes");
        }
        UnixConnection connection =
                new UnixConnection(check("socket", Native.call("socket", AF_UNIX, SOCK_STREAM_CLOEXEC, 0)));
        try (Arena arena = new Arena()) {
            long time = arena.allocate(TIMEVAL_BYTES);
            Native.MEMORY.putLong(time, timeout.toSeconds());
            Native.MEMORY.putLong(time + Long.BYTES, timeout.toMillisPart() * 1000L + 1);
            for (int option : new int[] {SO_RCVTIMEO, SO_SNDTIMEO}) {
                int unused = check(
                        "setsockopt",
                        Native.call("setsockopt", connection.socket, SOL_SOCKET, option, time, TIMEVAL_BYTES));
            }
            long address = arena.allocate(SOCKADDR_BYTES);
            Native.MEMORY.putShort(address, (short) AF_UNIX);
            Native.MEMORY.putByteArray(address + 2, name, 0, name.length);
            int unused = check(
                    "connect to " + path, Native.call("connect", connection.socket, address, 2 + name.length + 1));
            return connection;
        } catch (RuntimeException e) {
            connection.close();
            throw e;
        }
    }

    /**
     * Sends bytes together with a file, which the other side gets as a descriptor of its own.
     *
     * @param file opened for this call, for writing too unless {@code readOnly}
     */
    public void send(byte[] bytes, Path file, boolean readOnly) {
        try (Arena arena = new Arena()) {
            long path = arena.string(file.toString());
            int fd = check("open " + file, Native.call("open", path, (readOnly ? 0 : O_RDWR) | O_CLOEXEC, 0));
            try {
                send(bytes, fd);
            } finally {
                Descriptors.close(fd);
            }
        }
    }

    /** Sends bytes together with an open file. */
    void send(byte[] bytes, int fd) {
        try (Arena arena = new Arena()) {
            long data = arena.allocate(bytes.length);
            Native.MEMORY.putByteArray(data, bytes, 0, bytes.length);
            long vector = arena.allocate(2 * Long.BYTES);
            Native.MEMORY.putLong(vector, data);
            Native.MEMORY.putLong(vector + Long.BYTES, bytes.length);
            long control = arena.allocate(CMSG_SPACE);
            Native.MEMORY.putLong(control, CMSG_LENGTH);
            Native.MEMORY.putInt(control + 8, SOL_SOCKET);
            Native.MEMORY.putInt(control + 12, SCM_RIGHTS);
            Native.MEMORY.putInt(control + 16, fd);
            long message = arena.allocate(MSGHDR_BYTES);
            Native.MEMORY.putLong(message + 16, vector);
            Native.MEMORY.putLong(message + 24, 1);
            Native.MEMORY.putLong(message + 32, control);
            Native.MEMORY.putLong(message + 40, CMSG_SPACE);
            if (check("sendmsg", Native.call("sendmsg", socket, message, MSG_NOSIGNAL)) != bytes.length) {
                throw new LinuxException("sendmsg: only a part was sent");
            }
        }
    }

    /** Sends bytes. */
    public void send(byte[] bytes) {
        try (Arena arena = new Arena()) {
            long data = arena.allocate(bytes.length);
            Native.MEMORY.putByteArray(data, bytes, 0, bytes.length);
            if (check("send", Native.call("send", socket, data, bytes.length, MSG_NOSIGNAL)) != bytes.length) {
                throw new LinuxException("send: only a part was sent");
            }
        }
    }

    /** Waits for bytes, at most this many; none if the other side has closed the connection. */
    public byte[] receive(int atMost) {
        try (Arena arena = new Arena()) {
            long data = arena.allocate(atMost);
            int count = check("recv", Native.call("recv", socket, data, atMost, 0));
            byte[] bytes = new byte[count];
            Native.MEMORY.getByteArray(data, bytes, 0, count);
            return bytes;
        }
    }

    private static int check(String call, long result) {
        if ((int) result < 0) {
            int errno = Native.errno();
            throw new LinuxException(errno == EAGAIN ? call + ": no answer in time" : Native.problem(call, errno));
        }
        return (int) result;
    }

    @Override
    public void close() {
        Descriptors.close(socket);
    }
}
