// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.virtcontainers.HostSetupException;
import io.virtcontainers.InvalidConfigException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class KernelFinderTest {
    @TempDir
    private Path root;

    private KernelFinder finder(Map<String, String> environment) {
        Host host = new Host(
                environment,
                root.resolve("boot"),
                List.of(root.resolve("lib/modules")),
                "x86_64",
                Optional.empty(),
                true,
                TestHost.LATER);
        return new KernelFinder(host, root.resolve("cache"));
    }

    private Path kernel(String folder, String modules, String release) throws IOException {
        Files.createDirectories(root.resolve(modules).resolve(release));
        Path file = root.resolve(folder).resolve("vmlinuz-" + release);
        Files.createDirectories(file.getParent());
        return Files.writeString(file, "kernel");
    }

    private Path find() throws IOException {
        return finder(Map.of()).find(Optional.empty()).path();
    }

    @Test
    void takesTheExplicitKernelThenTheVariable() throws IOException {
        Path asked = Files.writeString(root.resolve("asked"), "");
        Path variable = Files.writeString(root.resolve("variable"), "");
        kernel("boot", "lib/modules", "6.1.0-1-cloud-amd64");
        KernelFinder finder = finder(Map.of("VIRTCONTAINERS_KERNEL", variable.toString()));
        assertThat(finder.find(Optional.of(asked)).path()).isEqualTo(asked);
        assertThat(finder.find(Optional.empty())).isEqualTo(new KernelFile(variable, "VIRTCONTAINERS_KERNEL"));
    }

    @Test
    void prefersUnpackedOverInstalledCloudOverOthersAndNewestFirst() throws IOException {
        kernel("boot", "lib/modules", "6.12.0-1-amd64");
        Path newestOther = kernel("boot", "lib/modules", "6.13.0-1-amd64");
        assertThat(find()).isEqualTo(newestOther);
        kernel("boot", "lib/modules", "6.1.0-9-cloud-amd64");
        Path newestCloud = kernel("boot", "lib/modules", "6.1.0-10-cloud-amd64");
        assertThat(find()).isEqualTo(newestCloud);
        kernel("cache/kernel/a/boot", "cache/kernel/a/lib/modules", "5.10.0-1-cloud-amd64");
        Path unpacked = kernel("cache/kernel/b/boot", "cache/kernel/b/usr/lib/modules", "5.10.0-2-cloud-amd64");
        assertThat(find()).isEqualTo(unpacked);
    }

    @Test
    void passesOverKernelsThatCannotBeUsedAndSaysSo() throws IOException {
        Path bare =
                Files.writeString(Files.createDirectories(root.resolve("boot")).resolve("vmlinuz-9.9"), "");
        Path unreadable = Files.createSymbolicLink(root.resolve("boot/vmlinuz-9.8"), Path.of("/nowhere"));
        assertThatThrownBy(this::find)
                .isInstanceOf(HostSetupException.class)
                .hasMessageContaining(bare + " (without its modules lib/modules/9.9)")
                .hasMessageContaining(unreadable + " (not readable")
                .hasMessageContaining("make setup")
                .hasMessageContaining("linux-image-cloud-amd64")
                .hasMessageContaining("VIRTCONTAINERS_KERNEL");
        Path good = kernel("boot", "lib/modules", "5.1");
        assertThat(find()).isEqualTo(good);
    }

    @Test
    void saysWhereItLookedWhenThereIsNothing() {
        assertThatThrownBy(this::find)
                .isInstanceOf(HostSetupException.class)
                .hasMessageContaining(root.resolve("cache/kernel").toString())
                .hasMessageContaining(root.resolve("boot").toString());
    }

    @Test
    void refusesAnExplicitKernelThatIsNone() {
        assertThatThrownBy(() -> finder(Map.of()).find(Optional.of(root.resolve("absent"))))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessage("kernel " + root.resolve("absent") + ": there is no such file");
        assertThatThrownBy(() ->
                        finder(Map.of("VIRTCONTAINERS_KERNEL", root.toString())).find(Optional.empty()))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessage("VIRTCONTAINERS_KERNEL " + root + ": not a file");
    }

    @Test
    void looksForModulesBesideTheKernelThenOnTheHost() throws IOException {
        Path kernel = root.resolve("pkg/boot/vmlinuz");
        Path ofHost = Files.createDirectories(root.resolve("lib/modules/1.2"));
        assertThat(finder(Map.of()).modulesDirectory(kernel, "1.2")).contains(ofHost);
        Path ofPackage = Files.createDirectories(root.resolve("pkg/lib/modules/1.2"));
        assertThat(finder(Map.of()).modulesDirectory(kernel, "1.2")).contains(ofPackage);
        assertThat(finder(Map.of()).modulesDirectory(kernel, "1.3")).isEmpty();
    }
}
