// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * The parts of a 64-bit little-endian ELF file that this module needs. Reads lazily; every size that the file claims is
 * checked before memory is taken for it.
 */
final class ElfFile {
    static final int MACHINE_X86_64 = 62;
    static final int MACHINE_AARCH64 = 183;

    private static final int PT_LOAD = 1;
    private static final int PT_DYNAMIC = 2;
    private static final int PT_INTERP = 3;
    private static final int PT_NOTE = 4;
    private static final long DT_NEEDED = 1;
    private static final long DT_STRTAB = 5;
    private static final long DT_RPATH = 15;
    private static final long DT_RUNPATH = 29;
    private static final int MAX_PART = 1 << 20;
    private static final int MAX_HEADERS = 1 << 16;
    private static final int MAX_STRING = 4096;

    /** What the dynamic loader reads. The paths are split at colons; RPATH is empty where there is a RUNPATH. */
    record Dynamic(List<String> needed, List<String> rpath, List<String> runpath) {}

    private record Segment(int type, long offset, long address, long size, long alignment) {}

    private final ByteSource source;
    private final int machine;
    private final List<Segment> segments;
    private final long sectionOffset;
    private final int sectionSize;
    private final int sectionCount;
    private final int sectionNames;

    private ElfFile(ByteSource source, ByteBuffer header) throws IOException {
        this.source = source;
        machine = Short.toUnsignedInt(header.getShort(18));
        sectionOffset = header.getLong(40);
        sectionSize = Short.toUnsignedInt(header.getShort(58));
        sectionCount = Short.toUnsignedInt(header.getShort(60));
        sectionNames = Short.toUnsignedInt(header.getShort(62));
        segments = readSegments(
                header.getLong(32), Short.toUnsignedInt(header.getShort(54)), Short.toUnsignedInt(header.getShort(56)));
    }

    /** @throws MalformedException if it is no 64-bit little-endian ELF file, or claims what it does not have */
    static ElfFile read(ByteSource source) throws IOException {
        if (!isElf(source)) {
            throw new MalformedException("not an ELF file");
        }
        ByteBuffer header = source.read(0, 64, "the ELF header");
        if (header.get(4) != 2 || header.get(5) != 1) {
            throw new MalformedException("not a 64-bit little-endian ELF file");
        }
        return new ElfFile(source, header);
    }

    static boolean isElf(ByteSource source) throws IOException {
        return source.has(0, 64) && source.read(0, 4, "the ELF magic").getInt() == 0x464c457f;
    }

    private List<Segment> readSegments(long offset, int entrySize, int count) throws IOException {
        List<Segment> result = new ArrayList<>();
        if (count > 0 && entrySize < 56) {
            throw new MalformedException("program headers of " + entrySize + " bytes");
        }
        ByteBuffer table = source.read(offset, table(entrySize, count), "the program headers");
        for (int i = 0; i < count; i++) {
            int at = i * entrySize;
            result.add(new Segment(
                    table.getInt(at),
                    table.getLong(at + 8),
                    table.getLong(at + 16),
                    table.getLong(at + 32),
                    table.getLong(at + 48)));
        }
        return result;
    }

    private static int table(int entrySize, int count) throws MalformedException {
        if (count > MAX_HEADERS || (long) entrySize * count > (long) MAX_PART * 16) {
            throw new MalformedException("a header table of " + count + " entries of " + entrySize + " bytes");
        }
        return entrySize * count;
    }

    int machine() {
        return machine;
    }

    /** The dynamic loader; empty for a static program, a library or a kernel module. */
    Optional<String> interpreter() throws IOException {
        for (Segment segment : segments) {
            if (segment.type() == PT_INTERP) {
                return Optional.of(cString(part(segment, "the interpreter's name"), 0));
            }
        }
        return Optional.empty();
    }

    Dynamic dynamic() throws IOException {
        List<Long> neededAt = new ArrayList<>();
        long stringTable = -1;
        long rpathAt = -1;
        long runpathAt = -1;
        for (Segment segment : segments) {
            if (segment.type() == PT_DYNAMIC) {
                ByteBuffer entries = part(segment, "the dynamic section");
                while (entries.remaining() >= 16) {
                    long tag = entries.getLong();
                    long value = entries.getLong();
                    if (tag == 0) {
                        break;
                    } else if (tag == DT_NEEDED) {
                        neededAt.add(value);
                    } else if (tag == DT_STRTAB) {
                        stringTable = fileOffset(value);
                    } else if (tag == DT_RPATH) {
                        rpathAt = value;
                    } else if (tag == DT_RUNPATH) {
                        runpathAt = value;
                    }
                }
            }
        }
        List<String> needed = new ArrayList<>();
        for (long at : neededAt) {
            needed.add(stringAt(stringTable, at));
        }
        List<String> runpath = paths(stringTable, runpathAt);
        return new Dynamic(needed, runpathAt < 0 ? paths(stringTable, rpathAt) : List.of(), runpath);
    }

    private List<String> paths(long stringTable, long at) throws IOException {
        return at < 0
                ? List.of()
                : Arrays.stream(stringAt(stringTable, at).split(":", -1))
                        .filter(path -> !path.isEmpty())
                        .toList();
    }

    /** Where in the file the byte is that is loaded at this address. */
    private long fileOffset(long address) throws MalformedException {
        for (Segment segment : segments) {
            if (segment.type() == PT_LOAD
                    && address >= segment.address()
                    && address - segment.address() < segment.size()) {
                return address - segment.address() + segment.offset();
            }
        }
        throw new MalformedException("address 0x" + Long.toHexString(address) + " is in no segment");
    }

    private String stringAt(long table, long offset) throws IOException {
        if (table < 0 || offset < 0 || !source.has(table, offset) || table + offset >= source.size()) {
            throw new MalformedException("a name is outside the file");
        }
        long at = table + offset;
        return cString(source.read(at, (int) Math.min(MAX_STRING, source.size() - at), "a name"), 0);
    }

    private static String cString(ByteBuffer bytes, int start) throws MalformedException {
        for (int end = start; end < bytes.limit() && end - start < MAX_STRING; end++) {
            if (bytes.get(end) == 0) {
                return text(bytes, start, end - start);
            }
        }
        throw new MalformedException("a name without an end");
    }

    private static String text(ByteBuffer bytes, int start, int length) {
        byte[] text = new byte[length];
        bytes.get(start, text);
        return new String(text, StandardCharsets.UTF_8);
    }

    /** Whether a note segment has this note, for example the Xen note 18: the entry for a PVH boot. */
    boolean hasNote(String owner, int type) throws IOException {
        for (Segment segment : segments) {
            if (segment.type() == PT_NOTE
                    && hasNote(part(segment, "a note segment"), segment.alignment(), owner, type)) {
                return true;
            }
        }
        return false;
    }

    private static boolean hasNote(ByteBuffer notes, long segmentAlignment, String owner, int type) {
        long alignment = segmentAlignment == 8 ? 8 : 4;
        long at = 0;
        while (at + 12 <= notes.limit()) {
            long nameSize = Integer.toUnsignedLong(notes.getInt((int) at));
            long contentSize = Integer.toUnsignedLong(notes.getInt((int) at + 4));
            int noteType = notes.getInt((int) at + 8);
            long nameAt = at + 12;
            long contentAt = align(nameAt + nameSize, alignment);
            if (contentAt > notes.limit()) {
                return false;
            }
            String name = text(notes, (int) nameAt, (int) nameSize);
            if (noteType == type && name.equals(owner + "\0")) {
                return true;
            }
            at = align(contentAt + contentSize, alignment);
        }
        return false;
    }

    private static long align(long offset, long alignment) {
        return (offset + alignment - 1) / alignment * alignment;
    }

    /** The bytes of the section of this name, at most 1 MiB; empty if there is none. */
    Optional<byte[]> section(String name) throws IOException {
        if (sectionCount == 0) {
            return Optional.empty();
        }
        if (sectionSize < 64 || sectionNames >= sectionCount) {
            throw new MalformedException("section headers of " + sectionSize + " bytes, names in " + sectionNames);
        }
        ByteBuffer table = source.read(sectionOffset, table(sectionSize, sectionCount), "the section headers");
        ByteBuffer names = sectionPart(table, sectionNames, "the section names");
        for (int i = 0; i < sectionCount; i++) {
            long nameAt = Integer.toUnsignedLong(table.getInt(i * sectionSize));
            if (nameAt < names.limit() && cString(names, (int) nameAt).equals(name)) {
                return Optional.of(sectionPart(table, i, "section " + name).array());
            }
        }
        return Optional.empty();
    }

    private ByteBuffer sectionPart(ByteBuffer table, int index, String what) throws IOException {
        return part(table.getLong(index * sectionSize + 24), table.getLong(index * sectionSize + 32), what);
    }

    private ByteBuffer part(Segment segment, String what) throws IOException {
        return part(segment.offset(), segment.size(), what);
    }

    private ByteBuffer part(long offset, long size, String what) throws IOException {
        if (size < 0 || size > MAX_PART) {
            throw new MalformedException(what + " has " + size + " bytes");
        }
        return source.read(offset, (int) size, what);
    }
}
