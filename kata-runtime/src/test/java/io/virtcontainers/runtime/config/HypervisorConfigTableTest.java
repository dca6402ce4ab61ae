// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.reflect.RecordComponent;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** docs/hypervisor-config.md names fields of Kata, keys and components that are there, and refusals that happen. */
class HypervisorConfigTableTest {
    private static final Path FILE =
            Path.of(System.getProperty("basedir", ".")).resolve("../docs/hypervisor-config.md");
    private static final Pattern ROW = Pattern.compile("\\| (\\w+) \\| (?:-|`(\\w+)`) \\| (.+) \\|");
    private static final Pattern COMPONENT = Pattern.compile("`([A-Z]\\w+(?:\\.[A-Z]\\w+)?)\\.([a-z]\\w*)`");

    /** The fields of the struct, without those that only hold what was found. */
    private static final String FIELDS = "NumVCPUs DefaultMaxVCPUs MemorySize DefaultBridges Msize9p MemSlots MemOffset"
            + " VirtioFSCacheSize VirtioMem KernelParams HypervisorParams KernelPath ImagePath InitrdPath FirmwarePath"
            + " MachineAccelerators CPUFeatures HypervisorPath HypervisorPathList HypervisorCtlPath"
            + " HypervisorCtlPathList JailerPath JailerPathList BlockDeviceDriver HypervisorMachineType MemoryPath"
            + " DevicesStatePath EntropySource SharedFS VirtioFSDaemon VirtioFSDaemonList VirtioFSCache"
            + " VirtioFSExtraArgs FileBackedMemRootDir FileBackedMemRootList PFlash BlockDeviceCacheSet"
            + " BlockDeviceCacheDirect BlockDeviceCacheNoflush DisableBlockDeviceUse EnableIOThreads Debug MemPrealloc"
            + " HugePages IOMMU IOMMUPlatform Realtime Mlock DisableNestingChecks UseVSock DisableImageNvdimm"
            + " HotplugVFIOOnRootBus PCIeRootPort BootToBeTemplate BootFromTemplate DisableVhostNet"
            + " EnableVhostUserStore VhostUserStorePath VhostUserStorePathList GuestHookPath VMid"
            + " SELinuxProcessLabel EnableAnnotations";

    static List<String> rows() throws IOException {
        return Files.readAllLines(FILE).stream()
                .filter(line -> line.startsWith("| ") && !line.startsWith("| Kata"))
                .toList();
    }

    private static Matcher parsed(String row) {
        Matcher matcher = ROW.matcher(row);
        assertThat(matcher.matches()).as(row).isTrue();
        return matcher;
    }

    @Test
    void everyFieldHasARow() throws IOException {
        assertThat(rows().stream().map(row -> parsed(row).group(1))).containsExactly(FIELDS.split(" ", -1));
    }

    @Test
    void everyKeyOfTheHypervisorIsInTheTable() throws IOException {
        List<String> keys =
                rows().stream().map(row -> String.valueOf(parsed(row).group(2))).toList();
        assertThat(Options.all().stream()
                        .filter(option -> option.table().equals(Options.QEMU))
                        .map(ConfigOption::key))
                .allSatisfy(key -> assertThat(keys).contains(key));
    }

    @ParameterizedTest
    @MethodSource("rows")
    void whatARowNamesIsThere(String row) throws ClassNotFoundException {
        Matcher parsed = parsed(row);
        String here = parsed.group(3);
        Optional<ConfigOption<?>> option = Options.all().stream()
                .filter(candidate -> candidate.key().equals(parsed.group(2)))
                .findFirst();
        assertThat(option.isPresent()).as(row).isEqualTo(parsed.group(2) != null);
        Matcher component = COMPONENT.matcher(here);
        while (component.find()) {
            Class<?> type =
                    Class.forName("io.virtcontainers." + component.group(1).replace('.', '$'));
            assertThat(Arrays.stream(type.getRecordComponents()).map(RecordComponent::getName))
                    .as(row)
                    .contains(component.group(2));
        }
        boolean refused = here.contains("refused");
        boolean refusable = option.filter(known -> known.support() != ConfigOption.Support.YES
                        || (known.type() instanceof ValueType.Choice choice
                                && !choice.notYet().isEmpty()))
                .isPresent();
        if (refused) {
            assertThat(refusable).as(row).isTrue();
        }
        if (option.isPresent() && option.get().support() != ConfigOption.Support.YES) {
            assertThat(refused).as(row).isTrue();
        }
        if (option.isEmpty()) {
            assertThat(here).startsWith("none: ");
        }
    }
}
