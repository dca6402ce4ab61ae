// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import static io.virtcontainers.VmFixture.allOutput;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What containers see of the host's files, as copies. */
@Tag("vm")
@Timeout(120)
class MountsVmTest {
    @TempDir
    Path directory;

    private VmFixture fixture;
    private Sandbox sandbox;
    private Path data;

    @BeforeEach
    void open() throws IOException {
        fixture = new VmFixture(directory);
        sandbox = fixture.sandbox("mounts");
        data = Files.createDirectories(directory.resolve("data"));
        Files.writeString(Files.createDirectory(data.resolve("sub")).resolve("file"), "of the host\n");
    }

    @AfterEach
    void close() throws IOException {
        fixture.close();
    }

    private Container container(String id, Mount... mounts) {
        return fixture.sleeping(sandbox, id, mounts);
    }

    @Test
    void aDirectoryIsACopyWithALayerThatEndsWithTheContainer() throws IOException {
        Mount writable = new Mount.Bind(data, GuestPath.of("/work/data"), false);
        Container container = container("c", writable);
        assertThat(allOutput(
                        container,
                        "cat /work/data/sub/file; echo changed > /work/data/sub/file; cat /work/data/sub/file"))
                .isEqualTo("of the host\nchanged");
        assertThat(data.resolve("sub/file")).hasContent("of the host\n");
        container.stop();
        container.start();
        assertThat(allOutput(container, "cat /work/data/sub/file")).isEqualTo("of the host");
        container.delete();
        Container another = container("c", writable);
        assertThat(allOutput(another, "cat /work/data/sub/file")).isEqualTo("of the host");
    }

    @Test
    void aReadOnlyOneCannotBeWritten() throws IOException {
        Path file = Files.writeString(directory.resolve("hosts"), "10.0.0.1 one\n");
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-r-----"));
        Container container = container(
                "c",
                new Mount.Bind(data, GuestPath.of("/data"), true),
                new Mount.Bind(file, GuestPath.of("/etc/hosts"), true));
        assertThat(allOutput(container, "cat /etc/hosts; stat -c %a /etc/hosts; echo x >> /etc/hosts"))
                .startsWith("10.0.0.1 one\n640\n")
                .contains("Read-only file system");
        assertThat(allOutput(container, "cat /data/sub/file; echo x > /data/sub/file"))
                .startsWith("of the host\n")
                .contains("Read-only file system");
    }

    @Test
    void aTmpfsHasItsSize() throws IOException {
        Container container = container("c", new Mount.Tmpfs(GuestPath.of("/scratch"), MemorySize.mib(3)));
        assertThat(allOutput(
                        container,
                        "df -k /scratch | tail -n 1; head -c 4000000 /dev/zero > /scratch/x; wc -c < /scratch/x"))
                .contains("3072")
                .endsWith("3145728");
    }

    @Test
    void containersOfOneSandboxDoNotShareWhatTheyWrite() throws IOException {
        Mount both = new Mount.Bind(data, GuestPath.of("/data"), false);
        Container one = container("one", both);
        Container two = container("one-0", both);
        assertThat(allOutput(one, "echo mine > /data/sub/file")).isEmpty();
        assertThat(allOutput(two, "cat /data/sub/file")).isEqualTo("of the host");
    }

    @Test
    void manyContainersWithTwoDirectoriesEachLoseNoSlot() throws IOException {
        for (int i = 0; i < 12; i++) { // more than the machine has slots
            Container container = container(
                    "c" + i,
                    new Mount.Bind(data, GuestPath.of("/a"), false),
                    new Mount.Bind(data, GuestPath.of("/b"), true));
            assertThat(allOutput(container, "cat /a/sub/file /b/sub/file")).isEqualTo("of the host\nof the host");
            container.delete();
        }
    }

    @Test
    void aSourceThatIsNotThereIsRefusedBeforeAnythingIsDone() {
        List<Mount> wrong = new ArrayList<>(List.of(
                new Mount.Bind(directory.resolve("none"), GuestPath.of("/x"), true),
                new Mount.Bind(Path.of("/dev/null"), GuestPath.of("/x"), true)));
        for (Mount mount : wrong) {
            assertThatThrownBy(() -> container("c", mount))
                    .isInstanceOf(InvalidConfigException.class)
                    .hasMessageContaining("source of the mount on /x")
                    .hasMessageContaining("is no file or directory that can be read");
        }
        assertThat(sandbox.containers()).isEmpty();
    }

    @Test
    void aVolumeIsSharedByTheContainersOfTheSandbox() throws IOException {
        Mount volume = new Mount.Volume("scratch", GuestPath.of("/data"), MemorySize.mib(4));
        Container first = container("first", volume);
        Container second =
                container("second", new Mount.Volume("scratch", GuestPath.of("/elsewhere"), MemorySize.mib(4)));
        assertThat(allOutput(first, "echo shared > /data/file; stat -c %a /data"))
                .isEqualTo("1777");
        assertThat(allOutput(second, "cat /elsewhere/file; df -m /elsewhere | awk 'END {print $2}'"))
                .isEqualTo("shared\n4");
        first.delete();
        assertThat(allOutput(second, "cat /elsewhere/file")).isEqualTo("shared");
        second.delete();
        assertThat(allOutput(container("third", volume), "ls -A /data")).isEmpty();
        assertThatThrownBy(() -> new Mount.Volume("../x", GuestPath.of("/data"), MemorySize.mib(4)))
                .isInstanceOf(InvalidConfigException.class);
    }
}
