// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.dataformat.toml.TomlMapper;
import io.virtcontainers.HostCheck;
import io.virtcontainers.runtime.config.Configuration;
import io.virtcontainers.runtime.config.ConfigurationFile;
import io.virtcontainers.runtime.config.Options;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** kata-env has Kata's sections and fields. */
class EnvReportTest {
    @TempDir
    Path directory;

    @Test
    void everyPlaceOfAnOptionIsOneOfKatas() {
        assertThat(Options.all().stream().flatMap(option -> option.environment().stream()))
                .allSatisfy(place -> assertThat(EnvReport.PLACES).contains(place));
        assertThat(EnvReport.PLACES).doesNotHaveDuplicates().hasSize(57);
    }

    @Test
    void tomlAndJsonSayTheSame() throws IOException {
        Path qemu = Files.writeString(directory.resolve("qemu"), "#!/bin/sh\necho 'QEMU emulator version 9.9 \"x\"'\n");
        assertThat(qemu.toFile().setExecutable(true)).isTrue();
        Configuration configuration = ConfigurationFile.parse(
                Path.of("/x/configuration.toml"),
                "[hypervisor.qemu]\npath = \"" + qemu + "\"\nkernel_params = \"a b=1\"\nmachine_type = \"pc\"\n"
                        + "[runtime]\nenable_debug = true\n");
        List<HostCheck> checks = List.of(
                HostCheck.ok("guest kernel", "found", Path.of("/boot/vmlinuz")),
                HostCheck.ok("vsock", "can be opened"),
                HostCheck.failed("kvm", "no"));
        EnvReport report = EnvReport.of(configuration, checks);
        JsonNode json = new ObjectMapper().readTree(report.json());
        JsonNode toml = new TomlMapper().readTree(report.toml());
        for (String place : EnvReport.PLACES) {
            String pointer = "/" + place.replace('.', '/');
            assertThat(json.at(pointer).isMissingNode()).as(place).isFalse();
            assertThat(toml.at(pointer).asText())
                    .as(place)
                    .isEqualTo(json.at(pointer).asText());
        }
        assertThat(json.at("/Meta/Version").asText()).isEqualTo("1.0.24");
        assertThat(json.at("/Hypervisor/Path").asText()).isEqualTo(qemu.toString());
        assertThat(json.at("/Hypervisor/Version").asText()).isEqualTo("QEMU emulator version 9.9 \"x\"");
        assertThat(json.at("/Hypervisor/MachineType").asText()).isEqualTo("pc");
        assertThat(json.at("/Hypervisor/MemorySlots").asInt()).isEqualTo(10);
        assertThat(json.at("/Kernel/Path").asText()).isEqualTo("/boot/vmlinuz");
        assertThat(json.at("/Kernel/Parameters").asText()).isEqualTo("a b=1");
        assertThat(json.at("/Runtime/Config/Path").asText()).isEqualTo("/x/configuration.toml");
        assertThat(json.at("/Runtime/Debug").asBoolean()).isTrue();
        assertThat(json.at("/Runtime/Experimental").isArray()).isTrue();
        assertThat(json.at("/Host/SupportVSocks").asBoolean()).isTrue();
        assertThat(json.at("/Host/VMContainerCapable").asBoolean()).isFalse();
        assertThat(json.at("/Host/Distro/Name").asText()).isNotEmpty();
        assertThat(json.at("/Host/CPU/Model").asText()).isNotEmpty();
        assertThat(report.toml()).startsWith("[Meta]\nVersion = \"1.0.24\"\n\n[Runtime]\nPath = ");
    }
}
