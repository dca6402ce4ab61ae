// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.oci;

import static io.virtcontainers.oci.TestSpecs.at;
import static io.virtcontainers.oci.TestSpecs.minimal;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.virtcontainers.ContainerConfig;
import io.virtcontainers.GuestPath;
import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.MemorySize;
import io.virtcontainers.RootFs;
import io.virtcontainers.SandboxConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class BundleTest {
    @TempDir
    Path directory;

    @BeforeEach
    void makeRootFileSystem() throws IOException {
        Files.createDirectory(directory.resolve("rootfs"));
    }

    private Bundle load(String json) throws IOException {
        Files.writeString(directory.resolve("config.json"), json);
        return Bundle.load(directory);
    }

    private static ContainerConfig config(Bundle bundle) {
        return bundle.containerConfig("c1", bundle.guestSpec(false), mount -> Optional.of(GuestPath.of("/guest")));
    }

    @Test
    void becomesAContainer() throws IOException {
        Bundle bundle = load(TestSpecs.full());

        ContainerConfig container = config(bundle);

        assertThat(container.id()).isEqualTo("c1");
        assertThat(container.rootfs()).isEqualTo(RootFs.directory(directory.resolve("rootfs")));
        assertThat(container.readOnlyRootfs()).isTrue();
        assertThat(container.process())
                .isEqualTo(bundle.spec().process().orElseThrow().toConfig());
        assertThat(container.resources().memoryLimit()).contains(MemorySize.mib(512));
        assertThat(at(container.spec().orElseThrow(), "/mounts/0/source").textValue())
                .isEqualTo("/guest");
    }

    @Test
    void keepsItsAnnotationsAndAddsKatas() throws IOException {
        Bundle bundle = load(minimal("'annotations': {'a': 'b', 'io.katacontainers.pkg.oci.container_type': 'x'}"));

        Map<String, String> expected = Map.of(
                "a", "b",
                "io.katacontainers.pkg.oci.bundle_path", directory.toString(),
                "io.katacontainers.pkg.oci.container_type", "pod_sandbox");
        assertThat(config(bundle).annotations()).isEqualTo(expected);
        assertThat(bundle.sandboxConfig("s1").build().annotations()).isEqualTo(expected);
    }

    @Test
    void knowsItsSandbox() throws IOException {
        Bundle alone = load(minimal(""));
        assertThat(alone.containerType()).isEqualTo(ContainerType.SANDBOX);
        assertThat(alone.sandboxId("c1")).isEqualTo("c1");

        Bundle member = load(TestSpecs.resource("containerd-cri.json"));
        assertThat(member.containerType()).isEqualTo(ContainerType.CONTAINER);
        assertThat(member.sandboxId("c1")).isEqualTo("8d2e61f0c3a4");
    }

    @Test
    void givesTheSandboxItsHostNameCutToItsLength() throws IOException {
        assertThat(load(minimal("'hostname': 'web-0'"))
                        .sandboxConfig("s1")
                        .build()
                        .hostname())
                .isEqualTo("web-0");
        SandboxConfig cut = load(minimal("'hostname': '" + "a".repeat(62) + "-" + "b'"))
                .sandboxConfig("s1")
                .build();
        assertThat(cut.hostname()).isEqualTo("a".repeat(62));
        assertThat(load(minimal("")).sandboxConfig("s1").build().hostname()).isEqualTo("s1");
    }

    @Test
    void theRootFileSystemMayBeElsewhereOrAnImage() throws IOException {
        Path elsewhere = Files.createDirectory(directory.resolve("elsewhere"));
        Path image = Files.createFile(directory.resolve("image"));

        assertThat(load(root(elsewhere.toString())).rootfs()).isEqualTo(RootFs.directory(elsewhere));
        assertThat(load(root("rootfs/../image")).rootfs()).isEqualTo(RootFs.image(image));
    }

    private static String root(String path) {
        return "{'ociVersion': '1.0.2', 'process': {'args': ['true'], 'cwd': '/'}, 'root': {'path': '%s'}}"
                .formatted(path)
                .replace('\'', '"');
    }

    @ParameterizedTest
    @ValueSource(strings = {"missing", "/dev/null"})
    void aRootFileSystemThatIsNoneIsRefused(String path) throws IOException {
        Bundle bundle = load(root(path));

        assertThatThrownBy(bundle::rootfs)
                .isInstanceOf(InvalidConfigException.class)
                .hasMessageStartingWith("root.path: ")
                .hasMessageContaining(path);
    }

    @ParameterizedTest
    @ValueSource(strings = {"1.0.0", "1.0.0-rc5", "1.0.2-dev", "1.1.0+dev", "1.2.1"})
    void allVersionsOneAreSupported(String version) throws IOException {
        assertThat(load(minimal("").replace("1.0.2", version)).spec().ociVersion())
                .isEqualTo(version);
    }

    @ParameterizedTest
    @ValueSource(strings = {"0.9.0", "2.0.0", "1.0", "1", "10.0.0", "one"})
    void otherVersionsAreRefused(String version) {
        assertThatThrownBy(() -> load(minimal("").replace("1.0.2", version)))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessageContaining("ociVersion: \"" + version + "\" is not supported");
    }

    @Test
    void errorsNameTheFileAndTheField() {
        assertThatThrownBy(() -> load(minimal("'mounts': [{}]")))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessage(directory + "/config.json: mounts[0].destination: missing");
        assertThatThrownBy(() -> load("{\"ociVersion\": \"1.0.0\", \"process\": {\"args\": [\"a\"], \"cwd\": \"/\"}}"))
                .hasMessage(directory + "/config.json: root: missing");
        assertThatThrownBy(() -> load("{\"ociVersion\": \"1.0.0\", \"root\": {\"path\": \"rootfs\"}}"))
                .hasMessage(directory + "/config.json: process: missing");
        assertThatThrownBy(() -> load(minimal("'linux': {'resources': {'cpu': {'period': 1}}}")))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessageStartingWith(directory + "/config.json: linux.resources: ");
        assertThatThrownBy(() -> load(minimal("'annotations': {'io.kubernetes.cri.container-type': 'container'}")))
                .hasMessage(directory + "/config.json: annotations[\"io.kubernetes.cri.sandbox-id\"]: missing");
    }

    @Test
    void aDirectoryWithoutConfigurationIsRefused() {
        assertThatThrownBy(() -> Bundle.load(directory))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessageContaining("is this the directory of a bundle?");
    }

    @Test
    void aConfigurationThatIsTooLongIsRefused() {
        assertThatThrownBy(() -> load(" ".repeat((4 << 20) + 1)))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessageContaining("more than 4194304 bytes");
    }

    @Test
    void sharedMemoryHasTheSizeOfTheTmpfsThatTheEngineMadeForIt() throws IOException {
        Path shared = Path.of("/dev/shm");
        Path tmpfs = Files.createTempDirectory(shared, "engine");
        String mounts = "'mounts': [{'destination': '/dev/shm', 'type': 'bind', 'source': '%s'}]";
        try {
            assertThat(sizeOption(load(minimal(mounts.formatted(tmpfs)))))
                    .isEqualTo("size=" + Files.getFileStore(shared).getTotalSpace());
        } finally {
            Files.delete(tmpfs);
        }
        assertThat(sizeOption(load(minimal(mounts.formatted(shared))))).isEqualTo("size=67108864");
        assertThat(sizeOption(load(minimal(mounts.formatted("/missing"))))).isEqualTo("size=67108864");
    }

    private static String sizeOption(Bundle bundle) {
        return at(bundle.guestSpec(false).spec().toJson(), "/mounts/0/options/4")
                .textValue();
    }
}
