// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.virtcontainers.InvalidConfigException;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Each mistake is told in one line: the file, the line, the option, its value, and what is allowed. */
class BadConfigurationsTest {
    private static final String Q = "[hypervisor.qemu]\n";

    @TempDir
    Path directory;

    /** A text, in which {@code DIR} is a directory with the files that {@link #files} makes, and what the error says. */
    static Stream<Arguments> mistakes() {
        return Stream.of(
                // Not TOML.
                mistake(Q + "path", ":2: is no TOML: = after the key path is missing"),
                mistake(Q + "path = /usr/bin/qemu", ":2: is no TOML: a value is expected, not \"/usr/bin/qemu\""),
                mistake(Q + "machine_type = q35", ":2: is no TOML: q35 is no value: a string needs quotes"),
                mistake(Q + "kernel_params = \"a\nb\"", ":2: is no TOML: a string has no closing \""),
                mistake(
                        Q + "default_vcpus = 1\n\ndefault_vcpus = 2",
                        ":4: is no TOML: the key hypervisor.qemu.default_vcpus is already in line 2"),
                mistake(Q + "\n" + Q, ":3: is no TOML: the table [hypervisor.qemu] is already in line 1"),
                // Unknown.
                mistake(
                        Q + "default_vcpu = 1",
                        ":2: [hypervisor.qemu] default_vcpu = 1: unknown key: did you mean default_vcpus?"),
                mistake(
                        "[runtime]\nsomething_else = true",
                        ":2: [runtime] something_else = true: unknown key: must be one of enable_debug, internetworking_model"),
                mistake(
                        "[hypervisor.quemu]\npath = \"\"",
                        ":2: [hypervisor.quemu] path = \"\": unknown table: must be one of hypervisor.qemu, factory"),
                mistake("debug = true", ":1: debug = true: unknown table: must be one of"),
                mistake("[proxy.other]\npath = \"/x\"", ":2: [proxy.other] path = \"/x\": unknown table"),
                // Of other hypervisors.
                mistake(
                        "[hypervisor.firecracker]\n# x\npath = \"/x\"",
                        ":3: [hypervisor.firecracker] path = \"/x\": Firecracker is not supported: use [hypervisor.qemu]"),
                mistake("[hypervisor.clh]\npath = \"/x\"", "Cloud Hypervisor is not supported"),
                mistake("[hypervisor.acrn]\nctlpath = \"/x\"", "the hypervisor ACRN is not supported"),
                mistake(
                        Q + "jailer_path = \"/x\"",
                        ":2: [hypervisor.qemu] jailer_path = \"/x\": is not supported: QEMU has no such option"),
                // Types.
                mistake(
                        Q + "default_vcpus = \"2\"",
                        ":2: [hypervisor.qemu] default_vcpus = \"2\": is a string: must be a whole number from -1 to 240"),
                mistake(
                        Q + "default_memory = 1.5",
                        "default_memory = 1.5: is a number with a fraction: must be a whole number of MiB from 64"),
                mistake(Q + "enable_iommu = \"true\"", "enable_iommu = \"true\": is a string: must be true or false"),
                mistake(Q + "enable_debug = 1", "enable_debug = 1: is a whole number: must be true or false"),
                mistake(
                        Q + "kernel_params = [\"a\"]",
                        "kernel_params = [\"a\"]: is a list: must be words without blanks"),
                mistake(Q + "pflashes = \"/x\"", "pflashes = \"/x\": is a string: must be a list of absolute paths"),
                mistake(
                        Q + "virtio_fs_extra_args = [1]",
                        "virtio_fs_extra_args = [1]: has 1, a whole number: must be a list of"),
                mistake("[agent]\nkata = true", ":2: [agent] kata = true: unknown table"),
                // Ranges.
                mistake(Q + "default_vcpus = 241", "default_vcpus = 241: must be a whole number from -1 to 240"),
                mistake(Q + "default_memory = 0", "default_memory = 0: must be a whole number of MiB from 64 to"),
                mistake(Q + "default_bridges = 6", "default_bridges = 6: must be a whole number from 1 to 5"),
                mistake(Q + "memory_slots = -1", "memory_slots = -1: must be a whole number from 1 to 256"),
                mistake(Q + "pcie_root_port = 17", "pcie_root_port = 17: must be a whole number from 0 to 16"),
                mistake(
                        Q + "default_maxvcpus = 99999999999",
                        "default_maxvcpus = 99999999999: must be a whole number from 0 to 240"),
                mistake(Q + "machine_type = \"vax\"", "machine_type = \"vax\": must be q35, pc, microvm or virt"),
                mistake(Q + "virtio_fs_cache = \"never\"", "virtio_fs_cache = \"never\": must be none, auto or always"),
                mistake(Q + "shared_fs = \"nfs\"", "shared_fs = \"nfs\": must be auto, virtio-fs, virtio-9p or none"),
                mistake(
                        "[runtime]\ninternetworking_model = \"bridged\"",
                        ":2: [runtime] internetworking_model = \"bridged\": must be tcfilter, macvtap or none"),
                mistake(
                        Q + "cpu_features = \"pmu=off,a b\"",
                        "cpu_features = \"pmu=off,a b\": has \"a b\": must be words"),
                mistake(
                        Q + "enable_annotations = [\"(\"]",
                        "enable_annotations = [\"(\"]: has \"(\": must be a list of regular expressions"),
                mistake(
                        "[runtime]\nexperimental = [\"x\"]",
                        "experimental = [\"x\"]: has \"x\": must be a list of strings, of which none is known"),
                // Files.
                mistake(
                        Q + "path = \"/no/qemu\"",
                        "path = \"/no/qemu\": there is no such file: must be the absolute path of an executable file"),
                mistake(Q + "path = \"DIR/file\"", "path = \"DIR/file\": is not an executable file"),
                mistake(Q + "path = \"qemu\"", "path = \"qemu\": must be the absolute path of an executable file"),
                mistake(Q + "kernel = \"DIR\"", "kernel = \"DIR\": is not a readable file"),
                mistake(Q + "kernel = \"/no/kernel\"", "kernel = \"/no/kernel\": there is no such file"),
                mistake(Q + "initrd = \"/no/initrd\"", "initrd = \"/no/initrd\": there is no such file"),
                mistake(Q + "firmware = \"/no/rom\"", "firmware = \"/no/rom\": there is no such file"),
                mistake(
                        Q + "pflashes = [\"/no/rom\"]",
                        "pflashes = [\"/no/rom\"]: has /no/rom: must be the paths of readable files"),
                mistake(
                        Q + "virtio_fs_daemon = \"/no/virtiofsd\"",
                        "virtio_fs_daemon = \"/no/virtiofsd\": there is no such file"),
                mistake(
                        Q + "entropy_source = \"DIR/file\"",
                        "entropy_source = \"DIR/file\": is not a readable character device"),
                mistake(Q + "file_mem_backend = \"DIR/file\"", "file_mem_backend = \"DIR/file\": is not a directory"),
                // Conflicts.
                mistake(
                        Q + "initrd = \"DIR/file\"\nimage = \"DIR/file\"",
                        ":2: [hypervisor.qemu] initrd = \"DIR/file\": cannot be together with image = \"DIR/file\" (line 3)"),
                mistake(
                        Q + "default_memory = 64\n\nimage = \"DIR/large\"",
                        ":4: [hypervisor.qemu] image = \"DIR/large\": does not fit into the memory: default_memory = 64 (line 2) must be more than 101"),
                mistake(
                        Q + "firmware = \"DIR/file\"\npflashes = [\"DIR/file\"]",
                        "firmware = \"DIR/file\": cannot be together with pflashes = [\"DIR/file\"] (line 3)"),
                mistake(Q + "pflashes = [\"/a\", \"/b\", \"/c\"]", "are too many: must be at most 2"),
                mistake(
                        Q + "machine_type = \"pc\"\nenable_iommu = true",
                        ":3: [hypervisor.qemu] enable_iommu = true: cannot be with machine_type = \"pc\" (line 2): must be q35"),
                mistake(
                        Q + "enable_iommu_platform = true",
                        "enable_iommu_platform = true: needs enable_iommu, by default false, to be true"),
                mistake(
                        Q + "machine_type = \"microvm\"\nshared_fs = \"virtio-fs\"",
                        ":3: [hypervisor.qemu] shared_fs = \"virtio-fs\": cannot be with machine_type"),
                mistake(
                        Q + "machine_type = \"microvm\"\nimage = \"DIR/file\"",
                        "machine_type = \"microvm\": has no nvdimm"),
                mistake(
                        Q + "file_mem_backend = \"DIR\"\nenable_hugepages = true",
                        "cannot be together with enable_hugepages = true (line 3)"),
                mistake(
                        Q + "default_vcpus = 4\ndefault_maxvcpus = 2",
                        ":3: [hypervisor.qemu] default_maxvcpus = 2: is less than default_vcpus = 4 (line 2)"),
                mistake(
                        "[runtime]\ndisable_new_netns = true",
                        "disable_new_netns = true: needs internetworking_model, by default \"tcfilter\", to be \"none\""),
                mistake(
                        "[factory]\nenable_template = true\n" + Q + "image = \"DIR/file\"",
                        ":2: [factory] enable_template = true: needs an initrd"),
                mistake(
                        "[factory]\nenable_template = true\n" + Q + "shared_fs = \"virtio-fs\"",
                        "enable_template = true: cannot be together with shared_fs"),
                mistake(
                        Q + "block_device_cache_direct = true",
                        "block_device_cache_direct = true: needs block_device_cache_set, by default false, to be true"),
                // What is known but not there.
                mistake(Q + "msize_9p = 4095", "msize_9p = 4095: must be"),
                mistake(
                        "[factory]\nenable_template = true\n" + Q + "shared_fs = \"virtio-9p\"",
                        "enable_template = true: cannot be together with shared_fs"),
                mistake(
                        Q + "block_device_driver = \"nvdimm\"",
                        "block_device_driver = \"nvdimm\": is not supported: must be virtio-blk or virtio-scsi"),
                mistake(
                        Q + "disable_block_device_use = true",
                        "disable_block_device_use = true: is not supported: root file systems are disks; remove the key,"
                                + " or set it to false"),
                mistake(
                        Q + "machine_type = \"microvm\"\nenable_virtio_mem = true",
                        ":3: [hypervisor.qemu] enable_virtio_mem = true: cannot be with machine_type = \"microvm\""),
                mistake("[factory]\nvm_cache_number = 3", "vm_cache_number = 3: is not supported"),
                mistake(
                        "[proxy.kata]\nenable_debug = true",
                        "enable_debug = true: has no meaning here: there is no proxy"),
                mistake("[netmon]\nenable_netmon = true", "enable_netmon = true: is not supported"),
                mistake(
                        "[agent.kata]\ntrace_mode = \"static\"",
                        "trace_mode = \"static\": is not supported: must be dynamic"));
    }

    private static Arguments mistake(String text, String says) {
        return Arguments.of(text, says);
    }

    private Path files() throws IOException {
        Files.writeString(directory.resolve("file"), "x");
        try (RandomAccessFile large =
                new RandomAccessFile(directory.resolve("large").toFile(), "rw")) {
            large.setLength(100 << 20);
        }
        return directory;
    }

    @ParameterizedTest
    @MethodSource("mistakes")
    void aMistakeIsToldInOneLine(String text, String says) throws IOException {
        String place = files().toString();
        Path file = directory.resolve("configuration.toml");
        Files.writeString(file, text.replace("DIR", place));
        InvalidConfigException error =
                catchThrowableOfType(InvalidConfigException.class, () -> ConfigurationFile.load(Optional.of(file)));
        assertThat(error).as(text).isNotNull();
        assertThat(error.getMessage())
                .startsWith(file.toRealPath() + ":")
                .contains(says.replace("DIR", place))
                .doesNotContain("\n");
    }

    @Test
    void aFileThatCannotBeReadIsNamed() throws IOException {
        assertThat(messageOf(directory.resolve("none.toml")))
                .isEqualTo(directory + "/none.toml: there is no such file: must be a configuration.toml");
        assertThat(messageOf(directory)).isEqualTo(directory + ": is no file: must be a configuration.toml");
        Path binary = Files.write(directory.resolve("binary"), new byte[] {(byte) 0xff, (byte) 0xfe});
        assertThat(messageOf(binary)).startsWith(binary + ": cannot be read: ");
        Path large = files().resolve("large");
        assertThat(messageOf(large)).isEqualTo(large + ": has more than 1048576 bytes");
    }

    private static String messageOf(Path file) {
        InvalidConfigException error = catchThrowableOfType(
                InvalidConfigException.class, () -> ConfigurationFile.load(Optional.of(file), List.of()));
        assertThat(error).isNotNull();
        return String.valueOf(error.getMessage());
    }
}
