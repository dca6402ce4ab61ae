// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import static io.virtcontainers.VmFixture.output;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Files into and out of a container, also of one that is hostile. */
@Tag("vm")
@Timeout(120)
class CopyFilesVmTest {
    private static final MemorySize MAX = MemorySize.mib(64);

    @TempDir
    Path directory;

    private VmFixture fixture;
    private Container container;
    private Path out;

    @BeforeEach
    void open() throws IOException {
        fixture = new VmFixture(directory);
        Sandbox sandbox = fixture.sandbox("copy");
        container = fixture.container(sandbox, "c", "sleep", "1000");
        container.start();
        out = Files.createDirectory(directory.resolve("out"));
    }

    @AfterEach
    void close() throws IOException {
        fixture.close();
    }

    private String shell(String script) throws IOException {
        GuestProcess process = container.exec(ProcessConfig.of("sh", "-c", "{ " + script + "; } 2>&1"));
        process.stdin().close();
        return output(process).strip();
    }

    private static GuestPath guest(String path) {
        return GuestPath.of(path);
    }

    @Test
    void aFileGoesInAndOutWithItsModeWholeAndInPlaceOfAnother() throws IOException {
        byte[] bytes = new byte[(5 << 20) + 17];
        new Random(7).nextBytes(bytes);
        Path file = Files.write(directory.resolve("big"), bytes);
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-x--x"));
        container.copyIn(file, guest("/root/big"));
        assertThat(shell("stat -c '%a %s' /root/big; ls -A /root")).isEqualTo("751 " + bytes.length + "\nbig");
        Path back = Files.writeString(out.resolve("back"), "was here");
        container.copyOut(guest("/root/big"), back, MAX);
        assertThat(back).hasBinaryContent(bytes);
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(back)))
                .isEqualTo("rwxr-x--x");
        Path empty = Files.createFile(directory.resolve("empty"));
        container.copyIn(empty, guest("/root/big"));
        container.copyOut(guest("/root/big"), back, MAX);
        assertThat(back).isEmptyFile();
    }

    @Test
    void noPathLeadsOutOfTheContainer() throws IOException {
        Path file = Files.writeString(directory.resolve("file"), "of the host\n");
        String made = shell("ln -s / /up && ln -s ../../../.. /dots && ln -s /etc /dir && mkdir -p /etc");
        assertThat(made).isEmpty();
        for (String target : new String[] {"/up/etc/a", "/dots/etc/b", "/dir/c"}) {
            container.copyIn(file, guest(target));
        }
        assertThat(shell("cd /etc; cat a b c"))
                .isEqualTo("of the host\n".repeat(3).strip());
        // The guest has these, the container does not.
        for (String source : new String[] {"/up/init", "/dots/init", "/proc/1/root/init"}) {
            assertThatThrownBy(() -> container.copyOut(guest(source), out.resolve("x"), MAX))
                    .isInstanceOf(VirtException.class);
        }
        try (Stream<Path> left = Files.list(out)) {
            assertThat(left).isEmpty();
        }
    }

    @Test
    void whatIsNoFileIsRefusedAndNothingBlocks() throws IOException {
        assertThat(shell("mkfifo /fifo; mkdir /d; ln -s /dev/zero /zero; echo x > /x; ln -s /loop /loop"))
                .isEmpty();
        for (String source : new String[] {"/fifo", "/d", "/zero", "/missing", "/loop"}) {
            assertThatThrownBy(() -> container.copyOut(guest(source), out.resolve("x"), MAX))
                    .isInstanceOf(VirtException.class)
                    .hasMessageContaining(source);
        }
        Path file = Files.writeString(directory.resolve("file"), "x");
        for (String target : new String[] {"/d", "/no/such", "/x/y", "/"}) {
            assertThatThrownBy(() -> container.copyIn(file, guest(target))).isInstanceOf(VirtException.class);
        }
        assertThatThrownBy(() -> container.copyIn(directory, guest("/y"))).isInstanceOf(HostSetupException.class);
        assertThatThrownBy(() -> container.copyIn(out.resolve("none"), guest("/y")))
                .isInstanceOf(HostSetupException.class);
        assertThatThrownBy(() -> container.copyOut(guest("/x"), out, MAX)).isInstanceOf(HostSetupException.class);
    }

    @Test
    void aFileIsNoLargerThanItMayBe() throws IOException {
        assertThat(shell("dd if=/dev/zero of=/big bs=1M count=3 2>/dev/null; truncate -s 1024G /huge"))
                .isEmpty();
        for (String source : new String[] {"/big", "/huge"}) {
            assertThatThrownBy(() -> container.copyOut(guest(source), out.resolve("x"), MemorySize.mib(2)))
                    .isInstanceOf(AgentException.class)
                    .hasMessageContaining("more than the 2097152");
        }
        try (Stream<Path> left = Files.list(out)) {
            assertThat(left).isEmpty();
        }
    }

    @Test
    void anEndedContainerHasNoFiles() throws IOException {
        container.stop();
        assertThatThrownBy(() -> container.copyOut(guest("/etc/passwd"), out.resolve("x"), MAX))
                .isInstanceOf(VirtException.class);
    }
}
