// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.virtcontainers.HostSetupException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ProgramFilesTest {
    @TempDir
    private Path root;

    private Path write(String path, ElfBuilder elf) throws IOException {
        Path file = root.resolve(path);
        Files.createDirectories(file.getParent());
        return Files.write(file, elf.build());
    }

    private List<String> collect(Path program) throws IOException {
        return ProgramFiles.collect(
                        program,
                        "/usr/bin/program",
                        ElfFile.MACHINE_X86_64,
                        List.of(root.resolve("lib1"), root.resolve("lib2")))
                .stream()
                .map(GuestFile::path)
                .toList();
    }

    private String in(String path) {
        return root.resolve(path).toString();
    }

    @Test
    void collectsTheInterpreterAndAllLibrariesOnce() throws IOException {
        write("ld.so.2", new ElfBuilder());
        write("lib1/liba.so.1", new ElfBuilder().needs("libb.so.1", "ld.so.2"));
        write("lib2/libb.so.1", new ElfBuilder().needs("liba.so.1"));
        Path program =
                write("program", new ElfBuilder().interpreter(in("ld.so.2")).needs("liba.so.1", "libb.so.1"));
        assertThat(collect(program))
                .containsExactly("/usr/bin/program", in("ld.so.2"), in("lib1/liba.so.1"), in("lib2/libb.so.1"));
    }

    @Test
    void storesTheFileBehindALinkUnderTheNameThatTheLoaderAsksFor() throws IOException {
        Path real = write("lib1/liba.so.1.2.3", new ElfBuilder());
        Files.createSymbolicLink(root.resolve("lib1/liba.so.1"), real.getFileName());
        List<GuestFile> files = ProgramFiles.collect(
                write("program", new ElfBuilder().needs("liba.so.1")),
                "/usr/bin/program",
                ElfFile.MACHINE_X86_64,
                List.of(root.resolve("lib1")));
        assertThat(files.get(1).path()).isEqualTo(in("lib1/liba.so.1"));
        assertThat(files.get(1).content().sha256()).isEqualTo(Sha256.of(Files.readAllBytes(real)));
    }

    @Test
    void passesOverLibrariesForOtherMachines() throws IOException {
        write("lib1/liba.so.1", new ElfBuilder().machine(ElfFile.MACHINE_AARCH64));
        write("lib2/liba.so.1", new ElfBuilder());
        assertThat(collect(write("program", new ElfBuilder().needs("liba.so.1"))))
                .containsExactly("/usr/bin/program", in("lib2/liba.so.1"));
    }

    @Test
    void runpathGoesBeforeTheDefaultFoldersAndIsNotInherited() throws IOException {
        write("own/liba.so.1", new ElfBuilder().needs("libb.so.1"));
        write("own/libb.so.1", new ElfBuilder());
        write("lib1/liba.so.1", new ElfBuilder());
        write("lib1/libb.so.1", new ElfBuilder());
        assertThat(collect(write("program", new ElfBuilder().runpath(in("own")).needs("liba.so.1"))))
                .containsExactly("/usr/bin/program", in("own/liba.so.1"), in("lib1/libb.so.1"));
    }

    @Test
    void rpathIsInherited() throws IOException {
        write("own/liba.so.1", new ElfBuilder().needs("libb.so.1"));
        write("own/libb.so.1", new ElfBuilder());
        write("lib1/libb.so.1", new ElfBuilder());
        assertThat(collect(write("program", new ElfBuilder().rpath(in("own")).needs("liba.so.1"))))
                .containsExactly("/usr/bin/program", in("own/liba.so.1"), in("own/libb.so.1"));
    }

    @Test
    void originIsTheProgramsFolderOnEachSide() throws IOException {
        write("opt/lib/liba.so.1", new ElfBuilder());
        assertThat(collect(write(
                        "opt/bin/program",
                        new ElfBuilder().runpath("$ORIGIN/../lib").needs("liba.so.1"))))
                .containsExactly("/usr/bin/program", "/usr/lib/liba.so.1");
    }

    @Test
    void namesTheMissingLibraryAndWhoNeedsIt() throws IOException {
        Path library = write("lib1/liba.so.1", new ElfBuilder().needs("libgone.so.7"));
        Path program = write("program", new ElfBuilder().needs("liba.so.1"));
        assertThatThrownBy(() -> collect(program))
                .isInstanceOf(HostSetupException.class)
                .hasMessageContaining("libgone.so.7, which " + library + " needs");
    }

    @Test
    void refusesWhatIsNoProgramForTheGuest() throws IOException {
        Path script = Files.writeString(root.resolve("script"), "#!/bin/sh\nexec crun\n");
        assertThatThrownBy(() -> collect(script))
                .isInstanceOf(HostSetupException.class)
                .hasMessageContaining(script.toString())
                .hasMessageContaining("not an ELF file");
        Path foreign = write("foreign", new ElfBuilder().machine(ElfFile.MACHINE_AARCH64));
        assertThatThrownBy(() -> collect(foreign)).hasMessageContaining("another machine");
    }
}
