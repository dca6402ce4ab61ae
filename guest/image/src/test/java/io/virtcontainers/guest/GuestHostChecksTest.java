// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import static org.assertj.core.api.Assertions.assertThat;

import io.virtcontainers.GuestRoot;
import io.virtcontainers.HostCheck;
import io.virtcontainers.spi.Deadline;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class GuestHostChecksTest {
    @TempDir
    private Path root;

    private List<HostCheck> check(Host host, Optional<Path> kernel, GuestRoot guestRoot) {
        return GuestHostChecks.of(
                host, root.resolve("cache"), kernel, guestRoot, Deadline.after(Duration.ofSeconds(30)));
    }

    @Test
    void aHostThatHasAll() throws IOException {
        TestHost host = new TestHost(root);
        List<HostCheck> checks = check(host.host(), Optional.empty(), GuestRoot.builtIn());
        assertThat(checks).noneMatch(HostCheck::isFailed);
        assertThat(checks.stream().map(HostCheck::name))
                .containsExactly("guest kernel", "guest agent", "crun", "mkfs.erofs");
        assertThat(checks.get(0).finding())
                .isEqualTo(host.kernel() + ", version " + KernelBuilder.RELEASE + ", modules in "
                        + TestHost.modules(root));
        assertThat(Files.exists(root.resolve("cache"))).isFalse();
    }

    @Test
    void eachMissingThingHasItsRemedy() throws IOException {
        Host empty = new Host(
                Map.of("PATH", "/no"),
                root.resolve("boot"),
                List.of(),
                "riscv64",
                Optional.empty(),
                false,
                TestHost.LATER);
        List<HostCheck> checks = check(empty, Optional.empty(), GuestRoot.builtIn());
        assertThat(checks.get(0).finding()).contains("no guest kernel found").contains("install linux-image");
        assertThat(checks.get(1).finding()).contains("no guest agent for the architecture riscv64");
        assertThat(checks.subList(0, 2)).allMatch(HostCheck::isFailed);
        Host noCrun =
                new TestHost(root).variable("VIRTCONTAINERS_CRUN", "/no/crun").host();
        assertThat(check(noCrun, Optional.empty(), GuestRoot.builtIn()).get(2).finding())
                .isEqualTo("VIRTCONTAINERS_CRUN /no/crun: there is no such file; set it to crun, or unset it");
    }

    @Test
    void aKernelWithoutItsModulesOrThatIsNoKernel() throws IOException {
        TestHost host = new TestHost(root);
        Path alone = Files.copy(host.kernel(), root.resolve("alone"));
        Host without = new Host(
                host.host().environment(),
                root.resolve("boot"),
                List.of(),
                "x86_64",
                host.host().agent(),
                true,
                TestHost.LATER);
        HostCheck kernel =
                check(without, Optional.of(alone), GuestRoot.builtIn()).get(0);
        assertThat(kernel.isFailed()).isTrue();
        assertThat(kernel.finding())
                .contains("its modules are in none of")
                .contains("install the kernel's whole package");
        Path text = Files.writeString(root.resolve("text"), "no kernel");
        assertThat(check(host.host(), Optional.of(text), GuestRoot.builtIn())
                        .get(0)
                        .finding())
                .startsWith("kernel " + text + ": ");
    }

    @Test
    void aGivenRootMustBeThere() throws IOException {
        TestHost host = new TestHost(root);
        Path initrd = Files.writeString(root.resolve("initrd"), "x");
        List<HostCheck> checks = check(host.host(), Optional.empty(), GuestRoot.initrd(initrd));
        assertThat(checks.get(1)).isEqualTo(HostCheck.ok("guest image", initrd.toString(), initrd));
        HostCheck missing = check(host.host(), Optional.empty(), GuestRoot.image(root.resolve("none")))
                .get(1);
        assertThat(missing.isFailed()).isTrue();
        assertThat(missing.finding()).contains("is no file that this user can read");
    }
}
