// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core.state;

import com.fasterxml.jackson.core.JacksonException;
import io.virtcontainers.DamagedStateException;
import io.virtcontainers.HostSetupException;
import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.VirtException;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The document of one sandbox on disk. A write goes to another file, is forced to the disk and then takes the place of the
 * old one, so that a reader, with the lock or without, sees the old or the new document whole, whatever crashes. Only who
 * holds the sandbox's lock writes. Thread-safe.
 */
public final class SandboxStore {
    private static final int MAX_BYTES = 16 << 20;

    private final String sandbox;
    private final Path file;
    private byte[] lastBytes = {};
    private @Nullable SandboxRecord lastRecord;

    public SandboxStore(String sandbox, Path directory) {
        this.sandbox = sandbox;
        this.file = directory.resolve("sandbox.json");
    }

    /**
     * The document, or empty if there is none.
     *
     * @throws DamagedStateException if it is torn, foreign, or of a newer version
     */
    public synchronized Optional<SandboxRecord> read() {
        byte[] bytes;
        try (InputStream in = Files.newInputStream(file)) {
            bytes = in.readNBytes(MAX_BYTES + 1);
        } catch (NoSuchFileException e) {
            return Optional.empty();
        } catch (IOException e) {
            throw new VirtException("cannot read the state of sandbox " + sandbox + " in " + file + ": " + e, e);
        }
        SandboxRecord known = lastRecord;
        if (known != null && Arrays.equals(bytes, lastBytes)) {
            return Optional.of(known);
        }
        SandboxRecord read = parse(bytes);
        lastBytes = bytes;
        lastRecord = read;
        return Optional.of(read);
    }

    private SandboxRecord parse(byte[] bytes) {
        if (bytes.length > MAX_BYTES) {
            throw damaged("it is longer than " + MAX_BYTES + " bytes", null);
        }
        try {
            int version = Json.MAPPER.readTree(bytes).path("version").asInt(0);
            if (version > SandboxRecord.VERSION) {
                throw damaged(
                        "it has version " + version + ", and this library knows " + SandboxRecord.VERSION
                                + ": use the library that wrote it",
                        null);
            }
            if (version < 1) {
                throw damaged("it is not a sandbox's state: it has no version", null);
            }
            SandboxRecord record = Json.MAPPER.readValue(bytes, SandboxRecord.class);
            if (!record.id().equals(sandbox) && !sandbox.isEmpty()) {
                throw damaged("it is that of sandbox " + record.id(), null);
            }
            return record;
        } catch (JacksonException e) {
            throw damaged(e.getOriginalMessage(), e);
        } catch (IOException e) {
            throw new VirtException("cannot read the state of sandbox " + sandbox + " in " + file + ": " + e, e);
        } catch (NullPointerException | IllegalArgumentException e) {
            throw damaged("a value is missing or impossible: " + e.getMessage(), e);
        }
    }

    private DamagedStateException damaged(String why, @Nullable Throwable cause) {
        return new DamagedStateException(
                "the state of sandbox " + sandbox + " cannot be understood: " + file + ": " + why
                        + "; the file was left as it is: repair it, or remove the sandbox with cleanup()",
                file,
                cause);
    }

    /**
     * Writes the document; it is on the disk when this returns.
     *
     * @throws HostSetupException if it cannot be written; the old one is then still there
     * @throws InvalidConfigException if it is too long
     */
    public synchronized void write(SandboxRecord record) {
        Path next = file.resolveSibling("sandbox.json.new");
        try {
            byte[] bytes = Json.MAPPER.writeValueAsBytes(record);
            if (bytes.length > MAX_BYTES) {
                throw new InvalidConfigException(
                        "sandbox " + sandbox,
                        "described by " + bytes.length + " bytes",
                        "more than " + MAX_BYTES + " are not kept: use smaller or fewer annotations");
            }
            writeThrough(next, bytes);
            Files.move(next, file, StandardCopyOption.ATOMIC_MOVE);
            sync(file.getParent());
            lastBytes = bytes;
            lastRecord = record;
        } catch (IOException e) {
            next.toFile().delete(); // gives back the little space that it got
            throw new HostSetupException(
                    "cannot write the state of sandbox " + sandbox + " to " + file + ": " + e
                            + "; free some space there, or choose another state directory",
                    e);
        }
    }

    /** By a stream, as an interrupt would close a channel. */
    private static void writeThrough(Path path, byte[] bytes) throws IOException {
        if (!Files.exists(path)) {
            Files.createFile(path, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        }
        try (FileOutputStream out = new FileOutputStream(path.toFile())) {
            out.write(bytes);
            out.getFD().sync();
        }
    }

    /** So that the rename survives a loss of power; there is no stream for a directory. */
    private static void sync(@Nullable Path directory) throws IOException {
        boolean interrupted = false;
        try {
            while (directory != null) {
                try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
                    channel.force(true);
                    return;
                } catch (ClosedByInterruptException e) {
                    interrupted |= Thread.interrupted();
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    public Path file() {
        return file;
    }
}
