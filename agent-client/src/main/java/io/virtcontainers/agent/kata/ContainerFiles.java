// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import io.virtcontainers.AgentException;
import io.virtcontainers.GuestPath;
import io.virtcontainers.HostSetupException;
import io.virtcontainers.MemorySize;
import io.virtcontainers.agent.kata.protocol.AgentServiceGrpc;
import io.virtcontainers.agent.kata.protocol.GuestServiceGrpc;
import io.virtcontainers.agent.kata.protocol.ReadFileRequest;
import io.virtcontainers.agent.kata.protocol.ReadFileResponse;
import io.virtcontainers.agent.kata.protocol.WriteFileRequest;
import io.virtcontainers.spi.Deadline;
import java.io.IOException;
import java.nio.channels.Channels;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermission;
import java.util.EnumSet;
import java.util.Set;

/** Files that go into the guest, and into and out of its containers. Thread-safe. */
record ContainerFiles(AgentConnection connection) {
    /** An answer of the agent has at most 1 MiB. */
    private static final int PART = 512 << 10;

    void send(Path source, GuestPath target, Deadline deadline) {
        var method = AgentServiceGrpc.getCopyFileMethod();
        new FileCopy(source, target, part -> {
                    var unused = connection.call(method, part, Rpc.of(method, "to " + target), deadline);
                })
                .run();
    }

    void copyIn(String containerId, Path source, GuestPath target, Deadline deadline) {
        var method = GuestServiceGrpc.getWriteFileMethod();
        Rpc rpc = Rpc.of(method, target + " of " + Rpc.container(containerId));
        new FileCopy(source, target, part -> {
                    WriteFileRequest request = WriteFileRequest.newBuilder()
                            .setContainerId(containerId)
                            .setPart(part)
                            .build();
                    var unused = connection.call(method, request, rpc, deadline);
                })
                .run();
    }

    void copyOut(String containerId, GuestPath source, Path target, MemorySize max, Deadline deadline) {
        try {
            Path directory = target.toAbsolutePath().getParent();
            if (directory == null || Files.isDirectory(target)) {
                throw new HostSetupException("cannot copy a file to " + target + ": it is a directory");
            }
            Path partial = Files.createTempFile(directory, ".copy", ".part");
            try {
                int mode = receive(containerId, source, partial, max, deadline);
                Files.setPosixFilePermissions(partial, permissions(mode));
                Path unused = Files.move(
                        partial, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            } finally {
                boolean unused = Files.deleteIfExists(partial);
            }
        } catch (IOException e) {
            throw new HostSetupException("cannot write " + target + ": " + e, e);
        }
    }

    private int receive(String containerId, GuestPath source, Path target, MemorySize max, Deadline deadline)
            throws IOException {
        var method = GuestServiceGrpc.getReadFileMethod();
        Rpc rpc = Rpc.of(method, source + " of " + Rpc.container(containerId));
        ReadFileRequest.Builder request = ReadFileRequest.newBuilder()
                .setContainerId(containerId)
                .setPath(source.value())
                .setLength(PART);
        try (WritableByteChannel file = Channels.newChannel(Files.newOutputStream(target))) {
            long offset = 0;
            while (true) {
                ReadFileResponse part =
                        connection.call(method, request.setOffset(offset).build(), rpc, deadline);
                offset += part.getData().size();
                if (part.getData().size() > PART || offset > max.bytes() || part.getFileSize() > max.bytes()) {
                    throw new AgentException(rpc + ": the file has " + Math.max(offset, part.getFileSize())
                            + " bytes, more than the " + max.bytes() + " that it may have");
                }
                int unused = file.write(part.getData().asReadOnlyByteBuffer());
                if (part.getData().size() < PART) {
                    return part.getFileMode();
                }
            }
        }
    }

    private static Set<PosixFilePermission> permissions(int mode) {
        Set<PosixFilePermission> permissions = EnumSet.noneOf(PosixFilePermission.class);
        PosixFilePermission[] fromTheLeft = PosixFilePermission.values();
        for (int i = 0; i < fromTheLeft.length; i++) {
            if ((mode & (0400 >> i)) != 0) {
                permissions.add(fromTheLeft[i]);
            }
        }
        return permissions;
    }
}
