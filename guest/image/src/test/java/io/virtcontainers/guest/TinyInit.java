// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/** Assembles a static x86-64 program that can stand in for the agent: it makes a few system calls, one by one. */
final class TinyInit {
    private static final int ADDRESS = 0x400000;
    private static final int CODE = 0x1000;
    private static final int DATA = 0x9000;
    private static final int SYS_WRITE = 1;
    private static final int SYS_OPEN = 2;
    private static final int SYS_EXECVE = 59;
    private static final int SYS_MOUNT = 165;
    private static final int SYS_REBOOT = 169;
    private static final int SYS_FINIT_MODULE = 313;

    private final ByteArrayOutputStream code = new ByteArrayOutputStream();
    private final ByteArrayOutputStream data = new ByteArrayOutputStream();

    TinyInit print(String text) {
        call(SYS_WRITE, 1, data(text), text.length());
        return this;
    }

    /** Loads a kernel module; prints its path if the kernel refuses. */
    TinyInit load(String path) {
        call(SYS_OPEN, data(path + "\0"), 0, 0);
        bytes(0x89, 0xc7); // mov edi, eax
        load(0xb8, SYS_FINIT_MODULE);
        load(0xbe, data("\0"));
        load(0xba, 0);
        bytes(0x0f, 0x05);
        ByteArrayOutputStream before = new ByteArrayOutputStream();
        before.writeBytes(code.toByteArray());
        code.reset();
        print("REFUSED " + path + "\n");
        byte[] message = code.toByteArray();
        code.reset();
        code.writeBytes(before.toByteArray());
        bytes(0x85, 0xc0, 0x74, message.length); // test eax, eax; jz over the message
        code.writeBytes(message);
        return this;
    }

    TinyInit mount(String type, String target) {
        bytes(0x45, 0x31, 0xd2, 0x45, 0x31, 0xc0); // xor r10d, r10d; xor r8d, r8d: no flags, no data
        call(SYS_MOUNT, data(type + "\0"), data(target + "\0"), data(type + "\0"));
        return this;
    }

    /** Becomes another program, with one variable in its environment: crun fails without any. */
    TinyInit exec(String path, String... arguments) {
        ByteBuffer pointers = ByteBuffer.allocate((arguments.length + 4) * 8).order(ByteOrder.LITTLE_ENDIAN);
        int name = data(path + "\0");
        pointers.putLong(name);
        for (String argument : arguments) {
            pointers.putLong(data(argument + "\0"));
        }
        pointers.putLong(0).putLong(data("PATH=/usr/bin\0")).putLong(0);
        int vector = ADDRESS + DATA + data.size();
        data.writeBytes(pointers.array());
        call(SYS_EXECVE, name, vector, vector + (arguments.length + 2) * 8);
        return this;
    }

    TinyInit reboot() {
        call(SYS_REBOOT, 0xfee1dead, 0x28121969, 0x01234567);
        return this;
    }

    private void call(int number, int first, int second, int third) {
        load(0xb8, number);
        load(0xbf, first);
        load(0xbe, second);
        load(0xba, third);
        bytes(0x0f, 0x05);
    }

    /** A mov of a constant into a register. */
    private void load(int opcode, int value) {
        code.write(opcode);
        code.writeBytes(KernelBuilder.int32(value));
    }

    private void bytes(int... values) {
        for (int value : values) {
            code.write(value);
        }
    }

    private int data(String text) {
        int at = ADDRESS + DATA + data.size();
        data.writeBytes(text.getBytes(StandardCharsets.US_ASCII));
        return at;
    }

    byte[] build() {
        if (code.size() > DATA - CODE) {
            throw new IllegalStateException("too much code: " + code.size());
        }
        int size = DATA + data.size();
        ByteBuffer file = ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
        file.putInt(0x464c457f).put((byte) 2).put((byte) 1).put((byte) 1).position(16);
        file.putShort((short) 2)
                .putShort((short) ElfFile.MACHINE_X86_64)
                .putInt(1)
                .putLong(ADDRESS + CODE);
        file.putLong(64)
                .putLong(0)
                .putInt(0)
                .putShort((short) 64)
                .putShort((short) 56)
                .putShort((short) 1);
        file.position(64);
        file.putInt(1)
                .putInt(7)
                .putLong(0)
                .putLong(ADDRESS)
                .putLong(ADDRESS)
                .putLong(size)
                .putLong(size)
                .putLong(4096);
        file.put(CODE, code.toByteArray()).put(DATA, data.toByteArray());
        return file.array();
    }
}
