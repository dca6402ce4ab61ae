// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.virtcontainers.InvalidConfigException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Annotations override the file where it lets them. */
class AnnotationsTest {
    private static final String PREFIX = "io.katacontainers.config.";
    private static final String HYPERVISOR = PREFIX + "hypervisor.";

    @TempDir
    Path directory;

    private static Configuration enabled(String expressions, String more) {
        return ConfigurationFile.parse(
                Path.of("/x"), "[hypervisor.qemu]\nenable_annotations = [" + expressions + "]\n" + more);
    }

    private static void refused(Configuration configuration, String name, String value, String says) {
        assertThatThrownBy(() -> configuration.withAnnotations(Map.of(name, value)))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessageStartingWith("annotation " + name + " = \"" + value + "\": ")
                .hasMessageContaining(says);
    }

    @Test
    void anEnabledOneOverridesTheFile() {
        Configuration base = enabled("\".*\"", "default_memory = 100\n");
        Map<String, String> annotations = new LinkedHashMap<>();
        annotations.put(HYPERVISOR + "default_memory", "200");
        annotations.put(HYPERVISOR + "default_max_vcpus", "1");
        annotations.put(HYPERVISOR + "enable_iommu", "true");
        annotations.put(HYPERVISOR + "kernel_params", "a=1 b=2");
        annotations.put(HYPERVISOR + "machine_type", "q35");
        annotations.put(PREFIX + "runtime.internetworking_model", "none");
        annotations.put(PREFIX + "agent.container_pipe_size", "8192");
        annotations.put("io.kubernetes.cri.sandbox-id", "x");
        Configuration all = base.withAnnotations(annotations);
        assertThat(all.get(Options.DEFAULT_MEMORY)).isEqualTo(200);
        assertThat(all.get(Options.DEFAULT_MAXVCPUS)).isEqualTo(1);
        assertThat(all.get(Options.ENABLE_IOMMU)).isTrue();
        assertThat(all.get(Options.KERNEL_PARAMS)).containsExactly("a=1", "b=2");
        assertThat(all.networkModel()).isEmpty();
        assertThat(all.hypervisor().kernelParameters()).containsExactly("agent.container_pipe_size=8192", "a=1", "b=2");
        assertThat(base.get(Options.DEFAULT_MEMORY)).isEqualTo(100);
    }

    @Test
    void byDefaultNoneIsEnabled() {
        refused(
                Configuration.defaults(),
                HYPERVISOR + "default_memory",
                "200",
                "is not enabled: [hypervisor.qemu] enable_annotations = [] must have an expression for default_memory");
    }

    @Test
    void anExpressionIsOfTheWholeName() {
        Configuration kernelOnly = enabled("\"kernel\", \"enable_.*\"", "");
        refused(kernelOnly, HYPERVISOR + "kernel_params", "init=/bin/sh", "is not enabled");
        refused(kernelOnly, PREFIX + "runtime.disable_guest_seccomp", "true", "is not enabled");
        assertThat(kernelOnly
                        .withAnnotations(Map.of(HYPERVISOR + "enable_iothreads", "true"))
                        .get(Options.ENABLE_IOTHREADS))
                .isTrue();
    }

    @Test
    void aBadValueIsNamed() {
        Configuration all = enabled("\".*\"", "");
        refused(all, HYPERVISOR + "default_memory", "much", "must be a whole number of MiB from 64");
        refused(all, HYPERVISOR + "enable_iommu", "yes", "must be true or false");
        refused(all, HYPERVISOR + "machine_type", "vax", "must be q35, pc, microvm or virt");
        refused(all, HYPERVISOR + "nothing", "1", "there is no such annotation");
        refused(all, HYPERVISOR + "default_vcpus", "240", "is more than the host has: must be at most ");
        refused(all, HYPERVISOR + "disable_block_device_use", "true", "is not supported");
        refused(all, HYPERVISOR + "kernel", "/no/kernel", "there is no such file");
        refused(all, PREFIX + "agent.kernel_modules", "a;b", "is not supported");
        assertThatThrownBy(() -> all.withAnnotations(
                        Map.of(HYPERVISOR + "enable_iommu", "true", HYPERVISOR + "machine_type", "pc")))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessageStartingWith("annotation " + HYPERVISOR
                        + "enable_iommu: [hypervisor.qemu] enable_iommu = true: cannot be with")
                .hasMessageContaining("machine_type = pc");
    }

    @Test
    void aProgramMustBeOneThatTheFileAllows() throws IOException {
        Path program = Files.writeString(directory.resolve("qemu-7"), "x");
        assertThat(program.toFile().setExecutable(true)).isTrue();
        refused(enabled("\".*\"", ""), HYPERVISOR + "path", program.toString(), "valid_hypervisor_paths = [] allows");
        Configuration base = enabled("\".*\"", "valid_hypervisor_paths = [\"" + directory + "/qemu-*\"]\n");
        assertThat(base.withAnnotations(Map.of(HYPERVISOR + "path", program.toString()))
                        .get(Options.PATH))
                .contains(program);
        refused(base, HYPERVISOR + "path", directory + "/qemu-/../../../bin/sh", "there is no such file");
        Path inside = Files.createDirectory(directory.resolve("qemu-x"));
        refused(base, HYPERVISOR + "path", inside + "/../../../bin/sh", "must be");
    }

    @Test
    void aFileMustHaveTheHashThatIsGiven() throws IOException {
        Path kernel = Files.writeString(directory.resolve("kernel"), "abc");
        String hash = "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                + "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f";
        Configuration base = enabled("\".*\"", "kernel = \"" + kernel + "\"\n");
        assertThat(base.withAnnotations(Map.of(HYPERVISOR + "kernel_hash", hash))
                        .get(Options.KERNEL))
                .contains(kernel);
        refused(base, HYPERVISOR + "kernel_hash", "00", "is not the SHA-512 of " + kernel);
        refused(base, HYPERVISOR + "image_hash", "00", "[hypervisor.qemu] image is not set");
        assertThatThrownBy(() -> base.withAnnotations(
                        Map.of(HYPERVISOR + "kernel_hash", hash, "io.katacontainers.asset_hash_type", "md5")))
                .hasMessage("annotation io.katacontainers.asset_hash_type = \"md5\": must be sha512");
    }
}
