// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** Writes small ELF files: enough of one for what this module reads. */
final class ElfBuilder {
    private static final int LOAD_ADDRESS = 0x400000;
    private static final int HEADER = 64;
    private static final int PROGRAM_HEADER = 56;
    private static final int SECTION_HEADER = 64;

    private int machine = ElfFile.MACHINE_X86_64;
    private final List<Integer> types = new ArrayList<>();
    private final List<byte[]> contents = new ArrayList<>();
    private final List<long[]> dynamic = new ArrayList<>();
    private final ByteArrayOutputStream strings = new ByteArrayOutputStream();
    private byte[] modinfo = new byte[0];
    private byte[] extra = new byte[0];

    ElfBuilder() {
        strings.write(0);
    }

    ElfBuilder machine(int value) {
        machine = value;
        return this;
    }

    ElfBuilder interpreter(String path) {
        types.add(3);
        contents.add((path + "\0").getBytes(StandardCharsets.UTF_8));
        return this;
    }

    ElfBuilder needs(String... libraries) {
        for (String library : libraries) {
            dynamic.add(new long[] {1, string(library)});
        }
        return this;
    }

    ElfBuilder rpath(String path) {
        dynamic.add(new long[] {15, string(path)});
        return this;
    }

    ElfBuilder runpath(String path) {
        dynamic.add(new long[] {29, string(path)});
        return this;
    }

    private int string(String text) {
        int at = strings.size();
        strings.writeBytes((text + "\0").getBytes(StandardCharsets.UTF_8));
        return at;
    }

    ElfBuilder note(String owner, int type, byte[] content) {
        byte[] name = (owner + "\0").getBytes(StandardCharsets.US_ASCII);
        ByteBuffer note = ByteBuffer.allocate(12 + align(name.length) + align(content.length))
                .order(ByteOrder.LITTLE_ENDIAN);
        note.putInt(name.length).putInt(content.length).putInt(type).put(name);
        note.position(12 + align(name.length)).put(content);
        types.add(4);
        contents.add(note.array());
        return this;
    }

    ElfBuilder pvhNote() {
        return note("Linux", 257, new byte[] {1}).note("Xen", 18, new byte[] {0, 0, 0, 1, 0, 0, 0, 0});
    }

    /** Fields of .modinfo, such as {@code depends=a,b}. */
    ElfBuilder modinfo(String... fields) {
        modinfo = (String.join("\0", fields) + "\0").getBytes(StandardCharsets.UTF_8);
        return this;
    }

    /** Bytes at the end that no header speaks of. */
    ElfBuilder extra(byte[] bytes) {
        extra = bytes;
        return this;
    }

    private static int align(int size) {
        return (size + 3) / 4 * 4;
    }

    byte[] build() {
        boolean isDynamic = !dynamic.isEmpty();
        byte[] stringBytes = strings.toByteArray();
        int count = types.size() + (isDynamic ? 2 : 0);
        int at = HEADER + count * PROGRAM_HEADER;
        ByteArrayOutputStream body = new ByteArrayOutputStream();
        ByteBuffer headers = ByteBuffer.allocate(count * PROGRAM_HEADER).order(ByteOrder.LITTLE_ENDIAN);
        for (int i = 0; i < types.size(); i++) {
            segment(headers, types.get(i), at + body.size(), contents.get(i).length);
            body.writeBytes(contents.get(i));
        }
        if (isDynamic) {
            int stringsAt = at + body.size();
            body.writeBytes(stringBytes);
            ByteBuffer entries = ByteBuffer.allocate((dynamic.size() + 2) * 16).order(ByteOrder.LITTLE_ENDIAN);
            dynamic.forEach(entry -> entries.putLong(entry[0]).putLong(entry[1]));
            entries.putLong(5).putLong(LOAD_ADDRESS + stringsAt).putLong(0).putLong(0);
            segment(headers, 2, at + body.size(), entries.capacity());
            body.writeBytes(entries.array());
            segment(headers, 1, 0, at + body.size());
        }
        ByteArrayOutputStream file = new ByteArrayOutputStream();
        int modinfoAt = at + body.size();
        byte[] names = "\0.names\0.modinfo\0".getBytes(StandardCharsets.US_ASCII);
        int namesAt = modinfoAt + modinfo.length;
        int sectionsAt = namesAt + names.length;
        int sections = modinfo.length > 0 ? 3 : 0;
        ByteBuffer header = ByteBuffer.allocate(HEADER).order(ByteOrder.LITTLE_ENDIAN);
        header.putInt(0x464c457f).put((byte) 2).put((byte) 1).put((byte) 1).position(16);
        header.putShort((short) 3).putShort((short) machine).putInt(1).putLong(0);
        header.putLong(HEADER).putLong(sections == 0 ? 0 : sectionsAt).putInt(0);
        header.putShort((short) HEADER).putShort((short) PROGRAM_HEADER).putShort((short) count);
        header.putShort((short) SECTION_HEADER).putShort((short) sections).putShort((short) (sections == 0 ? 0 : 1));
        file.writeBytes(header.array());
        file.writeBytes(headers.array());
        file.writeBytes(body.toByteArray());
        if (sections > 0) {
            file.writeBytes(modinfo);
            file.writeBytes(names);
            file.writeBytes(new byte[SECTION_HEADER]);
            file.writeBytes(section(1, namesAt, names.length));
            file.writeBytes(section(8, modinfoAt, modinfo.length));
        }
        file.writeBytes(extra);
        return file.toByteArray();
    }

    private static void segment(ByteBuffer headers, int type, int offset, int size) {
        headers.putInt(type)
                .putInt(4)
                .putLong(offset)
                .putLong(LOAD_ADDRESS + offset)
                .putLong(0);
        headers.putLong(size).putLong(size).putLong(4);
    }

    private static byte[] section(int name, int offset, int size) {
        ByteBuffer section = ByteBuffer.allocate(SECTION_HEADER).order(ByteOrder.LITTLE_ENDIAN);
        section.putInt(name).putInt(1).putLong(0).putLong(0).putLong(offset).putLong(size);
        return section.array();
    }
}
