// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

final class ElfFileTest {
    private static ElfFile read(byte[] bytes) throws IOException {
        return ElfFile.read(ByteSource.of(bytes));
    }

    @Test
    void readsWhatTheDynamicLoaderReads() throws IOException {
        ElfFile elf = read(new ElfBuilder()
                .interpreter("/lib64/ld.so")
                .needs("liba.so.1", "libb.so")
                .runpath("/x:$ORIGIN/y")
                .rpath("/ignored")
                .build());
        assertThat(elf.interpreter()).contains("/lib64/ld.so");
        assertThat(elf.dynamic().needed()).containsExactly("liba.so.1", "libb.so");
        assertThat(elf.dynamic().runpath()).containsExactly("/x", "$ORIGIN/y");
        assertThat(elf.dynamic().rpath()).as("RUNPATH replaces RPATH").isEmpty();
        assertThat(elf.machine()).isEqualTo(ElfFile.MACHINE_X86_64);
    }

    @Test
    void keepsTheRpathWhereThereIsNoRunpath() throws IOException {
        assertThat(read(new ElfBuilder().rpath("/a:/b").build()).dynamic().rpath())
                .containsExactly("/a", "/b");
    }

    @Test
    void aStaticProgramNeedsNothing() throws IOException {
        ElfFile elf = read(new ElfBuilder().build());
        assertThat(elf.interpreter()).isEmpty();
        assertThat(elf.dynamic().needed()).isEmpty();
        assertThat(elf.section(".modinfo")).isEmpty();
    }

    @Test
    void findsANoteByOwnerAndType() throws IOException {
        ElfFile elf = read(new ElfBuilder().pvhNote().build());
        assertThat(elf.hasNote("Xen", 18)).isTrue();
        assertThat(elf.hasNote("Xen", 17)).isFalse();
        assertThat(elf.hasNote("Xe", 18)).isFalse();
        assertThat(elf.hasNote("Linux", 18)).isFalse();
    }

    @Test
    void findsASectionByName() throws IOException {
        ElfFile elf = read(new ElfBuilder().modinfo("depends=a").build());
        assertThat(elf.section(".modinfo")).hasValue("depends=a\0".getBytes(StandardCharsets.UTF_8));
        assertThat(elf.section(".text")).isEmpty();
    }

    @Test
    void refusesOtherFiles() {
        assertThatThrownBy(() -> read(new byte[100]))
                .isInstanceOf(MalformedException.class)
                .hasMessageContaining("not an ELF file");
        assertThatThrownBy(() -> read(new byte[0])).isInstanceOf(MalformedException.class);
        byte[] narrow = new ElfBuilder().build();
        narrow[4] = 1;
        assertThatThrownBy(() -> read(narrow)).hasMessageContaining("64-bit");
    }

    @Test
    void damagedFilesGiveNothingButTheTypedError() throws IOException {
        byte[] good = new ElfBuilder()
                .interpreter("/lib64/ld.so")
                .needs("liba.so.1")
                .runpath("/x")
                .pvhNote()
                .modinfo("depends=a")
                .build();
        Random random = new Random(42);
        int errors = 0;
        for (int round = 0; round < 20_000; round++) {
            byte[] bad = round % 4 == 0 ? Arrays.copyOf(good, random.nextInt(good.length)) : good.clone();
            for (int i = 0; i < 3 && bad.length > 0; i++) {
                bad[random.nextInt(bad.length)] = (byte) random.nextInt();
            }
            try {
                ElfFile elf = read(bad);
                elf.interpreter();
                elf.dynamic();
                elf.hasNote("Xen", 18);
                elf.section(".modinfo");
            } catch (MalformedException e) {
                errors++;
            }
        }
        assertThat(errors).isGreaterThan(5_000);
    }
}
