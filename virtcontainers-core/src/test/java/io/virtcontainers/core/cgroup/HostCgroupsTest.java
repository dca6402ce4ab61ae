// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core.cgroup;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.virtcontainers.AlreadyExistsException;
import io.virtcontainers.HostCgroup;
import io.virtcontainers.HostSetupException;
import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.MemorySize;
import io.virtcontainers.Resources;
import io.virtcontainers.spi.Deadline;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Version 2, on the kernel's own hierarchy, which some hosts have beside version 1 and without controllers. */
@Timeout(60)
class HostCgroupsTest {
    private static final Path UNIFIED = Path.of("/sys/fs/cgroup/unified");

    private final Path mount = Files.isDirectory(UNIFIED) ? UNIFIED : Path.of("/sys/fs/cgroup");
    private final String path = "/vctest-" + ProcessHandle.current().pid() + "/demo";
    private final HostCgroups groups = HostCgroups.at(mount);
    private Process process;

    @BeforeEach
    void start() throws IOException {
        process = new ProcessBuilder("sleep", "1000").start();
    }

    @AfterEach
    void end() throws Exception {
        int unused = process.destroyForcibly().waitFor();
        groups.remove(path, Deadline.after(Duration.ofSeconds(10)));
        Files.delete(mount.resolve(path.substring(1)).getParent());
    }

    private static HostCgroup group(String path, boolean vcpusOnly) {
        return new HostCgroup(path, vcpusOnly, Resources.none());
    }

    private String of(long pid) throws IOException {
        return Files.readString(Path.of("/proc", Long.toString(pid), "cgroup"));
    }

    @Test
    void aProcessJoinsAndTheGroupIsRemovedFromUnderIt() throws Exception {
        HostCgroup group = group(path, false);
        groups.requireAbsent(group);
        groups.make(group);
        groups.join(group, process.pid(), List.of());
        assertThat(of(process.pid())).contains("0::" + path);
        assertThatThrownBy(() -> groups.requireAbsent(group)).isInstanceOf(AlreadyExistsException.class);
        assertThatThrownBy(() -> groups.make(group)).isInstanceOf(AlreadyExistsException.class);
        assertThatThrownBy(() -> groups.remove(path, Deadline.after(Duration.ZERO)))
                .isInstanceOf(HostSetupException.class)
                .hasMessageContaining("cannot remove the cgroup " + path);
        groups.remove(path, Deadline.after(Duration.ofSeconds(10)));
        groups.remove(path, Deadline.after(Duration.ofSeconds(10)));
        groups.requireAbsent(group);
        assertThat(of(process.pid())).contains("0::" + Path.of(path).getParent() + "\n");
    }

    @Test
    void processorsAreInAThreadedGroupBelow() throws Exception {
        HostCgroup group = group(path, true);
        groups.make(group);
        groups.join(group, process.pid(), List.of(process.pid()));
        assertThat(of(process.pid())).contains("0::" + path + "/vcpus");
    }

    @Test
    void aLimitWithoutItsControllerIsAnError() throws IOException {
        Resources limits = Resources.builder().memoryLimit(MemorySize.mib(512)).build();
        if (Files.readString(mount.resolve("cgroup.controllers")).contains("memory")) {
            groups.make(new HostCgroup(path, false, limits));
            assertThat(mount.resolve(path.substring(1)).resolve("memory.max")).hasContent("536870912");
        } else {
            assertThatThrownBy(() -> groups.make(new HostCgroup(path, false, limits)))
                    .isInstanceOf(HostSetupException.class)
                    .hasMessageContaining("memory.max");
        }
    }

    @ParameterizedTest
    @CsvSource({"2, 1", "1024, 39", "262144, 10000"})
    void sharesBecomeWeights(long shares, long weight) throws IOException {
        groups.make(group(path, false)); // for the end of the test
        assertThat(UnifiedHierarchy.weight(shares)).isEqualTo(weight);
    }

    @ParameterizedTest
    @CsvSource({"a/b", "/a/../b", "/a/./b", "/a b", "/", "/a/"})
    void aPathThatCouldLeadElsewhereIsRefused(String wrong) {
        groups.make(group(path, false)); // for the end of the test
        assertThatThrownBy(() -> group(wrong, false)).isInstanceOf(InvalidConfigException.class);
    }
}
