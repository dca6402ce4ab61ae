// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;

/**
 * The smallest kernel that shows whether an accelerator can run one. It boots like Linux does here, through its PVH entry
 * in 32-bit mode; turns on paging and 64-bit mode; takes an exception through its interrupt table and returns from it;
 * reloads the page tables; writes and reads memory; and only then sends {@link #EXIT_CODE} through QEMU's
 * {@code isa-debug-exit} device. Hypervisors that show /dev/kvm but cannot run standard kernels (PVM) fail on the way, the
 * known ones at the exception.
 */
final class ProbeGuest {
    /** QEMU's exit code when the guest has got through: the device makes (value * 2) + 1 of the value 0x2a. */
    static final int EXIT_CODE = 0x2a * 2 + 1;

    /** The device that the guest needs. */
    static final String EXIT_DEVICE = "isa-debug-exit,iobase=0xf4,iosize=1";

    private static final int LOAD_ADDRESS = 0x100000;
    /** Page tables are at 0x110000 to 0x112fff, the stack ends at 0x120000. */
    private static final int MEMORY_BYTES = 0x21000;

    private static final int CODE_OFFSET = 0x1000;
    private static final int ELF_HEADER = 64;
    private static final int PROGRAM_HEADER = 56;
    private static final int XEN_ELFNOTE_PHYS32_ENTRY = 18;

    private static final byte[] CODE = HexFormat.of()
            .parseHex(String.join(
                    "",
                    // 32-bit, at 0x100000
                    "fa", // cli
                    "fc", // cld
                    "bc00001200", // mov esp, 0x120000
                    "bf00001100", // mov edi, 0x110000
                    "31c0", // xor eax, eax
                    "b9000c0000", // mov ecx, 0xc00
                    "f3ab", // rep stosd: three empty page tables
                    "c7050000110003101100", // mov dword [0x110000], 0x111003: level 4 to level 3
                    "c7050010110003201100", // mov dword [0x111000], 0x112003: level 3 to level 2
                    "bf00201100", // mov edi, 0x112000
                    "b883000000", // mov eax, 0x83: present, writable, 2 MiB
                    "b900020000", // mov ecx, 0x200
                    "8907", // each: mov [edi], eax
                    "83c708", // add edi, 8
                    "0500002000", // add eax, 0x200000
                    "e2f4", // loop each: the first GiB is mapped to itself
                    "b800001100", // mov eax, 0x110000
                    "0f22d8", // mov cr3, eax
                    "0f20e0", // mov eax, cr4
                    "83c820", // or eax, PAE
                    "0f22e0", // mov cr4, eax
                    "b9800000c0", // mov ecx, EFER
                    "0f32", // rdmsr
                    "0d00010000", // or eax, LME
                    "0f30", // wrmsr
                    "0f20c0", // mov eax, cr0
                    "0d01000080", // or eax, PG | PE
                    "0f22c0", // mov cr0, eax: paging is on
                    "0f0115e0001000", // lgdt [gdtr]
                    "ea7c0010000800", // jmp 8:long
                    // long: 64-bit, at 0x10007c
                    "b810000000", // mov eax, 0x10
                    "8ed8", // mov ds, eax
                    "8ec0", // mov es, eax
                    "8ed0", // mov ss, eax
                    "bc00001200", // mov esp, 0x120000
                    "0f011c2528011000", // lidt [idtr]
                    "31db", // xor ebx, ebx
                    "cc", // int3: comes back with ebx = 1
                    "0f20d8", // mov rax, cr3
                    "0f22d8", // mov cr3, rax
                    "c7042500000001aa550000", // mov dword [0x1000000], 0x55aa
                    "8b042500000001", // mov eax, [0x1000000]
                    "01d8", // add eax, ebx
                    "3dab550000", // cmp eax, 0x55ab
                    "7507", // jne stay
                    "66baf400", // mov dx, 0xf4
                    "b02a", // mov al, 0x2a
                    "ee", // out dx, al: QEMU exits
                    "f4", // stay: hlt
                    "ebfd", // jmp stay
                    // onBreakpoint: at 0x1000c2
                    "ffc3", // inc ebx
                    "48cf", // iretq
                    "6690", // padding
                    // gdt: at 0x1000c8
                    "0000000000000000",
                    "ffff0000009aaf00", // 64-bit code
                    "ffff00000092cf00", // data
                    // gdtr: at 0x1000e0
                    "1700c8001000",
                    "6690", // padding
                    // idt: at 0x1000e8, vectors 0 to 2 absent, 3 is the breakpoint
                    "000000000000000000000000000000000000000000000000",
                    "000000000000000000000000000000000000000000000000",
                    "c2000800008e10000000000000000000",
                    // idtr: at 0x100128
                    "3f00e800100000000000"));

    private ProbeGuest() {}

    static void writeTo(Path kernel) throws IOException {
        Files.write(kernel, elf());
    }

    /** An ELF file with the note by which QEMU recognises a PVH kernel, and one segment. */
    private static byte[] elf() {
        // Longer than QEMU's reads of a header, so that none comes back short.
        ByteBuffer file = ByteBuffer.allocate(2 * CODE_OFFSET).order(ByteOrder.LITTLE_ENDIAN);
        file.put(new byte[] {0x7f, 'E', 'L', 'F', 2, 1, 1}).position(16);
        file.putShort((short) 2).putShort((short) 62).putInt(1); // executable, x86-64
        file.putLong(LOAD_ADDRESS).putLong(ELF_HEADER).putLong(0).putInt(0);
        file.putShort((short) ELF_HEADER).putShort((short) PROGRAM_HEADER).putShort((short) 2);
        file.position(ELF_HEADER);
        int noteOffset = ELF_HEADER + 2 * PROGRAM_HEADER;
        int noteLength = 24;
        file.putInt(1).putInt(5).putLong(CODE_OFFSET).putLong(LOAD_ADDRESS).putLong(LOAD_ADDRESS);
        file.putLong(CODE.length).putLong(MEMORY_BYTES).putLong(0x1000);
        file.putInt(4).putInt(4).putLong(noteOffset).putLong(0).putLong(0);
        file.putLong(noteLength).putLong(noteLength).putLong(4);
        file.putInt(4).putInt(8).putInt(XEN_ELFNOTE_PHYS32_ENTRY).put(new byte[] {'X', 'e', 'n', 0});
        file.putLong(LOAD_ADDRESS);
        file.position(CODE_OFFSET);
        file.put(CODE);
        return file.array();
    }
}
