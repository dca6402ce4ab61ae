// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import io.virtcontainers.HostSetupException;
import io.virtcontainers.VirtException;
import io.virtcontainers.spi.Deadline;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Runs mkfs.erofs. The same tree gives the same image: fixed id, fixed time of creation; files keep their own times.
 *
 * <p>Not compressed: the guest (emulated, kernel 6.1) reads a large file at 440 MB/s, of an lz4 image at 150 MB/s, small
 * files as fast from both; lz4 halves the image, but takes twice as long to pack. Sockets, pipes and device nodes are packed as they are.
 * Extended attributes are left out: Java can read only some of them, so they could not be part of the cache's key.
 */
final class ErofsPacker {
    /** 2100-01-01: mkfs.erofs takes it as its own time, and for files as the latest that it keeps. */
    private static final String SOURCE_DATE_EPOCH = "4102444800";

    private static final String UUID = "7c0d7a5e-5b0e-4f0a-9d0c-76697274636e";
    private static final long SUPER_BLOCK = 1024;
    private static final int MAGIC = 0xe0f5e1e2;
    private static final int SECTOR = 512;

    private final Host host;

    ErofsPacker(Host host) {
        this.host = host;
    }

    /** @throws HostSetupException if there is none */
    static Path findProgram(Host host) {
        return host.findProgram("mkfs.erofs")
                .orElseThrow(() -> new HostSetupException(
                        "mkfs.erofs, which packs root file systems, is not in PATH: `apt install erofs-utils`"));
    }

    /**
     * @param keepOwners else all files belong to root
     * @throws HostSetupException if there is no mkfs.erofs, or the disk is full
     * @throws VirtException if it fails; the message has what it printed
     */
    void pack(Path directory, Path image, boolean keepOwners, Deadline deadline) throws IOException {
        Path program = findProgram(host);
        ChildProcess.Result result = ChildProcess.run(
                command(program, directory, image, keepOwners),
                Map.of("SOURCE_DATE_EPOCH", SOURCE_DATE_EPOCH, "LC_ALL", "C"),
                deadline,
                "the packing of " + directory);
        if (result.exitCode() != 0) {
            throw failed(program, directory, "exit code " + result.exitCode(), result.output());
        }
        finish(program, directory, image, result.output());
    }

    private static List<String> command(Path program, Path directory, Path image, boolean keepOwners) {
        List<String> command = new ArrayList<>(List.of(program.toString(), "--quiet", "-d1", "-x-1", "-U", UUID));
        if (!keepOwners) {
            command.add("--all-root");
        }
        command.add(image.toString());
        command.add(directory.toString());
        return command;
    }

    private static void finish(Path program, Path directory, Path image, String output) throws IOException {
        if (!Files.isRegularFile(image)) {
            throw failed(program, directory, "it made no image", output);
        }
        try (FileChannel file = FileChannel.open(image, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            ByteSource source = ByteSource.of(file);
            if (!source.has(SUPER_BLOCK, 4)
                    || source.read(SUPER_BLOCK, 4, "the magic").getInt() != MAGIC) {
                throw failed(program, directory, "what it made is no EROFS image", output);
            }
            long padding = -file.size() & (SECTOR - 1); // QEMU wants whole sectors
            if (padding > 0) {
                file.write(ByteBuffer.allocate((int) padding), file.size());
            }
        }
    }

    private static VirtException failed(Path program, Path directory, String how, String output) {
        String printed = output.isBlank() ? "" : ": " + output.strip();
        String message = program + " failed to pack " + directory + " (" + how + ")" + printed;
        return output.contains("No space left on device") || output.contains("Error 28")
                ? new HostSetupException(
                        message + "; the disk is full: free some space or choose another cache directory")
                : new VirtException(message + "; erofs-utils 1.4 or newer is needed");
    }
}
