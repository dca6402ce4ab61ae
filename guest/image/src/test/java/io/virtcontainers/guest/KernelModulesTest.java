// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.github.luben.zstd.Zstd;
import io.virtcontainers.HostSetupException;
import io.virtcontainers.spi.Deadline;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.tukaani.xz.LZMA2Options;
import org.tukaani.xz.XZOutputStream;

final class KernelModulesTest {
    @TempDir
    private Path folder;

    private static byte[] module(String depends, String... more) {
        String[] fields = new String[more.length + 1];
        fields[0] = "depends=" + depends;
        System.arraycopy(more, 0, fields, 1, more.length);
        return new ElfBuilder().modinfo(fields).build();
    }

    private void write(String path, byte[] content) throws IOException {
        Path file = folder.resolve(path);
        Files.createDirectories(file.getParent());
        Files.write(file, content);
    }

    private KernelModules open() throws IOException {
        return KernelModules.open("6.1-test", folder, Deadline.after(Duration.ofSeconds(30)));
    }

    private static List<String> names(List<KernelModules.Module> modules) {
        return modules.stream().map(KernelModules.Module::name).toList();
    }

    @Test
    void givesDependenciesFirstAndEachModuleOnce() throws IOException {
        write("kernel/d.ko", module(""));
        write("kernel/b.ko", module("d"));
        write("kernel/c.ko", module("d,b"));
        write("kernel/a.ko", module("b,c"));
        write("kernel/e.ko", module("c"));
        KernelModules modules = open();
        assertThat(names(modules.resolve(List.of("a"), List.of()))).containsExactly("d", "b", "c", "a");
        assertThat(names(modules.resolve(List.of("b", "e"), List.of()))).containsExactly("e");
        assertThat(names(modules.resolve(List.of("a", "e"), List.of()))).isEmpty();
    }

    @Test
    void whatIsGivenApartIsGivenAgain() throws IOException {
        write("kernel/common.ko", module(""));
        write("kernel/shared.ko", module("common"));
        write("kernel/a.ko", module("shared"));
        write("kernel/b.ko", module("shared"));
        KernelModules modules = open();
        assertThat(names(modules.resolve(List.of("common"), List.of()))).containsExactly("common");
        assertThat(names(modules.resolveApart(List.of("a", "missing")))).containsExactly("shared", "a");
        assertThat(names(modules.resolveApart(List.of("b")))).containsExactly("shared", "b");
    }

    @Test
    void dashAndUnderscoreAreOne() throws IOException {
        write("kernel/snd-a.ko", module("snd_b"));
        write("kernel/snd-b.ko", module(""));
        List<KernelModules.Module> modules = open().resolve(List.of("snd_a"), List.of());
        assertThat(names(modules)).containsExactly("snd_b", "snd_a");
        assertThat(modules.get(1).relativePath()).isEqualTo("kernel/snd-a.ko");
    }

    @Test
    void skipsWhatIsBuiltIn() throws IOException {
        write("modules.builtin", "kernel/drivers/virtio/virtio-ring.ko\n".getBytes(StandardCharsets.UTF_8));
        write("kernel/a.ko", module("virtio_ring"));
        assertThat(names(open().resolve(List.of("virtio_ring", "a"), List.of())))
                .containsExactly("a");
    }

    @Test
    void softDependenciesAreOptionalAndInOrder() throws IOException {
        write("kernel/a.ko", module("", "softdep=pre: early missing post: late", "softdep=pre: crc32c"));
        write("kernel/early.ko", module(""));
        write("kernel/late.ko", module("a"));
        write("kernel/crc32c-intel.ko", module(""));
        assertThat(names(open().resolve(List.of("a"), List.of())))
                .containsExactly("early", "crc32c_intel", "a", "late");
        write("kernel/crc32c_generic.ko", module(""));
        assertThat(names(open().resolve(List.of("a"), List.of())))
                .as("the portable one is preferred")
                .containsExactly("early", "crc32c_generic", "a", "late");
        write("modules.builtin", "kernel/crypto/crc32c_generic.ko\n".getBytes(StandardCharsets.UTF_8));
        assertThat(names(open().resolve(List.of("a"), List.of()))).containsExactly("early", "a", "late");
    }

    @Test
    void namesTheMissingModuleAndWhoNeedsIt() throws IOException {
        write("kernel/a.ko", module("b"));
        write("kernel/b.ko", module("gone"));
        assertThatThrownBy(() -> open().resolve(List.of("a"), List.of()))
                .isInstanceOf(HostSetupException.class)
                .hasMessageContaining("lacks the module gone (which b needs)")
                .hasMessageContaining(folder.toString());
        assertThatThrownBy(() -> open().resolve(List.of("erofs"), List.of()))
                .isInstanceOf(HostSetupException.class)
                .hasMessageContaining("lacks the module erofs:");
    }

    @Test
    void optionalModulesMayBeMissing() throws IOException {
        write("kernel/net.ko", module("failover"));
        write("kernel/failover.ko", module(""));
        assertThat(names(open().resolve(List.of(), List.of("absent", "net")))).containsExactly("failover", "net");
    }

    @Test
    void refusesModulesThatNeedEachOther() throws IOException {
        write("kernel/a.ko", module("b"));
        write("kernel/b.ko", module("a"));
        assertThatThrownBy(() -> open().resolve(List.of("a"), List.of()))
                .isInstanceOf(HostSetupException.class)
                .hasMessageContaining("a -> b -> a");
    }

    @Test
    void unpacksModules() throws IOException {
        byte[] plain = module("");
        ByteArrayOutputStream gzip = new ByteArrayOutputStream();
        try (OutputStream out = new GZIPOutputStream(gzip)) {
            out.write(plain);
        }
        ByteArrayOutputStream xz = new ByteArrayOutputStream();
        try (OutputStream out = new XZOutputStream(xz, new LZMA2Options(0))) {
            out.write(plain);
        }
        write("kernel/g.ko.gz", gzip.toByteArray());
        write("kernel/x.ko.xz", xz.toByteArray());
        write("kernel/z.ko.zst", Zstd.compress(plain));
        write("kernel/p.ko", plain);
        List<KernelModules.Module> modules = open().resolve(List.of("g", "x", "z", "p"), List.of());
        assertThat(modules)
                .extracting(KernelModules.Module::relativePath)
                .containsExactly("kernel/g.ko", "kernel/x.ko", "kernel/z.ko", "kernel/p.ko");
        assertThat(modules)
                .allSatisfy(module -> assertThat(module.content().sha256()).isEqualTo(Sha256.of(plain)));
    }

    @Test
    void namesADamagedModule() throws IOException {
        write("kernel/x.ko.xz", new byte[100]);
        write("kernel/e.ko", new ElfBuilder().build());
        assertThatThrownBy(() -> open().resolve(List.of("x"), List.of()))
                .isInstanceOf(HostSetupException.class)
                .hasMessageContaining("x.ko.xz");
        assertThatThrownBy(() -> open().resolve(List.of("e"), List.of()))
                .isInstanceOf(HostSetupException.class)
                .hasMessageContaining("it has no .modinfo");
    }

    @Test
    void updatesGoFirst() throws IOException {
        write("kernel/a.ko", module(""));
        write("updates/dkms/a.ko", module(""));
        assertThat(open().resolve(List.of("a"), List.of()).get(0).relativePath())
                .isEqualTo("updates/dkms/a.ko");
    }
}
