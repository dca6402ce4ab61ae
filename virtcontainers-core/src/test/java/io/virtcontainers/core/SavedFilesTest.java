// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import static org.assertj.core.api.Assertions.assertThat;

import io.virtcontainers.MemorySize;
import io.virtcontainers.spi.MachineKey;
import io.virtcontainers.spi.MachineSize;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SavedFilesTest {
    private static final int MIB = 1 << 20;
    private static final int SIZE = 5 * MIB + 4096;
    private static final MachineSize MACHINE_SIZE = new MachineSize(1, MemorySize.mib(256));
    private static final MachineKey KEY =
            new MachineKey("fa417", MACHINE_SIZE, "abcdef", "QEMU 7.2.0 /usr/bin/qemu 1 2");

    @TempDir
    Path directory;

    private SavedFiles files;
    private byte[] content;

    @BeforeEach
    void save() throws IOException {
        files = new SavedFiles(Files.createDirectory(directory.resolve("saved")));
        content = new byte[SIZE];
        byte[] some = new byte[MIB];
        new Random(7).nextBytes(some);
        System.arraycopy(some, 0, content, 2 * MIB, MIB);
        content[100] = 1;
        Files.write(files.state(), new byte[] {1, 2, 3});
        files.sealWith(Files.write(directory.resolve("memory"), content), KEY);
    }

    @Test
    void whatWasSavedIsUsableAndHasNoEmptyPages() throws IOException {
        assertThat(files.problem(KEY)).isEmpty();
        assertThat(files.damage()).isEmpty();
        assertThat(Files.readAllBytes(files.memory())).isEqualTo(content);
        assertThat(files.bytes()).isEqualTo(MIB + 4096 + 3); // a full mebibyte, one page, the state
        assertThat(directory.resolve("memory")).doesNotExist();
        assertThat(files.said("hypervisor")).hasValue(KEY.hypervisor());
    }

    @Test
    void anotherHypervisorOrMachineIsRefused() {
        assertThat(files.problem(
                        new MachineKey(KEY.family(), MACHINE_SIZE, KEY.digest(), "QEMU 8.0.0 /usr/bin/qemu 1 2")))
                .hasValueSatisfying(reason ->
                        assertThat(reason).contains("saved by QEMU 7.2.0").contains("has QEMU 8.0.0"));
        assertThat(files.problem(new MachineKey(KEY.family(), MACHINE_SIZE, "fedcba", KEY.hypervisor())))
                .hasValueSatisfying(reason -> assertThat(reason).contains("another machine"));
    }

    @Test
    void everyFileIsNeededAndHeldToWhatWasWritten() throws IOException {
        Files.write(files.state(), new byte[] {1, 2, 2});
        assertThat(files.damage()).hasValue("its state is not what was written");
        Files.write(files.state(), new byte[] {1, 2, 3});
        assertThat(files.damage()).isEmpty();
        Files.write(files.memory(), content); // the same, but touched
        assertThat(files.damage()).hasValue("its memory was touched since it was written");
        Files.delete(files.memory());
        assertThat(files.damage())
                .hasValueSatisfying(reason -> assertThat(reason).startsWith("it cannot be read"));
        Path manifest = files.directory().resolve("manifest");
        String text = Files.readString(manifest);
        Files.writeString(manifest, text.replace("format ", "format 1"));
        assertThat(files.damage())
                .hasValueSatisfying(reason -> assertThat(reason).contains("manifest is not what was written"));
        Files.writeString(manifest, text + "x".repeat(4096));
        assertThat(files.damage())
                .hasValueSatisfying(reason -> assertThat(reason).contains("longer than 4096"));
        Files.writeString(manifest, "");
        assertThat(files.damage())
                .hasValueSatisfying(reason -> assertThat(reason).contains("manifest is not what was written"));
        Files.delete(manifest);
        assertThat(files.damage()).hasValue("it has no manifest");
        assertThat(files.problem(KEY)).hasValue("there is none");
        assertThat(files.bytes()).isEqualTo(3);
    }
}
