// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import com.google.common.hash.Hashing;
import io.virtcontainers.CancelledException;
import io.virtcontainers.HostSetupException;
import io.virtcontainers.MemorySize;
import io.virtcontainers.VirtException;
import io.virtcontainers.spi.MachineKey;
import io.virtcontainers.spi.MachineSize;
import io.virtcontainers.spi.MemoryImage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.zip.CRC32C;

/**
 * The directory of a saved machine: its memory, its state, and a manifest that says what they are. The manifest is written
 * last. The state's checksum (SHA-256) is verified at each use. The memory's (CRC-32C, which no damage of a few bits
 * passes; who can write here on purpose can write the manifest too) is verified when a process uses it for the first time;
 * afterwards that its file was not touched (size, inode, time of the last change of content or attributes), as a checksum
 * of all memory takes longer than a clone.
 *
 * @param directory need not exist
 */
record SavedFiles(Path directory) {
    /** Changes when older files are of no use any more. */
    private static final String FORMAT = "3";

    private static final int MAX_MANIFEST = 4096;
    private static final String SELF = "manifest ";
    private static final int PAGE = 4096;
    private static final int CHUNK = 256 * PAGE;
    private static final ByteBuffer ZEROS = ByteBuffer.allocate(PAGE).asReadOnlyBuffer();

    /** The memories that this process has read and found right, by their stamps. */
    private static final Set<String> VERIFIED = ConcurrentHashMap.newKeySet();

    private static final int MOST_VERIFIED = 1000;

    /** @param content bytes in pages that are not all zero */
    private record Checked(String checksum, long content) {}

    Path memory() {
        return directory.resolve("memory");
    }

    Path state() {
        return directory.resolve("state");
    }

    private Path manifest() {
        return directory.resolve("manifest");
    }

    MemoryImage.Clone image() {
        return new MemoryImage.Clone(memory(), state());
    }

    /** Writes the manifest for memory and state, which are there. */
    void seal(MachineKey key) throws IOException {
        seal(key, check(memory(), (page, at) -> {}));
    }

    private void seal(MachineKey key, Checked memory) throws IOException {
        String stamp = stamp(memory());
        List<String> lines = List.of(
                "format " + FORMAT,
                "machine " + key.digest(),
                "family " + key.family(),
                "vcpus " + key.size().vcpus(),
                "bytes " + key.size().memory().bytes(),
                "hypervisor " + key.hypervisor(),
                "content " + memory.content(),
                "memory " + stamp + " " + memory.checksum(),
                "state " + stateChecksum());
        String text = String.join("\n", lines) + "\n";
        Files.writeString(manifest(), text + SELF + checksum(text) + "\n");
        verified(stamp + " " + memory.checksum());
    }

    /**
     * Takes over a memory file without the pages that are all zero, for which it then takes no space, and writes the manifest
     * for it and the state, which is there.
     */
    void sealWith(Path from, MachineKey key) throws IOException {
        Checked taken;
        try (FileChannel out = FileChannel.open(memory(), StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            taken = check(from, (page, at) -> writeFully(out, page, at));
            long size = Files.size(from);
            if (out.size() < size) {
                writeFully(out, ByteBuffer.allocate(1), size - 1); // with a hole at its end
            }
        }
        seal(key, taken);
        Files.delete(from);
    }

    /** How large the machine is, if it is of this family; the files may be damaged. */
    Optional<MachineSize> sizeIn(String family) {
        try {
            Optional<Map<String, String>> known = read().filter(it -> family.equals(it.get("family")));
            return known.map(it -> new MachineSize(
                    Integer.parseInt(it.getOrDefault("vcpus", "")),
                    MemorySize.ofBytes(Long.parseLong(it.getOrDefault("bytes", "")))));
        } catch (IOException | IllegalArgumentException | VirtException e) {
            return Optional.empty();
        }
    }

    /** Why this cannot be used for such a machine; empty if it can. */
    Optional<String> problem(MachineKey key) {
        try {
            Optional<Map<String, String>> read = read();
            if (read.isEmpty()) {
                return Optional.of("there is none");
            }
            Map<String, String> known = read.get();
            if (!FORMAT.equals(known.get("format"))) {
                return Optional.of("its format is " + known.get("format") + ", and this library's " + FORMAT);
            } else if (!key.hypervisor().equals(known.get("hypervisor"))) {
                return Optional.of(
                        "it was saved by " + known.get("hypervisor") + ", and this host has " + key.hypervisor());
            } else if (!key.digest().equals(known.get("machine"))) {
                return Optional.of("it is for another machine, kernel, guest image or disk");
            }
            return damage(known);
        } catch (IOException e) {
            return Optional.of("it cannot be read: " + e);
        }
    }

    /** Whether the files are what was written, whatever they are for; empty if they are. */
    Optional<String> damage() {
        try {
            Optional<Map<String, String>> known = read();
            return known.isPresent() ? damage(known.get()) : Optional.of("it has no manifest");
        } catch (IOException e) {
            return Optional.of("it cannot be read: " + e);
        }
    }

    private Optional<String> damage(Map<String, String> known) throws IOException {
        if (!stateChecksum().equals(known.get("state"))) {
            return Optional.of("its state is not what was written");
        }
        String memory = known.getOrDefault("memory", "");
        String stamp = stamp(memory());
        if (!memory.startsWith(stamp + " ")) {
            return Optional.of("its memory was touched since it was written");
        }
        if (!VERIFIED.contains(memory)) {
            if (!memory.equals(stamp + " " + check(memory(), (page, at) -> {}).checksum())) {
                return Optional.of("its memory is not what was written");
            }
            verified(memory);
        }
        return Optional.empty();
    }

    private static void verified(String memory) {
        if (VERIFIED.size() >= MOST_VERIFIED) {
            VERIFIED.clear();
        }
        VERIFIED.add(memory);
    }

    /** What the manifest says of this, or nothing. */
    Optional<String> said(String what) {
        try {
            return read().flatMap(known -> Optional.ofNullable(known.get(what)));
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    /** What memory and state take of the disk, about. */
    long bytes() {
        try {
            return said("content").map(Long::parseLong).orElse(0L) + Files.size(state());
        } catch (IOException | NumberFormatException e) {
            return 0;
        }
    }

    private Optional<Map<String, String>> read() throws IOException {
        if (!Files.exists(manifest())) {
            return Optional.empty();
        }
        if (Files.size(manifest()) > MAX_MANIFEST) {
            throw new IOException("the manifest is longer than " + MAX_MANIFEST + " bytes");
        }
        String text = Files.readString(manifest());
        int self = text.lastIndexOf(SELF);
        if (self < 0 || !text.substring(self + SELF.length()).strip().equals(checksum(text.substring(0, self)))) {
            throw new IOException("the manifest is not what was written");
        }
        Map<String, String> known = new HashMap<>();
        for (String line : text.substring(0, self).lines().toList()) {
            int space = line.indexOf(' ');
            known.put(line.substring(0, Math.max(0, space)), line.substring(space + 1));
        }
        return Optional.of(known);
    }

    private static String checksum(String text) {
        return Hashing.sha256().hashString(text, StandardCharsets.UTF_8).toString();
    }

    private String stateChecksum() throws IOException {
        return com.google.common.io.Files.asByteSource(state().toFile())
                .hash(Hashing.sha256())
                .toString();
    }

    private static String stamp(Path file) throws IOException {
        return Files.size(file) + " " + Files.getAttribute(file, "unix:ino") + " "
                + Files.getAttribute(file, "unix:ctime").toString();
    }

    private interface PageSink {
        void take(ByteBuffer page, long at) throws IOException;
    }

    /** Reads a memory file, and hands on the pages that are not all zero. */
    private static Checked check(Path memory, PageSink sink) throws IOException {
        CRC32C checksum = new CRC32C();
        long content = 0;
        try (FileChannel in = FileChannel.open(memory)) {
            ByteBuffer chunk = ByteBuffer.allocateDirect(CHUNK);
            long at = 0;
            while (in.read(chunk.clear(), at) > 0) {
                chunk.flip();
                for (int page = 0; page < chunk.limit(); page += PAGE) {
                    ByteBuffer bytes = chunk.slice(page, Math.min(PAGE, chunk.limit() - page));
                    if (!bytes.equals(ZEROS.slice(0, bytes.limit()))) {
                        content += bytes.limit();
                        sink.take(bytes, at + page);
                    }
                }
                at += chunk.limit();
                checksum.update(chunk);
            }
        }
        return new Checked(Long.toHexString(checksum.getValue()), content);
    }

    private static void writeFully(FileChannel out, ByteBuffer bytes, long at) throws IOException {
        long next = at;
        while (bytes.hasRemaining()) {
            next += out.write(bytes, next);
        }
    }

    static VirtException failed(String what, Path directory, IOException e) {
        if (e instanceof ClosedByInterruptException) {
            return new CancelledException("interrupted while a " + what + " was made");
        }
        return new HostSetupException(
                "cannot make a " + what + " in " + directory + ": " + e + "; free some space there", e);
    }
}
