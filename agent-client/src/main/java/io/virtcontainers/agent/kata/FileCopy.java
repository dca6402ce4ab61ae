// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import com.google.protobuf.ByteString;
import io.virtcontainers.GuestPath;
import io.virtcontainers.HostSetupException;
import io.virtcontainers.agent.kata.protocol.CopyFileRequest;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import java.util.function.Consumer;

/**
 * Sends one file of the host, in parts of 1 MiB and in order: the agent shows it when it has as many bytes as were told.
 *
 * @param sender sends a part
 */
record FileCopy(Path source, GuestPath target, Consumer<CopyFileRequest> sender) {
    private static final int PART = 1 << 20;
    private static final int PERMISSIONS = 07777;

    void run() {
        try {
            Map<String, Object> status = Files.readAttributes(source, "unix:mode,uid,gid,isRegularFile");
            if (!Boolean.TRUE.equals(status.get("isRegularFile"))) { // before the open, which can wait for ever
                throw new HostSetupException("cannot copy " + source + " into the guest: it is no regular file");
            }
            try (FileChannel file = FileChannel.open(source, StandardOpenOption.READ)) {
                send(file, request(status));
            }
        } catch (IOException e) {
            throw new HostSetupException("cannot copy " + source + " into the guest: " + e, e);
        }
    }

    private CopyFileRequest.Builder request(Map<String, Object> status) {
        return CopyFileRequest.newBuilder()
                .setPath(target.value())
                .setFileMode(number(status, "mode") & PERMISSIONS)
                .setUid(number(status, "uid"))
                .setGid(number(status, "gid"));
    }

    private static int number(Map<String, Object> status, String name) {
        if (status.get(name) instanceof Integer number) {
            return number;
        }
        throw new IllegalStateException("a file without " + name); // asked for by name
    }

    private void send(FileChannel file, CopyFileRequest.Builder request) throws IOException {
        long size = file.size();
        request.setFileSize(size);
        long offset = 0;
        do {
            ByteBuffer part = ByteBuffer.allocate((int) Math.min(PART, size - offset));
            while (part.hasRemaining()) {
                if (file.read(part) < 0) {
                    throw new HostSetupException("cannot copy " + source + " into the guest: it became shorter than "
                            + size + " bytes while it was read");
                }
            }
            sender.accept(request.setOffset(offset)
                    .setData(ByteString.copyFrom(part.flip()))
                    .build());
            offset += part.limit();
        } while (offset < size);
    }
}
